"""Runs the benchmarks, those that need one on a sandbox of their own, and prints medians and ratios."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from bench import (
    backup,
    decode,
    editor,
    flood,
    judge,
    lists,
    live,
    loop,
    memory,
    pages,
    relations,
    rewind,
    search,
    sockets,
    whatif,
)
from sandbox import Sandbox

FULL: dict[str, Any] = {
    "pods": 5000,
    "events": 120,
    "rounds": 9,
    "judged": 10_000,
    "kept": 2_000,
    "searched": 10_000,
    "flood": 25,
    "hostile": 3_000,
    "listed": (1_000, 10_000, 50_000),
    "crowds": (10_000, 50_000),
    "people": 1_000,
    "backed_up": 50_000,
}
SHORT: dict[str, Any] = {
    "pods": 300,
    "events": 20,
    "rounds": 5,
    "judged": 2_000,
    "kept": 200,
    "searched": 1_000,
    "flood": 5,
    "hostile": 300,
    "listed": (300, 1_000),
    "crowds": (1_000,),
    "people": 100,
    "backed_up": 2_000,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "figure",
        nargs="?",
        choices=[
            "backup",
            "decode",
            "editor",
            "flood",
            "judge",
            "lists",
            "live",
            "loop",
            "memory",
            "pages",
            "relations",
            "rewind",
            "search",
            "sockets",
            "whatif",
        ],
        help="one figure (default: all)",
    )
    parser.add_argument("--short", action="store_true", help="small and quick, as in continuous integration")
    arguments = parser.parse_args()
    size = SHORT if arguments.short else FULL
    if arguments.figure in (None, "judge"):
        print(judge.run(pods=size["judged"], rounds=size["rounds"]), flush=True)
    if arguments.figure in (None, "memory"):
        print(memory.run(objects=size["kept"], pods=size["judged"] * 5, rounds=size["rounds"]), flush=True)
    if arguments.figure in (None, "relations"):
        print(relations.run(pods=2 * size["pods"], rounds=size["rounds"]), flush=True)
    if arguments.figure in (None, "lists"):
        print(lists.run(pods=size["listed"], rounds=size["rounds"]), flush=True)
    if arguments.figure in (None, "search"):
        print(search.run(pods=size["searched"], rounds=size["rounds"]), flush=True)
    if arguments.figure in (None, "whatif"):
        print(whatif.run(pods=size["judged"], rounds=size["rounds"]), flush=True)
    if arguments.figure in (None, "rewind"):
        print(rewind.run(pods=size["judged"], rounds=size["rounds"]), flush=True)
    if arguments.figure in (None, "backup"):
        print(backup.run(objects=size["backed_up"]), flush=True)
    if arguments.figure in ("backup", "judge", "lists", "memory", "relations", "rewind", "search", "whatif"):
        return
    with tempfile.TemporaryDirectory(prefix="cluster-ui-bench-") as home:
        if arguments.figure in (None, "flood"):
            print(flood.run(Path(home) / "flood", seconds=size["flood"], rate=10_000), flush=True)
        if arguments.figure in (None, "loop"):
            print(loop.run(Path(home) / "loop", pods=size["hostile"]), flush=True)
        if arguments.figure in (None, "pages"):
            print(pages.run(Path(home) / "pages", pods=size["crowds"], rounds=size["rounds"]), flush=True)
        if arguments.figure in (None, "sockets"):
            print(sockets.run(Path(home) / "sockets", people=size["people"]), flush=True)
        if arguments.figure in ("flood", "loop", "pages", "sockets"):
            return
        sandbox = Sandbox("cluster-ui-bench", home=Path(home) / "sandbox")
        try:
            print("Starting a sandbox…", flush=True)
            sandbox.up(samples=False)
            if arguments.figure in (None, "live"):
                print(live.run(sandbox, Path(home), events=size["events"]), flush=True)
            if arguments.figure in (None, "editor"):
                print(editor.run(sandbox, Path(home), rounds=size["rounds"]), flush=True)
            if arguments.figure in (None, "decode"):
                print(f"Making {size['pods']} pods…", flush=True)
                sandbox.scale(pods=size["pods"])
                print(decode.run(sandbox, pods=size["pods"], rounds=size["rounds"]), flush=True)
        finally:
            sandbox.destroy()


if __name__ == "__main__":
    main()
