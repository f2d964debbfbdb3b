"""
README as the package index shows it.

Pictures and links within the project lead nowhere there, so the pictures are left out and the links become plain text.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

PICTURE = re.compile(r"<picture>.*?</picture>\n*|<img [^>]*>\n*|!\[[^\]]*\]\([^)]*\)\n*", re.DOTALL)
LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!https?://)[^)]*\)")


def index_readme(text: str) -> str:
    """
    Return the text for the index.

    :param text: README.md
    """
    return LINK.sub(r"\1", PICTURE.sub("", text))


class IndexReadme(MetadataHookInterface):
    """Tell hatchling the description of the package."""

    def update(self, metadata: dict[str, Any]) -> None:
        """
        Set the description.

        :param metadata: what pyproject.toml says
        """
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": index_readme(text)}
