"""Stop a submission when its task is killed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from airflow_provider_emailverify.exceptions import SubmissionStoppedError

T = TypeVar("T")


class KillSwitch:
    """
    Carry a kill from ``on_kill`` to ``execute``.

    Airflow 3 calls ``on_kill`` in a signal handler and lets ``execute`` go on after it, wherever it was: so a kill is
    noted here, and ``execute`` looks before each step. A kill that comes before ``execute`` holds as well.

    :ivar progress: what was done so far, for the message.
    :ivar on_pull: what else to do at once, in the signal handler.
    """

    def __init__(self) -> None:
        self._reset()

    @property
    def is_pulled(self) -> bool:
        """Whether the task was killed."""
        return self._is_pulled

    def pull(self) -> None:
        """
        Note a kill. A signal handler may call it; it must be the last thing that the handler does.

        :raises SubmissionStoppedError: ``execute`` does nothing but wait, so that it can be left where it is.
        """
        self._is_pulled = True
        if self.on_pull:
            self.on_pull()
        if self._is_waiting:
            raise self.stopped()

    def check(self) -> None:
        """
        Go on, unless the task was killed.

        :raises SubmissionStoppedError: it was.
        """
        if self._is_pulled:
            raise self.stopped()

    def watch(self, items: Iterable[T]) -> Iterator[T]:
        """
        Hand on items until the task is killed.

        :param items: the items.
        :raises SubmissionStoppedError: it was killed.
        """
        for item in items:
            self.check()
            yield item

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Let a kill end what does nothing but wait."""
        self._is_waiting = True
        try:
            self.check()
            yield
        finally:
            self._is_waiting = False

    @contextmanager
    def armed(self) -> Iterator[None]:
        """Watch over one call of ``execute``. Afterwards the switch is as new, for the next try."""
        try:
            yield
            self.check()
        finally:
            self._reset()

    def stopped(self) -> SubmissionStoppedError:
        """Return the error of a task that was killed."""
        return SubmissionStoppedError(
            f"The task was killed when {self.progress}. The next try goes on from there, without the batches that were "
            "cancelled."
        )

    def _reset(self) -> None:
        self.progress = "nothing was submitted yet"
        self.on_pull: Callable[[], None] | None = None
        self._is_pulled = False
        self._is_waiting = False
