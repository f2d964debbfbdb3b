"""Describe a download to OpenLineage: from the vendor's batch to files, without a connection and without a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_emailverify.results.schema import COLUMNS, FLAGS
from airflow_provider_emailverify.steps.result_options import MOST_DETAILS

if TYPE_CHECKING:
    from airflow_provider_emailverify.steps.result_options import Landed


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
    url = urlsplit(landed.vendor_url)
    vendor = f"{url.scheme}://{url.netloc}"
    # Every event that tells of a dataset is kept: of very many, one for all of them has to do.
    batches = [f"batches/{batch_id}" for batch_id in landed.batch_ids]
    return OperatorLineage(
        inputs=[
            Dataset(namespace=vendor, name=name) for name in (batches if len(batches) <= MOST_DETAILS else ["batches"])
        ],
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
