"""Describe a download to OpenLineage: from the vendor's batch to files, without a connection and without a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_emailverify.results.schema import COLUMNS, FLAGS

if TYPE_CHECKING:
    from airflow_provider_emailverify.steps.landing import Landed


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
    return OperatorLineage(
        inputs=[Dataset(namespace=f"{url.scheme}://{url.netloc}", name=f"batches/{landed.summary['batch_id']}")],
        outputs=[
            OutputDataset(
                *dataset_name(file.destination.asset_uri),
                facets=facets,
                outputFacets={
                    "outputStatistics": OutputStatisticsOutputDatasetFacet(
                        rowCount=file.rows, size=file.spool.size, fileCount=1
                    )
                },
            )
            for file in landed.files
        ],
    )


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
