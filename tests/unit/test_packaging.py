"""What a user gets with ``pip install``."""

from __future__ import annotations

import email
import subprocess
import sys
import zipfile
from email.message import Message
from pathlib import Path

import pytest

from airflow_provider_emailverify import __version__

PROJECT = Path(__file__).resolve().parents[2]
PACKAGE = PROJECT / "airflow_provider_emailverify"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The project's wheel, built by its own back end from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, str(folder)], cwd=PROJECT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    """The wheel's core metadata."""
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return email.message_from_bytes(wheel.read(name))


def test_the_wheel_holds_every_module_and_data_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    files = {path.relative_to(PROJECT).as_posix() for path in PACKAGE.rglob("*") if path.is_file()}

    assert {name for name in files if "__pycache__" not in name} <= set(wheel.namelist())


@pytest.mark.parametrize("name", ["py.typed", "sandbox/names/disposable_domains.txt", "sandbox/__main__.py"])
def test_the_wheel_holds_what_is_easily_left_out(wheel: zipfile.ZipFile, name: str) -> None:
    assert f"airflow_provider_emailverify/{name}" in wheel.namelist()


def test_the_wheel_holds_nothing_but_the_package_its_metadata_and_its_licence(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}

    assert tops == {"airflow_provider_emailverify", f"airflow_provider_emailverify-{__version__}.dist-info"}
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel.namelist())


def test_the_wheel_tells_airflow_where_its_provider_info_is(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))

    assert wheel.read(name).decode().split("\n")[:2] == [
        "[apache_airflow_provider]",
        "provider_info = airflow_provider_emailverify.get_provider_info:get_provider_info",
    ]


def test_the_metadata_says_what_airflow_registries_look_for(metadata: Message) -> None:
    classifiers = metadata.get_all("Classifier", [])

    assert metadata["Name"] == "airflow-provider-emailverify"
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert "Framework :: Apache Airflow :: Provider" in classifiers
    assert "Typing :: Typed" in classifiers


def test_the_metadata_claims_the_pythons_that_the_matrix_runs(
    metadata: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(PROJECT / ".ci"))
    import matrix

    prefix = "Programming Language :: Python :: 3."
    claimed = {each.removeprefix(prefix[:-2]) for each in metadata.get_all("Classifier", []) if each.startswith(prefix)}
    assert claimed == {python for pythons in matrix.CELLS.values() for python in pythons}


def test_the_metadata_claims_no_airflow_older_than_the_matrix_runs(
    metadata: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(PROJECT / ".ci"))
    import matrix

    oldest = min(matrix.CELLS, key=lambda version: tuple(map(int, version.split("."))))
    assert f"apache-airflow>={oldest}.0" in metadata.get_all("Requires-Dist", [])


@pytest.mark.parametrize("extra", ["s3", "gcs", "azure", "sandbox"])
def test_the_wheel_offers_the_extras_that_the_readme_names(metadata: Message, extra: str) -> None:
    assert extra in metadata.get_all("Provides-Extra", [])
    assert f"airflow-provider-emailverify[{extra}]" in (PROJECT / "README.md").read_text()
