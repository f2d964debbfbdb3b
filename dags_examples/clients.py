"""Verify a list for each of many clients: one task group, mapped over them."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG, Param, task, task_group

from airflow_provider_emailverify.task_groups import verify_emails

PARAMS = {
    "clients": Param(["acme", "globex"], type="array", description="Folders below the one of the lists"),
    "lists": Param("s3://my_aws@bucket/clients/", type="string", description="<client>/list.csv is there"),
    "destination": Param("s3://my_aws@bucket/verified/", type="string", description="A folder"),
}

with DAG("clients", schedule=None, params=PARAMS, tags=["emailverify"]) as dag:

    @task
    def find_lists(params: dict[str, object] | None = None) -> list[dict[str, str]]:
        assert params
        return [
            {
                "source": f"{params['lists']}{client}/list.csv",
                "destination": f"{params['destination']}{client}/",
            }
            for client in params["clients"]
        ]

    @task_group
    def client(source: str, destination: str) -> None:
        verify_emails(
            source=source,
            conn_id="proofy_default",
            destination=destination,
            submit={"max_emails": 20_000, "pool": "proofy", "max_active_tis_per_dagrun": 4},
        )

    client.expand_kwargs(find_lists())
