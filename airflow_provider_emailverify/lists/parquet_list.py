"""Lists in Parquet, by pyarrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from airflow_provider_emailverify.exceptions import EmailVerifyError, InvalidSourceError
from airflow_provider_emailverify.formats.watched_file import WatchedFile
from airflow_provider_emailverify.lists.columns import Wanted, header_place, places_of
from airflow_provider_emailverify.lists.list_file import Cells, ListFile

if TYPE_CHECKING:
    import pyarrow

_BLOCK = 4096
_SAMPLE_ROWS = 20
# A page at a time, in place of a row group.
_PAGE_BYTES = 1024 * 1024


class ParquetList(ListFile):
    """
    A Parquet file.

    :param file: the file.
    :param wanted: the columns of addresses.
    :raises InvalidSourceError: pyarrow is missing, it is no Parquet file, or they are not in it.
    """

    def __init__(self, file: BinaryIO, wanted: Wanted) -> None:
        try:
            from pyarrow.parquet import ParquetFile
        except ModuleNotFoundError:
            raise InvalidSourceError(
                "Parquet needs pyarrow on the worker: pip install 'airflow-provider-emailverify[parquet]'."
            ) from None
        self._file = WatchedFile(file)
        with self._reading():
            self._table = ParquetFile(self._file, buffer_size=_PAGE_BYTES)
            self.schema: pyarrow.Schema = self._table.schema_arrow
            self.names = list(self.schema.names)
            rows: list[Sequence[Any]] = []
            if header_place(wanted, self.names) is None:
                sample = next(self._table.iter_batches(_SAMPLE_ROWS), None)
                rows = list(zip(*sample.to_pydict().values(), strict=True)) if sample else []
        self.places = places_of(wanted, self.names, rows)

    def cells(self) -> Iterator[Cells]:
        """Yield the cells, and read nothing else."""
        import pyarrow as pa

        names = [self.names[place] for place in self.places]
        with self._reading():
            for batch in self._table.iter_batches(_BLOCK, columns=names):
                columns = [batch.column(batch.schema.get_field_index(name)).cast(pa.string()) for name in names]
                yield [[value or "" for value in column.to_pylist()] for column in columns]

    def blocks(self) -> Iterator[pyarrow.RecordBatch]:
        """Yield batches of whole rows."""
        with self._reading():
            yield from self._table.iter_batches(_BLOCK)

    def count(self, block: pyarrow.RecordBatch) -> int:
        """Return how many rows a batch has."""
        return int(block.num_rows)

    def records(self, block: pyarrow.RecordBatch) -> Iterator[Sequence[Any]]:
        """Yield the values of each row."""
        return zip(*(column.to_pylist() for column in block.columns), strict=True)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (EmailVerifyError, GeneratorExit):
            raise
        except Exception:  # noqa: BLE001 - pyarrow's errors are of many classes, and their texts quote values
            if self._file.error is not None:
                raise self._file.error from None  # the storage's, not pyarrow's
            raise InvalidSourceError("it is not a whole Parquet file, or its column does not hold text.") from None
