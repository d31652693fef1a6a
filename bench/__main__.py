"""Runs benchmarks, those that need one on a sandbox of their own, and prints medians and ranges beside a yardstick of
the same run."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from sandbox import Sandbox

from .document import DOCUMENT, provenance, written
from .figure import Figure, Place
from .figures import FIGURES


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"{', '.join(FIGURES)} (default: all)")
    parser.add_argument("--short", action="store_true", help="small and quick, as in continuous integration")
    parser.add_argument("--write", action="store_true", help=f"put them into docs/{DOCUMENT.name}")
    parser.add_argument(
        "--sandbox", type=Path, help="the folder of one that runs already, to be used instead"
    )
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.figures if name not in FIGURES]:
        parser.error(f"no such figure: {', '.join(unknown)}; there are {', '.join(FIGURES)}")
    if arguments.write and arguments.short:
        parser.error("the short form is for correctness: it is not written")
    # One that is terminated ends what it has started, as one that fails does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    chosen = [FIGURES[name] for name in arguments.figures or FIGURES]
    # In a fresh clone no page has its files yet: each would be answered with 500.
    subprocess.run([sys.executable, "manage.py", "collectstatic", "--noinput", "-v0"], check=True)
    with (
        tempfile.TemporaryDirectory(prefix="cluster-ui-bench-") as home,
        _sandbox(chosen, Path(home), arguments.sandbox) as sandbox,
    ):
        if len(chosen) == 1:
            _run(chosen[0], Place(Path(home), sandbox), arguments.short, arguments.write)
        elif failed := [figure.name for figure in chosen if not _run_apart(figure, arguments, sandbox)]:
            sys.exit(f"Failed: {', '.join(failed)}")


def _run(figure: Figure, place: Place, short: bool, write: bool) -> None:
    load = os.getloadavg()[0]
    report = figure.run(place, **(figure.short if short else figure.full))
    said = f"{report}\n\n{provenance(load)}"
    print(f"{said}\n", flush=True)
    if write:
        DOCUMENT.write_text(written(DOCUMENT.read_text(), figure.name, said))


def _run_apart(figure: Figure, arguments: argparse.Namespace, sandbox: Sandbox | None) -> bool:
    """In a process of its own: what another one has left in memory is in no figure, and one that fails ends no other."""
    words = [sys.executable, "-m", "bench", figure.name]
    words += ["--short"] if arguments.short else []
    words += ["--write"] if arguments.write else []
    words += ["--sandbox", str(sandbox.folder)] if sandbox is not None and figure.sandbox else []
    return subprocess.run(words, check=False).returncode == 0


@contextmanager
def _sandbox(figures: Iterable[Figure], home: Path, running: Path | None) -> Iterator[Sandbox | None]:
    """The one that these need, gone afterwards; or the one that runs already."""
    if not any(figure.sandbox for figure in figures):
        yield None
        return
    if running is not None:
        context = yaml.safe_load((running / "kubeconfig").read_text())["current-context"]
        yield Sandbox(running.name, running.parent, context=context)
        return
    sandbox = Sandbox("cluster-ui-bench", home=home / "sandbox")
    try:
        print("Starting a sandbox…", flush=True)
        sandbox.up(samples=False)
        yield sandbox
    finally:
        sandbox.destroy()


if __name__ == "__main__":
    main()
