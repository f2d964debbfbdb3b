"""Threads for the triggerer's polls, and hooks that all waits of a connection share."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import ParamSpec, TypeVar

from airflow_provider_emailverify.hooks.base import EmailVerifyHook

_P = ParamSpec("_P")
_R = TypeVar("_R")

THREADS = 64
# A changed connection takes effect after this time.
HOOK_SECONDS = 60.0

_hooks: dict[str, tuple[EmailVerifyHook, float]] = {}
_hooks_lock = threading.Lock()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="emailverify-poll")


async def in_thread(function: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
    """
    Run a blocking function off the event loop, in a pool of our own.

    asyncio's default pool has six threads on two cores, and asgiref's default is a single one. The context goes
    along, because the triggerer finds the log of a trigger by it.

    :param function: what to run.
    """
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(_pool(), lambda: context.run(function, *args, **kwargs))


def shared_hook(conn_id: str) -> EmailVerifyHook:
    """
    Return the hook that all waits of a connection share: its sockets and its rate limit.

    Call it in a thread: it reads the connection, which can block an event loop for good before Airflow 3.3.2.

    :param conn_id: the Airflow connection.
    :raises ConnectionConfigError: the connection is missing or cannot be used.
    """
    with _hooks_lock:
        hook, made = _hooks.get(conn_id, (None, 0.0))
        if hook is None or time.monotonic() - made > HOOK_SECONDS:
            hook = EmailVerifyHook.get_hook(conn_id)
            hook.get_conn()
            _hooks[conn_id] = hook, time.monotonic()
        return hook
