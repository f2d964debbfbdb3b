"""
Look up every installed package in the advisories of the Python Package Index: ``python audit.py``.

pip-audit asks. It passes over packages that an index says nothing of, and then calls the environment free of known
vulnerabilities; here an environment counts as audited only if the index knew most of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

COMMAND = ("-m", "pip_audit", "--format=json", "--skip-editable", "--progress-spinner=off", "--timeout=15")
FOUND = 1
NOT_AUDITED = 2


def judge(dependencies: list[dict[str, Any]]) -> tuple[int, str]:
    """
    Return the exit code and what to tell.

    :param dependencies: what pip-audit says of each package
    """
    installed = [each for each in dependencies if "editable" not in each.get("skip_reason", "")]
    known = [each for each in installed if "vulns" in each]
    if len(known) <= len(installed) // 2:
        return NOT_AUDITED, (
            f"Not audited: {len(installed) - len(known)} of {len(installed)} packages have no advisories here. "
            "It takes a network to the Python Package Index, or an index that serves the same JSON API."
        )
    lines = [
        f"{each['name']} {each['version']}: {found['id']}, corrected in {' or '.join(found['fix_versions']) or 'none'}"
        for each in known
        for found in each["vulns"]
    ]
    passed_over = [each["name"] for each in installed if "vulns" not in each]
    lines += [f"The index says nothing of {', '.join(passed_over)}."] if passed_over else []
    count = sum(len(each["vulns"]) for each in known)
    lines.append(f"{count} known vulnerabilit{'y' if count == 1 else 'ies'} in {len(known)} packages.")
    return (FOUND if count else 0), "\n".join(lines)


def main() -> int:
    """Audit the environment of the interpreter that runs this."""
    done = subprocess.run([sys.executable, *COMMAND], capture_output=True, text=True, check=False)
    try:
        dependencies = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        why = (done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
        print(f"Not audited: {why}", file=sys.stderr)
        return NOT_AUDITED
    code, said = judge(dependencies)
    print(said, file=sys.stderr if code else sys.stdout)
    return code


if __name__ == "__main__":
    sys.exit(main())
