"""Processes beside the benchmark's own, each with a pipe to it."""

from __future__ import annotations

import multiprocessing
from typing import Any


class Worker:
    """A process with a pipe."""

    def __init__(self, work: Any, *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=work, args=(theirs, *arguments), daemon=True)
        self._process.start()

    def ask(self) -> Any:
        self.pipe.send("")
        return self.pipe.recv()

    def end(self) -> None:
        self.pipe.send(None)
        self._process.join(10)
