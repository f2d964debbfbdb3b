"""
Feed readers and writers with hostile input until the time is over, and say what they could not stand.

    make fuzz                                                         # ten minutes
    make fuzz SECONDS=60
    python -m tests.fuzz.run --seed 7 --targets list_of_csv
    python -m tests.fuzz.run --case 7:list_of_csv:1234                # one case again

A target is a function that takes a random generator, makes one case of it, and returns; whatever it raises, our own
errors apart, is a finding, and so is a case that takes too long. A module of targets lists them in ``TARGETS``;
``MODULES`` lists the modules.
"""

from __future__ import annotations

import argparse
import importlib
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from random import Random, SystemRandom
from types import FrameType

import tests.conftest  # noqa: F401 - it gives Airflow a home of its own
from airflow_provider_emailverify.exceptions import EmailVerifyError

Target = Callable[[Random], None]

MODULES = ("tests.fuzz.lists", "tests.fuzz.results", "tests.fuzz.writers", "tests.fuzz.submission")
_LONGEST_CASE = 30
_MOST_FINDINGS = 5


class TooLongError(Exception):
    """A case did not end in time."""


def load_targets() -> dict[str, Target]:
    """Return all targets by name."""
    found: list[Target] = [target for name in MODULES for target in importlib.import_module(name).TARGETS]
    return {target.__name__: target for target in found}


def run_case(target: Target, case: str) -> tuple[str, str]:
    """
    Run one case. Return what came of it in a word, and the traceback if it is a finding.

    :param target: what to run.
    :param case: the case's name, which seeds its random generator.
    """
    before = signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(_LONGEST_CASE)
    try:
        target(Random(case))
    except EmailVerifyError as error:
        return type(error).__name__, ""
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return "FOUND", traceback.format_exc()
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return "fine", ""


def fuzz(name: str, target: Target, seed: str, seconds: float) -> list[str]:
    """
    Run cases of one target, and print how many there were. Return the findings, each a text.

    :param name: the target's name.
    :param target: the target.
    :param seed: the run's seed.
    :param seconds: how long.
    """
    findings: list[str] = []
    outcomes: Counter[str] = Counter()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and len(findings) < _MOST_FINDINGS:
        case = f"{seed}:{name}:{outcomes.total()}"
        outcome, trace = run_case(target, case)
        outcomes[outcome] += 1
        if trace:
            findings.append(f"--case {case}\n{trace}")
    told = ", ".join(f"{outcome} {count:,}" for outcome, count in outcomes.most_common())
    print(f"{name:<24}{outcomes.total():>9,} cases: {told}", flush=True)
    return findings


def main() -> int:
    """Run the targets that the command line names, each for its share of the time."""
    targets = load_targets()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", default=str(SystemRandom().randrange(10**9)))
    parser.add_argument("--targets", nargs="+", choices=targets, default=list(targets))
    parser.add_argument("--case", help="run this one only")
    options = parser.parse_args()
    if options.case:
        outcome, trace = run_case(targets[options.case.split(":")[1]], options.case)
        print(outcome, trace)
        return bool(trace)
    print(f"Seed {options.seed}, {options.seconds:g} s for {len(options.targets)} targets", flush=True)
    findings = []
    for name in options.targets:
        findings += fuzz(name, targets[name], options.seed, options.seconds / len(options.targets))
    print(f"\n{len(findings)} findings; peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024:,} MiB")
    print("\n".join(findings))
    return bool(findings)


def _too_long(_signal: int, _frame: FrameType | None) -> None:
    raise TooLongError(f"the case takes longer than {_LONGEST_CASE} s")


if __name__ == "__main__":
    sys.exit(main())
