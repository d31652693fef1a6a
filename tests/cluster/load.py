"""Somebody who writes an object all the time, from several connections, in a process of its own."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from typing import Any

from sandbox.api import MERGE, Api

CONNECTIONS = 4
RATE = 95  # writes a second together, or as many as the machine can


class Load:
    """``written``: how many writes have come through so far."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    @property
    def written(self) -> int:
        self._pipe.send("")
        return int(self._pipe.recv())


@contextmanager
def under_load(api: Api, path: str, patch: dict[str, Any]) -> Iterator[Load]:
    """While ``patch`` is written 95 times a second: each ``%`` in it is the number of the write. It ends with the block,
    or with this process.
    """
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe()
    process = context.Process(target=_write, args=(theirs, api, path, json.dumps(patch)), daemon=True)
    process.start()
    theirs.close()
    try:
        load = Load(pipe)
        while load.written < CONNECTIONS:
            time.sleep(0.02)
        yield load
    finally:
        pipe.close()
        process.join(30)


def _write(pipe: Connection, api: Api, path: str, patch: str) -> None:
    written, stop = [0] * CONNECTIONS, threading.Event()
    writers = [
        threading.Thread(target=_writer, args=(api, path, patch, written, number, stop))
        for number in range(CONNECTIONS)
    ]
    for each in writers:
        each.start()
    try:
        while True:
            pipe.recv()
            pipe.send(sum(written))
    except (EOFError, ConnectionError):
        stop.set()


def _writer(api: Api, path: str, patch: str, written: list[int], number: int, stop: threading.Event) -> None:
    due = time.monotonic() + number / RATE
    with closing(api.connection(30.0)) as connection:
        while not stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + CONNECTIONS / RATE, time.monotonic() - 1)
            body = patch.replace("%", f"{number}-{written[number]}")
            connection.request("PATCH", f"{path}?fieldManager=load", body, {"Content-Type": MERGE})
            answer = connection.getresponse()
            answer.read()
            if answer.status == http.client.CONFLICT:
                continue  # the API server gives up after five tries of its own
            if answer.status != http.client.OK:
                raise RuntimeError(f"{answer.status} from {path}")
            written[number] += 1
