"""The lock that the polls of a connection stand before."""

from __future__ import annotations

import asyncio

from airflow_provider_emailverify.steps.turnstile import Turnstile


async def pass_through(turnstile: Turnstile, due: float, passed: list[float]) -> None:
    async with turnstile.turn(due):
        passed.append(due)
        await asyncio.sleep(0)


def test_whoever_was_due_first_is_next() -> None:
    async def main() -> list[float]:
        turnstile, passed = Turnstile(), []
        async with turnstile.turn(0):
            tasks = [asyncio.create_task(pass_through(turnstile, due, passed)) for due in (3, 1, 2, 1.5)]
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        return passed

    assert asyncio.run(main()) == [1, 1.5, 2, 3]


def test_it_lets_one_through_at_a_time() -> None:
    async def main() -> None:
        turnstile, inside = Turnstile(), []

        async def follow(due: float) -> None:
            for _ in range(20):
                async with turnstile.turn(due):
                    inside.append(due)
                    assert len(inside) == 1
                    await asyncio.sleep(0)
                    inside.remove(due)

        await asyncio.gather(*(follow(due) for due in range(5)))

    asyncio.run(main())


def test_who_is_cancelled_holds_up_nobody() -> None:
    async def main() -> list[float]:
        turnstile, passed = Turnstile(), []
        async with turnstile.turn(0):
            first, second, third = (asyncio.create_task(pass_through(turnstile, due, passed)) for due in (1, 2, 3))
            await asyncio.sleep(0)
            second.cancel()
        first.cancel()  # it was let through, and has not gone
        await asyncio.wait([first, second, third], timeout=5)
        await asyncio.wait_for(pass_through(turnstile, 4, passed), 5)
        return passed

    assert asyncio.run(main()) == [3, 4]
