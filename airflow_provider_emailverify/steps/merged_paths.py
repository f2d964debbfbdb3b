"""Where the lists go that a merge writes: names, folders, and places that are refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from airflow_provider_emailverify.exceptions import InvalidDestinationError
from airflow_provider_emailverify.lists.reader import FORMATS, ListFormat, is_list_name
from airflow_provider_emailverify.results.schema import Verdict
from airflow_provider_emailverify.storage.destination import Destination
from airflow_provider_emailverify.storage.listing import fixed_folder, location, names_file

#: What stands between a list's name and its end.
MARK = "verified"
#: How the name of the page with the figures ends.
REPORT = "report.html"
_OUTPUTS = {"csv": "csv", "jsonl": "jsonl", "parquet": "parquet", "lines": "csv", "excel": "csv"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedPaths:
    """
    The names of what a merge writes.

    :param named: what the user named as sources: URIs, folders, patterns.
    :param are_several: there may be several lists, however many there are today.
    :param destination: a file, or a folder.
    :param how: how the sources are read.
    :param output_format: the format; None for that of each list.
    :param is_split: there is a file for each verdict.
    """

    named: Sequence[str]
    are_several: bool
    destination: Destination
    how: ListFormat
    output_format: str | None
    is_split: bool

    def format_of(self, source: str) -> str:
        """
        Return the format of what is written.

        :param source: the list.
        """
        return self.output_format or _OUTPUTS[self.how.of(source)]

    def check(self) -> None:
        """
        Refuse a destination that is not a folder where one is needed.

        :raises InvalidDestinationError: it is one file.
        """
        if (self.are_several or self.is_split) and not self.destination.is_folder:
            what = "several lists" if self.are_several else "split_by_verdict"
            raise InvalidDestinationError(
                f"The destination {self.destination.uri} is one file, and {what} may make several. End it with a slash."
            )
        self.destination.check()

    def of(self, source: str) -> Destination:
        """
        Return where a list goes: a file, or with a file for each verdict the folder of those.

        :param source: the list.
        """
        if not self.destination.is_folder:
            return self.destination
        folder, _, name = self._below(source).rpartition("/")
        stem, ending = self._parts_of(name, source)
        name = f"{stem}.{MARK}/" if self.is_split else f"{stem}.{MARK}{ending}"
        return Destination(f"{self.destination.uri}{folder}/{name}" if folder else f"{self.destination.uri}{name}")

    def file(self, source: str, verdict: str) -> Destination:
        """
        Return where the file of one verdict goes.

        :param source: the list.
        :param verdict: the verdict; "" for the whole list.
        """
        if not verdict:
            return self.of(source)
        _, ending = self._parts_of(source.rpartition("/")[2], source)
        return self.of(source).file(f"{verdict}{ending}")

    def report(self, source: str) -> Destination:
        """
        Return where the page with the figures goes.

        :param source: the list, or the first of several.
        """
        if self.are_several:
            return self.destination.file(f"{MARK}.{REPORT}")
        folder, _, name = self.of(source).uri.rstrip("/").rpartition("/")
        stem = name if self.is_split else PurePosixPath(name).stem
        return Destination(f"{folder}/{stem}.{REPORT}")

    def refuse_overlaps(self, sources: Sequence[str], results: Sequence[str]) -> None:
        """
        Refuse destinations that are read, that the next run would take for sources, or that meet.

        :param sources: the lists.
        :param results: what the user named as results.
        :raises InvalidDestinationError: one is.
        """
        read = {location(result): "one of the results" for result in results} | {
            location(source): "a source itself" for source in sources
        }
        seen: set[str] = set()
        for file in [self.file(source, Verdict.UNKNOWN if self.is_split else "") for source in sources]:
            place = location(file.uri)
            if place in read:
                raise InvalidDestinationError(
                    f"The destination {file.uri} is {read[place]}, and would be lost. Choose another name or folder."
                )
            for named in self.named:
                if names_file(named, file.uri, is_list_name):
                    raise InvalidDestinationError(
                        f"The destination {file.uri} lies where {named} looks for sources, so that the next run would "
                        "take it for one. Choose another folder."
                    )
            if place in seen:
                raise InvalidDestinationError(
                    f"Two sources would be written to {file.uri}: they differ only in how their names end. Rename one, "
                    "or merge them by themselves."
                )
            seen.add(place)

    def _below(self, source: str) -> str:
        """Return the name of a list below the folder that all lists have in common."""
        folders = [location(fixed_folder(named)).split("/")[:-1] for named in self.named]
        common = 0
        while all(len(parts) > common and parts[common] == folders[0][common] for parts in folders):
            common += 1
        parts = location(source).split("/")
        # Lists in different buckets have nothing in common but "//".
        return "/".join(part for part in parts[common if common > 2 else 2 :] if part)

    def _parts_of(self, name: str, source: str) -> tuple[str, str]:
        """Return the name of a list without its ending, and the ending of what is written."""
        path = PurePosixPath(name)
        if path.suffix.lower() == ".gz":
            path = path.with_suffix("")
        ending = path.suffix
        is_known = ending.lower() in FORMATS or (self.how.source_format and ending)
        stem = path.name.removesuffix(ending) if is_known else path.name
        written = self.format_of(source)
        keeps = is_known and self.how.of(source) == written
        return stem, ending if keeps else f".{written}"
