"""The files that one run reads as one list."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from airflow_provider_emailverify.exceptions import InvalidSourceError, SourceChangedError, StorageError
from airflow_provider_emailverify.lists.reader import Blocks, ListFormat, is_list_name, open_list
from airflow_provider_emailverify.steps.arguments import read_texts
from airflow_provider_emailverify.storage.listing import StoredFile, list_files, location


@dataclass(frozen=True, slots=True)
class SourceFiles:
    """
    The files of a list, as they were when they were listed.

    :param named: what the user named: URIs, folders, patterns.
    :param files: the files, each once, in the order in which they are read.
    :param how: how they are read.
    :param may_be_several: the user gave a list, a folder or a pattern, however many files that finds today.
    """

    named: tuple[str, ...]
    files: tuple[StoredFile, ...]
    how: ListFormat
    may_be_several: bool

    @classmethod
    def find(cls, source: str | Sequence[str], how: ListFormat) -> Self:
        """
        List the files.

        :param source: a URI, a folder, a pattern, or several of them.
        :param how: how they are read.
        :raises InvalidSourceError: no source is named, or a folder or a pattern finds no list.
        :raises StorageError: the storage cannot be asked, or has no such file.
        """
        given = read_texts("source", source)
        named = [given] if isinstance(given, str) else given
        if (
            not isinstance(named, Sequence)
            or not named
            or not all(isinstance(uri, str) and uri.strip() for uri in named)
        ):
            raise InvalidSourceError(f"The source is empty ({source!r}). Give a URI such as s3://bucket/list.csv.")
        files = list_files(named, is_list_name)
        if not files:
            raise InvalidSourceError(f"There is no list at {', '.join(named)}. Check the folder or the pattern.")
        may_be_several = not isinstance(given, str) or "*" in given or given.endswith("/")
        return cls(tuple(named), tuple(files), how, may_be_several)

    @property
    def plan(self) -> dict[str, Any]:
        """What tells these files from others and from later versions of them; primitives, fit for XCom."""
        seen = [[location(file.uri), file.size, file.version] for file in self.files]
        return {"files": len(seen), "digest": hashlib.sha256(json.dumps(seen).encode()).hexdigest()}

    def values(self) -> Blocks:
        """
        Yield what their columns of addresses hold, some thousand values at a time.

        :raises InvalidSourceError: a file is not what it should be.
        :raises StorageError: the storage refused one.
        """
        for each in self.files:
            with open_list(each.uri, self.how) as file:
                for block in file.cells():
                    yield from block

    def unchanged_values(self) -> Iterator[list[str]]:
        """
        Yield the same, and make sure at the end that no file has changed meanwhile.

        :raises StorageError: one has.
        """
        yield from self.values()
        self.check_unchanged()

    def check_unchanged(self) -> None:
        """
        Make sure that no file has changed since they were listed.

        :raises StorageError: one has.
        """
        if tuple(list_files([file.uri for file in self.files], is_list_name)) != self.files:
            raise StorageError(
                "A source changed while it was read. Nothing was submitted or published; run the task again."
            )

    def check_plan(self, submitted: Any) -> None:
        """
        Make sure that these are the files that a submission has read.

        :param submitted: its summary, whose member ``sources`` is the :attr:`plan`; of several, the first counts.
        :raises SourceChangedError: they are not.
        """
        first = submitted[0] if isinstance(submitted, Sequence) and submitted else submitted
        plan = first.get("sources") if isinstance(first, Mapping) else None
        if not isinstance(plan, Mapping) or plan.get("digest") != self.plan["digest"]:
            count = plan.get("files") if isinstance(plan, Mapping) else "unknown"
            what = (
                f"The source is not what was submitted: files have changed, come or gone since "
                f"({len(self.files):,} now, {count} then)."
            )
            raise SourceChangedError(what).with_steps(
                what,
                "Nothing was published, and the results of what was submitted are untouched.",
                "1. Put the files back as they were, and clear this task.",
                "2. Or clear the submit task too: if the addresses are the same, it buys nothing again.",
                "3. Or trigger a new run for the new files.",
            )
