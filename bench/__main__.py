"""Runs the benchmarks, those that need one on a sandbox of their own, and prints medians and ratios."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench import decode, flood, judge, live, relations, search
from sandbox import Sandbox

FULL = {"pods": 5000, "events": 120, "rounds": 9, "judged": 10_000, "searched": 10_000, "flood": 25}
SHORT = {"pods": 300, "events": 20, "rounds": 5, "judged": 2_000, "searched": 1_000, "flood": 5}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "figure",
        nargs="?",
        choices=["decode", "flood", "judge", "live", "relations", "search"],
        help="one figure (default: all)",
    )
    parser.add_argument("--short", action="store_true", help="small and quick, as in continuous integration")
    arguments = parser.parse_args()
    size = SHORT if arguments.short else FULL
    if arguments.figure in (None, "judge"):
        print(judge.run(pods=size["judged"], rounds=size["rounds"]), flush=True)
    if arguments.figure in (None, "relations"):
        print(relations.run(pods=2 * size["pods"], rounds=size["rounds"]), flush=True)
    if arguments.figure in (None, "search"):
        print(search.run(pods=size["searched"], rounds=size["rounds"]), flush=True)
    if arguments.figure in ("judge", "relations", "search"):
        return
    with tempfile.TemporaryDirectory(prefix="cluster-ui-bench-") as home:
        if arguments.figure in (None, "flood"):
            print(flood.run(Path(home) / "flood", seconds=size["flood"], rate=10_000), flush=True)
        if arguments.figure == "flood":
            return
        sandbox = Sandbox("cluster-ui-bench", home=Path(home) / "sandbox")
        try:
            print("Starting a sandbox…", flush=True)
            sandbox.up(samples=False)
            if arguments.figure in (None, "live"):
                print(live.run(sandbox, Path(home), events=size["events"]), flush=True)
            if arguments.figure in (None, "decode"):
                print(f"Making {size['pods']} pods…", flush=True)
                sandbox.scale(pods=size["pods"])
                print(decode.run(sandbox, pods=size["pods"], rounds=size["rounds"]), flush=True)
        finally:
            sandbox.destroy()


if __name__ == "__main__":
    main()
