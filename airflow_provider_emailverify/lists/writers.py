"""Writers of lists with columns added: in the list's own format, or in another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from airflow_provider_emailverify.lists.added_columns import AddedColumns
from airflow_provider_emailverify.lists.csv_appender import CsvAppender
from airflow_provider_emailverify.lists.json_appender import JsonAppender
from airflow_provider_emailverify.lists.list_file import ListFile
from airflow_provider_emailverify.lists.list_writer import ListWriter
from airflow_provider_emailverify.lists.parquet_appender import ParquetAppender
from airflow_provider_emailverify.lists.parquet_list import ParquetList
from airflow_provider_emailverify.lists.record_writers import CsvRecordWriter, JsonRecordWriter, ParquetRecordWriter
from airflow_provider_emailverify.lists.text_lists import CsvList, JsonLinesList

if TYPE_CHECKING:
    from airflow_provider_emailverify.storage.spool import Spool


def open_writer(
    output_format: str, file: ListFile, added: AddedColumns, spool: Spool, replaced: Mapping[str, int]
) -> ListWriter:
    """
    Return a writer.

    :param output_format: ``csv``, ``jsonl`` or ``parquet``.
    :param file: the list.
    :param added: the columns that are added.
    :param spool: where the bytes go, empty.
    :param replaced: for each added column that is in the list already, its place there.
    """
    match output_format:
        case "csv" if isinstance(file, CsvList):
            return CsvAppender(file, added, spool, replaced)
        case "csv":
            return CsvRecordWriter(file, added, spool, replaced)
        case "jsonl" if isinstance(file, JsonLinesList):
            return JsonAppender(file, added, spool, is_replacing=bool(replaced))
        case "jsonl":
            return JsonRecordWriter(file, added, spool, replaced)
        case _ if isinstance(file, ParquetList):
            return ParquetAppender(file.schema, added, spool, replaced)
        case _:
            return ParquetRecordWriter(file, added, spool, replaced)
