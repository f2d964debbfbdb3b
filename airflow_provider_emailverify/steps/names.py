"""Name what belongs to one task instance."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping


class BatchNames:
    """
    Name the batches of one task instance: the same in every try, and in no other run.

    :param dag_id: the Dag.
    :param run_id: its run.
    :param task_id: the task.
    :param map_index: the instance of a mapped task; -1 if it is none.
    :ivar digest: tells the task instance from all others.
    :ivar stem: what all of them begin with.
    """

    def __init__(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> None:
        identity = "\0".join((dag_id, run_id, task_id, str(map_index)))
        self.digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
        # What a vendor takes for a name is not documented, so it is short and plain.
        self.stem = "-".join([*(re.sub(r"[^A-Za-z0-9_.-]", "_", part)[:40] for part in (dag_id, task_id)), self.digest])

    @classmethod
    def of(cls, context: Mapping[str, Any]) -> Self:
        """
        Return the names of the running task instance.

        :param context: the task's context.
        """
        ti = context["ti"]
        return cls(ti.dag_id, ti.run_id, ti.task_id, getattr(ti, "map_index", -1))

    def __getitem__(self, number: int) -> str:
        """Return the name of a batch, counted from 1."""
        return f"{self.stem}-{number:05d}"
