"""The DAG processor imports these modules all day: they must not bring heavy libraries along."""

from __future__ import annotations

import subprocess
import sys

HEAVY = [
    "pyarrow",
    "python_calamine",
    "ijson",
    "fsspec",
    "upath",
    "boto3",
    "botocore",
    "s3fs",
    "gcsfs",
    "adlfs",
    "fastapi",
    "uvicorn",
]
OURS = ["requests", "tenacity", "pyrate_limiter"]
SCRIPT = """
import sys
from airflow.providers.common.compat.sdk import DAG, BaseHook, BaseOperator, BaseSensorOperator, conf, Asset
from airflow.triggers.base import BaseTrigger
before = set(sys.modules)
import {module}
new = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(*sorted(new & set({unwanted})))
"""


def test_the_modules_of_dag_files_import_nothing_heavy() -> None:
    modules = [
        "sensors.batch",
        "operators.download",
        "operators.check",
        "operators.merge",
        "operators.submit",
        "task_groups",
        "triggers.batch",
        "hooks.proofy",
        "hooks.cliova",
    ]
    names = ", ".join(f"airflow_provider_emailverify.{module}" for module in modules)
    code = SCRIPT.format(module=names, unwanted=HEAVY + OURS)

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []


def test_the_sandbox_imports_nothing_of_the_package_that_it_tests() -> None:
    code = (
        "import sys, airflow_provider_emailverify.sandbox.__main__, airflow_provider_emailverify.sandbox.server; "
        "print(*sorted(name for name in sys.modules if name.startswith(('airflow.', 'airflow_provider_emailverify.')) "
        "and not name.startswith('airflow_provider_emailverify.sandbox')))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []
