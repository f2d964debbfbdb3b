"""What a user gets with ``pip install``."""

from __future__ import annotations

import email
import re
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from pathlib import Path

import pytest
import yaml

from airflow_provider_emailverify import __version__
from airflow_provider_emailverify.get_provider_info import get_provider_info

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
    assert "Framework :: Apache Airflow" in classifiers
    assert 30 < len(metadata["Summary"]) < 150
    assert "airflow-provider" in metadata["Keywords"]
    assert metadata["Description-Content-Type"] == "text/markdown"
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


def test_the_index_shows_no_picture_and_no_link_that_leads_nowhere_there(metadata: Message) -> None:
    text = str(metadata.get_payload())

    assert "verify_emails(" in text
    assert not [link for link in re.findall(r"\]\(([^)]*)\)", text) if not link.startswith("https://")]
    assert not re.search(r"<img|<picture|!\[", text)


def test_the_source_distribution_holds_what_tests_need(tmp_path: Path) -> None:
    build = "import sys; from hatchling.build import build_sdist; build_sdist(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=PROJECT, check=True, capture_output=True)
    (path,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert {"LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md", "Makefile", "tests/conftest.py"} <= names
    assert not [name for name in names if name.startswith((".venv", ".git/", "dist", ".demo"))]


def test_the_registry_is_told_every_module_that_airflow_is_told() -> None:
    registry = yaml.safe_load((PROJECT / ".astro-registry.yaml").read_text())
    info = get_provider_info()

    assert registry["package-name"] == info["package-name"]
    assert registry["display-name"] == info["name"]
    for kind in ("hooks", "operators", "sensors", "triggers"):
        told = [each["module"].rpartition(".")[0] for each in registry[kind]]
        assert told == [module for group in info[kind] for module in group["python-modules"]], kind
        for each in registry[kind]:
            module, _, name = each["module"].rpartition(".")
            assert f"\nclass {name}(" in (PROJECT / module.replace(".", "/")).with_suffix(".py").read_text()


def test_what_tests_need_brings_no_tools_of_the_documentation_or_of_a_release(metadata: Message) -> None:
    """They make uv choose the first patch of an older Airflow, which then does not start."""
    needed = [each for each in metadata.get_all("Requires-Dist", []) if "extra == 'dev'" in each]

    assert any(each.startswith("pytest") for each in needed)
    assert not [each for each in needed if re.search("docs|release|sphinx|twine", each)]
