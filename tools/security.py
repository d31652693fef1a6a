"""What bandit and pip-audit find that nobody has explained; `make check` runs both.

ruff's rules S are bandit's, under the same numbers: a line that says `# noqa: S608` with its reason has explained it to
bandit too. What it alone finds is explained by `# nosec`, or for all of a folder in ``NOTHING_OF``.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("cluster_ui", "dashboard", "sandbox", "tools", "manage.py")
# Rules of which nothing is told, and why.
NOTHING_OF = {
    "B105": "judged by ruff's S105, which takes fewer words such as 'Secret' for a password",
    "B107": "the same of defaults, S107",
    "B311": "jitter needs no cryptographic randomness; tokens use `secrets`",
    "B404": "that a module can run programs is no finding; where it does is, B603",
    "B703": "mark_safe is explained where it is called, S308",
}
# What runs a cluster, a server or other tools on the developer's machine: all they are given is ours.
RUNS_PROGRAMS = {"B603", "B607"}
DEVELOPERS = ("sandbox/", "tools/")


def bandit() -> int:
    """Prints what is not explained; how many that are."""
    words = [sys.executable, "-m", "bandit", "-q", "-r", *FOLDERS, "-f", "json", "-s", ",".join(NOTHING_OF)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["results"]
    except ValueError:
        print(done.stderr[-2000:])
        return 1
    left = [each for each in found if not _is_explained(each)]
    for each in left:
        print(f"{each['filename']}:{each['line_number']}: {each['test_id']} {each['issue_text']}")
    print(f"bandit: {len(left)} of {len(found)} findings not explained.")
    return len(left)


def _is_explained(finding: dict[str, Any]) -> bool:
    rule, path = finding["test_id"], finding["filename"].removeprefix("./")
    if rule in RUNS_PROGRAMS and path.startswith(DEVELOPERS):
        return True
    lines = (ROOT / path).read_text().splitlines()
    span = finding["line_range"]
    said = re.compile(rf"# noqa:.*\bS{rule[1:]}\b")
    return any(said.search(line) for line in lines[min(span) - 1 : max(span)])


def audit() -> int:
    """Known vulnerabilities of what is installed with the dashboard; how many those are. A registry that tells of none,
    or can't be reached, is said, and fails nothing: the code is no worse by it.
    """
    words = [
        sys.executable,
        "-m",
        "pip_audit",
        "-r",
        "requirements.txt",
        "--disable-pip",
        "--require-hashes",
        "-f",
        "json",
    ]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    try:
        every: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        print(f"pip-audit: nothing was audited. {done.stderr.strip().splitlines()[-1:] or ''}")
        return 0
    found = [(each, one) for each in every for one in each.get("vulns", ())]
    for each, one in found:
        print(
            f"{each['name']} {each['version']}: {one['id']}, fixed in {', '.join(one['fix_versions']) or 'no version'}"
        )
    skipped = sum("skip_reason" in each for each in every)
    print(f"pip-audit: {len(found)} vulnerabilities in {len(every) - skipped} packages", end="")
    print(f"; the registry tells nothing of {skipped}." if skipped else ".")
    return len(found)


if __name__ == "__main__":
    sys.exit(1 if {"bandit": bandit, "pip-audit": audit}[sys.argv[1]]() else 0)
