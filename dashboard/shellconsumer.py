"""The websocket of a shell in a container (docs/adr/0052).

Binary messages are the terminal's bytes, in both directions. Text messages are about it: the browser sends ``start``
(once: container, columns, rows, and what confirms it), ``size``, ``drawn`` (how many bytes it has drawn) and ``end``; the
server says ``waiting`` (for what, until a debug container runs), ``started``, ``full`` (the last input was not taken)
and, as its last words, ``refused`` or ``ended``.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import msgspec

from dashboard.actions.permits import changes_required
from dashboard.actions.problems import NotStarted
from dashboard.actions.shell import Place, may_go_on, pod_gone, shell_start, told
from dashboard.consumers import GONE, LATER, NO_ACCOUNT, RESTARTED, SIGNED_OUT, SessionConsumer
from dashboard.database import AWAY
from dashboard.errors import ClusterError, ReadOnly, TooManyRequests
from dashboard.kinds.legible import legible
from dashboard.live.session import Identity
from dashboard.live.terminal import Terminal
from dashboard.rates import SHELLS

RIGHTS_SECONDS = 10.0  # an answer of a review may be as old: within 30 s together, with the time to ask
INPUT_BYTES = 65_536  # of one message
TEXT_LETTERS = 4096
ENDED_SECONDS = 10.0  # for the end to get into the audit
BY_USER = "the user ended it"
# Why the dashboard closes a socket, by the code with which it does.
CLOSED = {
    SIGNED_OUT: "signed out",
    GONE: "the context was removed from the configuration",
    RESTARTED: "the context's configuration changed",
    LATER: "the dashboard could not check the session",
    NO_ACCOUNT: "the sign-in to the cluster ended",
}


class ShellConsumer(SessionConsumer):
    """One shell, from its start to its end."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.terminal: Terminal | None = None
        self.shell: asyncio.Task[None] | None = None
        self.why = ""  # it is to end
        self.waits = ""  # what was last said of that
        await super().__call__(scope, receive, send)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if bytes_data is not None:
            if self.terminal is not None and (
                len(bytes_data) > INPUT_BYTES or not self.terminal.type(bytes_data)
            ):
                await self.tell("full")
            return
        if text_data is None or len(text_data) > TEXT_LETTERS or self.rates is None:
            return
        try:
            message = msgspec.json.decode(text_data)
        except (ValueError, RecursionError):
            return
        match message:
            case {"t": "start", "columns": int(columns), "rows": int(rows), **rest} if self.shell is None:
                container, confirm, reason = (
                    str(rest.get(key) or "") for key in ("container", "confirm", "reason")
                )
                where = self.scope["url_route"]["kwargs"]
                place = Place(namespace=where["namespace"], pod=where["name"], container=container)
                self.shell = self.spawn(self.run(place, (columns, rows), confirm, reason), name="shell")
            case {"t": "size", "columns": int(columns), "rows": int(rows)} if self.terminal is not None:
                self.terminal.resize(columns, rows)
            case {"t": "drawn", "bytes": int(size)} if self.terminal is not None and size > 0:
                self.terminal.drawn(size)
            case {"t": "end"}:
                self.stop(BY_USER)

    async def run(self, place: Place, size: tuple[int, int], confirm: str, reason: str) -> None:
        assert self.rates is not None  # noqa: S101 # nothing is received before it is there
        try:
            with self.rates.shell() as room:
                if not room:
                    await self.refused(f"{SHELLS} shells are open in this session.", "shell")
                    raise TooManyRequests(
                        f"{SHELLS} shells are open in this session.", next_step="End one of them first."
                    )
                async with shell_start(
                    session=self.session,
                    place=place,
                    confirm=confirm,
                    reason=reason,
                    waiting=self.waiting,
                ) as running:
                    self.terminal = Terminal(running.program, self.show)
                    self.terminal.resize(*size)
                    if self.why:
                        self.terminal.end(self.why)
                    await self.tell("started")
                    self.spawn(self.keep_allowed(self.terminal, place), name="rights of a shell")
                    ending = await self.terminal.run()
                    gone = not ending.why and ending.exit.code != 0
                    end = told(
                        ending,
                        place,
                        touched=self.terminal.touched,
                        gone=gone and await pod_gone(self.session.transport, place),
                    )
                    running.told = end.text
        except ClusterError as error:
            await self.tell(
                "refused",
                title=error.title,
                text=error.message,
                next=error.next_step,
                field=getattr(error, "field", ""),
            )
        else:
            await self.tell("ended", text=end.text, next=end.next_step)
        await self.close()

    async def waiting(self, words: str) -> None:
        """Raises NotStarted when it is to end before it has begun."""
        if self.why:
            raise NotStarted(f"It was not started: {self.why}.")
        if words != self.waits:
            self.waits = words
            await self.tell("waiting", text=words)

    async def keep_allowed(self, terminal: Terminal, place: Place) -> None:
        """Ends it when the right to it is gone, or nobody has sat before it for long."""
        while True:
            await asyncio.sleep(RIGHTS_SECONDS)
            with suppress(*AWAY):  # whether the session stands can't be asked either: see keep_checking
                try:
                    await changes_required(self.cluster.cluster)
                except ReadOnly:
                    terminal.end("changes to this cluster are no longer allowed")
            if not await may_go_on(self.session, place.namespace, place.pod):
                terminal.end("permission to create pods/exec was revoked")
            elif terminal.idle:
                terminal.end("no input for an hour")

    async def acts_otherwise(self, identity: Identity) -> None:
        """A token that was renewed opens no shell anew; another account has no part in this one."""
        if identity.known_as != self.session.identity.known_as:
            self.stop("the account in the cluster changed")
        await super().acts_otherwise(identity)

    async def show(self, data: bytes) -> None:
        await self.send(bytes_data=data)

    async def tell(self, what: str, **facts: str) -> None:
        """What an API server or a container runtime says is among it."""
        await self.say(json.dumps({"t": what, **{key: legible(text) for key, text in facts.items()}}))

    def stop(self, why: str) -> None:
        self.why = self.why or why
        if self.terminal is not None:
            self.terminal.end(self.why)

    async def close(self, code: int | None = None, reason: str | None = None) -> None:
        if code is not None:
            self.stop(CLOSED.get(code, "the dashboard closed the connection"))
        await super().close(code, reason)

    async def ended(self) -> None:
        self.stop("the page was closed")
        if self.shell is not None:
            await asyncio.wait({self.shell}, timeout=ENDED_SECONDS)
