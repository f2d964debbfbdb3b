"""How Sphinx makes the site: ``make docs``."""

import logging
import re
from typing import Any

from airflow_provider_emailverify import __version__
from airflow_provider_emailverify.commands.vendor_page import vendor_facts
from airflow_provider_emailverify.commands.vendors import hooks
from airflow_provider_emailverify.get_provider_info import get_provider_info

logging.getLogger("airflow").setLevel(logging.ERROR)

project = "airflow-provider-emailverify"
author = "The authors of airflow-provider-emailverify"
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns: list[str] = []

html_theme = "furo"
html_title = f"E-mail verification for Airflow {__version__}"
html_copy_source = False

# Headings are anchors as on GitHub, so that the same links work there and here.
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
autodoc_default_options = {"members": True, "show-inheritance": True}

# What stands beside the README for who looks at the repository is a page here.
TOP = re.compile(r"\]\((?:\.\./)+(CONTRIBUTING|SECURITY|CHANGELOG)\.md")


# Where the page of a vendor has what its hook knows.
FACTS = re.compile(r"(?ms)^```\{vendor-facts\} (\w+)$.*?^```$")


def complete(app: Any, name: str, source: list[str]) -> None:
    """Let links to files of the repository lead to their pages, and put in what the code knows of each vendor."""
    if name == "reference/hooks":
        modules = [entry["hook-class-name"].rpartition(".")[0] for entry in get_provider_info()["connection-types"]]
        source[0] += "".join(f"\n.. automodule:: {module}\n" for module in modules)
    by_name = {hook.conn_type: hook for hook in hooks()}
    source[0] = FACTS.sub(lambda found: vendor_facts(by_name[found[1]]), source[0])
    source[0] = TOP.sub(lambda found: f"](/project/{found[1].lower()}.md", source[0])


def setup(app: Any) -> None:
    """Tell Sphinx of it."""
    app.connect("source-read", complete)
