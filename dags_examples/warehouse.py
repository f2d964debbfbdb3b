"""Verify a list, and put its verdicts into a table: a run that is repeated replaces its own rows."""

from __future__ import annotations

import csv
import io
import sqlite3
from contextlib import closing

from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, Param, task

from airflow_provider_emailverify.task_groups import verify_emails

PARAMS = {
    "source": Param(type="string", minLength=1, description="s3://my_aws@bucket/list.csv, file:///…"),
    "destination": Param("file:///tmp/emailverify/", type="string", description="A folder"),
    "database": Param("/tmp/emailverify/warehouse.db", type="string", description="An SQLite file"),  # noqa: S108
}
TABLE = "create table if not exists verdicts (email text, verdict text, reason text, verified_at text, list text)"

with DAG("warehouse", schedule=None, params=PARAMS, tags=["emailverify"]) as dag:
    verified = verify_emails(
        source="{{ params.source }}",
        conn_id="proofy_default",
        destination="{{ params.destination }}",
        email_column="email",
    )

    @task
    def load(path: str, params: dict[str, str] | None = None) -> int:
        assert params
        text = ObjectStoragePath(path).read_text()
        rows = [
            (row["email"], row["verdict"], row["reason"], row["verified_at"], path)
            for row in csv.DictReader(io.StringIO(text, newline=""))
        ]
        with closing(sqlite3.connect(params["database"])) as database, database:
            database.execute(TABLE)
            database.execute("delete from verdicts where list = ?", [path])
            database.executemany("insert into verdicts values (?, ?, ?, ?, ?)", rows)
        return len(rows)

    load(verified)
