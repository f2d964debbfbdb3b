"""Tell what a list will cost, before anything is spent."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_emailverify.exceptions import UnsupportedOperationError
from airflow_provider_emailverify.steps.batch_sizes import batch_size_of
from airflow_provider_emailverify.steps.list_to_buy import BuyOptions, open_list_to_buy

if TYPE_CHECKING:
    from airflow_provider_emailverify.hooks.base import EmailVerifyHook
    from airflow_provider_emailverify.http.policy import Clock
    from airflow_provider_emailverify.steps.kill_switch import KillSwitch

# Of a batch: its submission, a question about it, its download.
_REQUESTS_A_BATCH = 3


@dataclass(frozen=True, slots=True)
class Estimate:
    """
    What a list will cost.

    :param figures: as primitives.
    :param answers: where the answers are that cost nothing; None if they were not written.
    """

    figures: dict[str, Any]
    answers: str | None


def estimate(
    options: BuyOptions,
    hook: EmailVerifyHook | None,
    kill_switch: KillSwitch,
    *,
    batch_size: int | None = None,
    clock: Clock = time,
) -> Estimate:
    """
    Read a list, and buy nothing.

    :param options: what is read, and what of it costs nothing.
    :param hook: the vendor's; None leaves out what depends on the vendor.
    :param kill_switch: tells when to stop.
    :param batch_size: addresses in a batch; None for the vendor's limit.
    :param clock: the time.
    :raises EmailVerifyError: the list cannot be read, or the vendor does not tell the balance.
    """
    size = batch_size_of(hook, batch_size) if hook else None
    with open_list_to_buy(options, kill_switch, clock=clock) as found:
        figures = dict(found.summary)
        if hook and size:
            batches = -(-found.rest.unique // size)
            figures |= {
                "batches": batches,
                "credits_left": _credits(hook),
                "least_minutes": _least_minutes(hook, batches),
            }
        return Estimate(figures, found.answers)


def _credits(hook: EmailVerifyHook) -> float | None:
    try:
        credits_left = hook.get_credits()
        return int(credits_left) if float(credits_left).is_integer() else credits_left
    except UnsupportedOperationError:
        return None


def _least_minutes(hook: EmailVerifyHook, batches: int) -> int | None:
    limit = hook.client.site.requests_per_minute
    return None if limit is None else math.ceil(batches * _REQUESTS_A_BATCH / limit)
