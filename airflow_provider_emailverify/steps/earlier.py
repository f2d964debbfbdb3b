"""Keep the figures of each merge as a small file in a folder, and read those of earlier runs there."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow_provider_emailverify.exceptions import InvalidDestinationError
from airflow_provider_emailverify.results.schema import Verdict, utc_text
from airflow_provider_emailverify.steps.names import BatchNames
from airflow_provider_emailverify.storage.destination import Destination, open_source
from airflow_provider_emailverify.storage.listing import list_files
from airflow_provider_emailverify.storage.publishing import publish
from airflow_provider_emailverify.storage.spool import spool_for

log = logging.getLogger(__name__)

#: How the names of the files end.
ENDING = ".summary.json"
#: So many earlier runs are read: a year of weeks.
MOST_EARLIER = 52
_MOST_BYTES = 65_536
#: What of a summary is kept: numbers only, no address and no name of a file.
KEPT = (
    "schema_version",
    "rows",
    "addresses",
    "missing",
    "verdicts",
    "bought",
    "known",
    "prescreened",
    "price",
    "saved",
)


@dataclass(frozen=True, slots=True)
class Earlier:
    """
    The folder of the figures, as one run sees it.

    :param folder: the folder.
    :param due: when the run was due. Each try of it has the same.
    :param digest: tells the task instance from all others.
    """

    folder: Destination
    due: datetime
    digest: str

    @classmethod
    def of(cls, uri: str, context: Mapping[str, Any]) -> Earlier:
        """
        Return the folder as the running task instance sees it.

        :param uri: the folder; a slash at its end is added.
        :param context: the task's context.
        :raises InvalidDestinationError: no file can be there.
        """
        run = context.get("dag_run")
        # A run without a logical date has the other one; Airflow 2 knows the logical date only.
        due = getattr(run, "run_after", None) or getattr(run, "logical_date", None) or datetime.now(UTC)
        try:
            folder = Destination(f"{uri.rstrip('/')}/")
        except InvalidDestinationError as error:
            raise InvalidDestinationError(f"history: {error}") from None
        return cls(folder, due, BatchNames.of(context).digest)

    @property
    def moment(self) -> str:
        """When the run was due, as :func:`.schema.utc_text` writes it."""
        return utc_text(self.due.timestamp())

    def read(self) -> list[dict[str, Any]]:
        """
        Return the figures of runs that were due before this one, oldest first.

        A file that is none of ours is left out, and logged.

        :raises StorageError: the folder cannot be read.
        """
        files = list_files(self.folder.uri, lambda name: name.endswith(ENDING))
        before = sorted((file for file in files if file.name < self._name), key=lambda file: file.name)
        found = []
        for file in before[-MOST_EARLIER:]:
            with open_source(file.uri) as content:
                figures = _figures(content.read(_MOST_BYTES))
            if figures is None:
                log.warning("%s holds no figures of a merge; the report leaves it out.", file.uri)
            else:
                found.append(figures)
        return found

    def figures(self, summary: Mapping[str, Any]) -> dict[str, Any]:
        """
        Return what is kept of this run.

        :param summary: the merge's.
        """
        return {"moment": self.moment} | {name: summary[name] for name in KEPT if name in summary}

    def write(self, summary: Mapping[str, Any]) -> None:
        """
        Write the figures of this run, in place of what an earlier try of it has written.

        :param summary: the merge's.
        :raises StorageError: the storage refused it.
        """
        file = self.folder.file(self._name)
        with spool_for(file, "summary", "application/json") as spool:
            spool.write(json.dumps(self.figures(summary)).encode())
            publish(spool, file)

    @property
    def _name(self) -> str:
        # Names sort by the time, two of one second too; a colon is no part of a file's name everywhere.
        return f"{self.due.astimezone(UTC):%Y-%m-%dT%H%M%S.%fZ}-{self.digest}{ENDING}"


def _figures(content: bytes) -> dict[str, Any] | None:
    """Return the figures that a file holds; None if it holds something else."""
    try:
        figures = json.loads(content)
        verdicts = figures["verdicts"]
        numbers = [figures["rows"], *(verdicts[verdict] for verdict in Verdict)]
        numbers += [figures.get(name, 0) for name in ("bought", "known", "prescreened")]
        is_ours = all(type(number) is int and number >= 0 for number in numbers) and type(figures["moment"]) is str
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return figures if is_ours else None
