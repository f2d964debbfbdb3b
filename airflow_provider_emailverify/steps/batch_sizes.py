"""How many addresses a batch of a list has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_emailverify.exceptions import InvalidRequestError

if TYPE_CHECKING:
    from airflow_provider_emailverify.hooks.base import EmailVerifyHook

#: Addresses in a batch of a vendor that documents no limit. More at once means fewer ids to wait for; fewer at once,
#: fewer addresses whose fate is unknown if a worker dies at the wrong moment.
DEFAULT_BATCH_SIZE = 10_000


def batch_size_of(hook: EmailVerifyHook, asked: int | None) -> int:
    """
    Return how many addresses a batch has.

    :param hook: the vendor's.
    :param asked: what the user wants; None for the vendor's limit, or the default if it documents none.
    :raises InvalidRequestError: it is more than the vendor takes.
    """
    limit = hook.max_batch_size
    if asked and limit and asked > limit:
        raise InvalidRequestError(
            f"{hook.hook_name} takes {limit:,} addresses a batch, so batch_size cannot be {asked:,}."
        )
    return asked or limit or DEFAULT_BATCH_SIZE
