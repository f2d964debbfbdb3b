"""
Describe to OpenLineage, and to Airflow's collector of lineage, what a task reads and writes.

From the list to the vendor's batches, from those to results, and from list and results to the verified list: by URIs
without a connection, and without a row.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_emailverify.results.schema import COLUMNS, FLAGS
from airflow_provider_emailverify.steps.result_options import MOST_DETAILS
from airflow_provider_emailverify.storage.destination import Destination

if TYPE_CHECKING:
    from airflow_provider_emailverify.steps.result_options import Landed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListLineage:
    """
    What became of a list.

    :param read: the URIs of the files that were read, without connections.
    :param written: those that were written, each with its rows; None where they were not counted.
    :param batches: the batches that were submitted, as namespaces and names.
    """

    read: Sequence[str]
    written: Mapping[str, int | None]
    batches: Sequence[tuple[str, str]]

    @property
    def facets(self) -> Any:
        """The datasets, as the ``OperatorLineage`` of the OpenLineage provider, which must be there."""
        from airflow.providers.common.compat.openlineage.facet import (
            Dataset,
            OutputDataset,
            OutputStatisticsOutputDatasetFacet,
        )
        from airflow.providers.openlineage.extractors import OperatorLineage

        outputs = [OutputDataset(*each) for each in self.batches]
        for uri, rows in self.written.items():
            facets: dict[str, Any] = (
                {} if rows is None else {"outputStatistics": OutputStatisticsOutputDatasetFacet(rowCount=rows)}
            )
            outputs.append(OutputDataset(*dataset_name(uri), outputFacets=facets))
        return OperatorLineage(inputs=[Dataset(*dataset_name(uri)) for uri in self.read], outputs=outputs)


def tell_lineage(
    operator: Any,
    *,
    read: Sequence[str],
    written: Mapping[str, int | None],
    vendor_url: str = "",
    batch_ids: Sequence[str] = (),
) -> ListLineage | None:
    """
    Tell Airflow's collector of lineage what became of a list, and return it for OpenLineage; None if that failed.

    It fails no task: what was done is done.

    :param operator: the operator that did it.
    :param read: the URIs of the files that were read.
    :param written: those that were written, each with its rows; None where they were not counted.
    :param vendor_url: the base URL of the vendor that the list was submitted to.
    :param batch_ids: the ids of the batches that were submitted.
    """
    try:
        from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector

        assets = {uri: Destination(uri).asset_uri for uri in (*_few(read), *_few(list(written)))}
        told = ListLineage(
            read=[assets[uri] for uri in _few(read)],
            written={assets[uri]: written.get(uri) for uri in _few(list(written))},
            batches=_batch_names(vendor_url, batch_ids) if vendor_url else [],
        )
        collector = get_hook_lineage_collector()
        for uri in told.read:
            collector.add_input_asset(context=operator, uri=uri)
        for uri in told.written:
            collector.add_output_asset(context=operator, uri=uri)
    except Exception as error:  # noqa: BLE001 - whatever another provider raises
        log.warning("The lineage of this task is not told (%s).", type(error).__name__)
        return None
    return told


def lineage(landed: Landed) -> Any:
    """
    Return the datasets of a download, as the ``OperatorLineage`` of the OpenLineage provider, which must be there.

    :param landed: what was published.
    """
    from airflow.providers.common.compat.openlineage.facet import (
        Dataset,
        OutputDataset,
        OutputStatisticsOutputDatasetFacet,
        SchemaDatasetFacet,
        SchemaDatasetFacetFields,
    )
    from airflow.providers.openlineage.extractors import OperatorLineage

    facets: dict[str, Any] = {}
    if "schema_version" in landed.summary:
        types = {**dict.fromkeys(FLAGS, "boolean"), "verified_at": "timestamp"}
        fields = [
            SchemaDatasetFacetFields(name=name, type=types.get(name, "string"), description=text)
            for name, text in COLUMNS.items()
        ]
        facets["schema"] = SchemaDatasetFacet(fields=fields)
    return OperatorLineage(
        inputs=[Dataset(*each) for each in _batch_names(landed.vendor_url, landed.batch_ids)],
        outputs=[
            OutputDataset(
                *dataset_name(uri),
                facets=facets,
                outputFacets={
                    "outputStatistics": OutputStatisticsOutputDatasetFacet(rowCount=rows, size=size, fileCount=count)
                },
            )
            for uri, rows, size, count in _outputs(landed)
        ],
    )


def _batch_names(vendor_url: str, batch_ids: Sequence[str]) -> list[tuple[str, str]]:
    """Return namespaces and names of batches."""
    url = urlsplit(vendor_url)
    # Every event that tells of a dataset is kept: of very many, one for all of them has to do.
    names = [f"batches/{batch_id}" for batch_id in batch_ids] if len(batch_ids) <= MOST_DETAILS else ["batches"]
    return [(f"{url.scheme}://{url.netloc}", name) for name in names]


def _few(uris: Sequence[str]) -> list[str]:
    """Return URIs, each once; of very many, the folders that they are in."""
    found = list(dict.fromkeys(uris))
    if len(found) > MOST_DETAILS:
        found = list(dict.fromkeys(uri[: uri.rfind("/") + 1] for uri in found))
    return found[:MOST_DETAILS]


def _outputs(landed: Landed) -> list[tuple[str, int, int, int]]:
    """Return for each file, or for the folder of many, the URI, rows, bytes, and files."""
    if landed.is_told_as_folder:
        return [(landed.asset_uris[0], landed.summary["rows"], landed.summary["bytes"], len(landed.files))]
    return [(file.destination.asset_uri, file.rows, file.spool.size, 1) for file in landed.files]


def dataset_name(uri: str) -> tuple[str, str]:
    """
    Return namespace and name by OpenLineage's naming rules: ``s3://bucket`` and ``key``; ``file`` and a path.

    :param uri: the URI without a connection.
    """
    scheme, _, rest = uri.partition("://")
    if scheme == "file":
        return "file", rest
    bucket, _, key = rest.partition("/")
    return f"{scheme}://{bucket}", key
