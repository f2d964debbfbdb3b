"""What importing the sensor's and the operator's module costs above what any DAG file imports of Airflow."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from typing import Any

PACKAGE = "airflow_provider_emailverify"
#: What any DAG file with a sensor imports.
AIRFLOW = (
    "from airflow.sdk import DAG, Asset, AssetAlias, BaseHook, BaseOperator, BaseSensorOperator, Connection, "
    "ObjectStoragePath, Variable, dag, task; "
    "from airflow.sdk.exceptions import AirflowException, AirflowSkipException"
)
IMPORTS = {
    "sensors.batch": f"import {PACKAGE}.sensors.batch",
    "operators.download": f"import {PACKAGE}.operators.download",
    "both": f"import {PACKAGE}.sensors.batch, {PACKAGE}.operators.download",
    "Airflow's FileSensor, for comparison": "import airflow.providers.standard.sensors.filesystem",
    "Airflow's HttpOperator, for comparison": "import airflow.providers.http.operators.http",
}
UNWANTED = (
    "adlfs",
    "azure",
    "boto3",
    "botocore",
    "fsspec",
    "gcsfs",
    "google.cloud",
    "ijson",
    "pyarrow",
    "s3fs",
    "upath",
)
SCRIPT = """
import sys, time, json
{airflow}
before = set(sys.modules)
started = time.perf_counter()
{ours}
seconds = time.perf_counter() - started
print(json.dumps({{"seconds": seconds, "new": sorted(set(sys.modules) - before)}}))
"""


def measure(repeat: int) -> dict[str, dict[str, Any]]:
    """
    Import each in fresh processes, alternating. Return the times and the modules that came in.

    :param repeat: measured rounds; one more comes first, for the byte code.
    """
    found: dict[str, dict[str, Any]] = {name: {"seconds": [], "new": []} for name in IMPORTS}
    with tempfile.TemporaryDirectory(prefix="emailverify-bench-") as home:
        environment = os.environ | {"AIRFLOW_HOME": home}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for number in range(repeat + 1):
            for name, ours in IMPORTS.items():
                done = subprocess.run(
                    [sys.executable, "-c", SCRIPT.format(airflow=AIRFLOW, ours=ours)],
                    env=environment,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                if done.returncode:
                    if name.startswith("Airflow's"):  # that provider is not installed
                        continue
                    sys.exit(done.stderr)
                result = json.loads(done.stdout.splitlines()[-1])
                if number:
                    found[name]["seconds"].append(result["seconds"])
                    found[name]["new"] = result["new"]
    return {name: result for name, result in found.items() if result["seconds"]}


def table(found: dict[str, dict[str, Any]]) -> str:
    """
    Return the figures as a table.

    :param found: what :func:`measure` returned.
    """
    lines = [f"{'':<42}{'ms':>8}{'from - to':>16}{'modules':>9}  of them unwanted"]
    for name, result in found.items():
        times = [1000 * seconds for seconds in result["seconds"]]
        spread = f"{min(times):.1f} - {max(times):.1f}"
        unwanted = [new for new in result["new"] if new in UNWANTED]
        lines.append(
            f"{name:<42}{statistics.median(times):>8.1f}{spread:>16}{len(result['new']):>9}"
            f"  {', '.join(unwanted) or 'none'}"
        )
    return "\n".join(lines)
