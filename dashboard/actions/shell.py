"""A shell in a container: who may start one, what the audit keeps of it, and how its end is told (docs/adr/0052).

The audit has who, where, when, for how long and how it ended. What is typed and printed is nowhere.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from django.conf import settings
from django.db import DatabaseError

from dashboard.database import database_unavailable, in_database
from dashboard.errors import ClusterError, Forbidden, NotFound, Unavailable
from dashboard.insight.debugging import debug_progress
from dashboard.kinds import KINDS
from dashboard.kinds.duration import human_duration
from dashboard.kinds.pods import Pod
from dashboard.kube.exec import Exec, execute
from dashboard.kube.failures import Unreachable
from dashboard.kube.transport import Transport
from dashboard.live.session import Session, Sight
from dashboard.live.terminal import Ending
from dashboard.models import AuditEntry

from .attempts import REFUSALS
from .confirmation import MAX_REASON, read_reason, require_reason, why_in
from .problems import NotStarted, Unconfirmed

PODS = KINDS["pods"].gvr
STARTING_SECONDS = 120.0  # a debug container that was just added is waited for
LOOK_SECONDS = 1.0
# A websocket is a GET, which the API server authorized as such alone before Kubernetes 1.35.
VERBS = ("create", "get")
# The best shell that the image has, with a terminal that knows colours. Images seldom set a locale, and without one bash
# takes what is beyond ASCII for commands to its line editor.
COMMAND = (
    "/bin/sh",
    "-c",
    "export TERM=xterm-256color LANG=${LANG:-C.UTF-8}; exec $(command -v bash || command -v ash || echo /bin/sh)",
)
NO_PROGRAM = (126, 127)  # as runtimes say it that report no error of their own
KILLED = 137
WHEN_IT_RUNS = "Start again once it runs. Its logs say how the last run ended."
MAX_MESSAGE = 500  # characters of what a container runtime says
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_NO_SHELL = re.compile(r"no such file or directory|executable file not found", re.IGNORECASE)
_NO_EXEC = re.compile(r"no exec found", re.IGNORECASE)  # as kwok says it
_WRAPPED = re.compile(r"^(?:Internal error occurred: )+", re.IGNORECASE)  # by whoever passed it on
_NOT_RUNNING = re.compile(
    r"container not found|not running|container_exited|is not created or running|stopped (?:state|container)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a shell runs; ``container`` "" is the one that the API server chooses."""

    namespace: str
    pod: str
    container: str

    def __str__(self) -> str:
        return f"container {self.container}" if self.container else "the default container"


async def require_shell(session: Sight, namespace: str, pod: str) -> None:
    """Raises Forbidden when a shell may not be started in a pod, and what else it was when that can't be found out."""
    for verb in VERBS:
        await session.require(verb, PODS, namespace=namespace, name=pod, subresource="exec")


async def may_go_on(session: Sight, namespace: str, pod: str) -> bool:
    """Whether an open one may stay; see ``Sight.may`` for while the API server can't be asked."""
    for verb in VERBS:
        if not await session.may(verb, PODS, namespace=namespace, name=pod, subresource="exec"):
            return False
    return True


class Running:
    """A shell that has begun. Whoever runs it says how it ended with ``told``, which the audit keeps."""

    def __init__(self, program: Exec) -> None:
        self.program = program
        self.told = "the page was closed"


@asynccontextmanager
async def shell_start(
    *,
    session: Session,
    place: Place,
    confirm: str,
    reason: str,
    waiting: Callable[[str], Awaitable[None]],
) -> AsyncIterator[Running]:
    """A shell, in the audit from its start to its end; what is refused is there too. It can be given no input before its
    start is recorded. ``waiting`` is told what a debug container still waits for.

    Raises BadReason, Forbidden, Unconfirmed where the pod's name has to be typed and was not, NotStarted for a debug
    container that does not run in time, what ``waiting``, the gate and the API server raise, and DatabaseUnavailable when
    the audit can't be written: then the shell has ended again.
    """

    transport = session.transport

    @in_database
    def audit(result: AuditEntry.Result, detail: str) -> None:
        AuditEntry.objects.create(
            user_name=session.identity.user,
            context=transport.cluster.name,
            action="shell",
            plural="pods",
            namespace=place.namespace,
            name=place.pod,
            detail=detail,
            result=result,
            reason=" ".join(reason.split())[:MAX_REASON],
        )

    async with AsyncExitStack() as stack:
        try:
            said = read_reason(reason)
            if (why := why_in(transport.cluster.name)) and confirm.strip() != place.pod:
                raise Unconfirmed(
                    f"Type the pod's name, {place.pod}: {why}.",
                    next_step="The name is at the top of the page.",
                    field="confirm",
                )
            require_reason(transport.cluster.name, said)
            await require_shell(session, place.namespace, place.pod)
            await debug_started(transport, place, waiting)
            try:
                program = await stack.enter_async_context(
                    execute(transport, place.namespace, place.pod, place.container, COMMAND)
                )
            except Unavailable as error:
                raise why_not_begun(error, place) from error
        except ClusterError as error:
            result = AuditEntry.Result.REFUSED if isinstance(error, REFUSALS) else AuditEntry.Result.FAILED
            await audit(result, error.message)
            raise
        try:
            await audit(AuditEntry.Result.DONE, f"Started in {place}.")
        except DatabaseError as error:
            raise database_unavailable(
                error, done="The shell was ended at once: it can't be recorded."
            ) from error
        running, began = Running(program), time.monotonic()
        try:
            yield running
        finally:
            took = human_duration(time.monotonic() - began)
            await audit(AuditEntry.Result.DONE, f"Ended in {place} after {took}: {running.told}.")


def why_not_begun(error: Unavailable, place: Place) -> ClusterError:
    """Why no program was begun: the API server, which has just answered, waits for the pod's kubelet and passes on what
    that says.
    """
    if isinstance(error, Unreachable):
        return error
    if _NOT_RUNNING.search(error.message):
        return NotStarted(f"{str(place).capitalize()} is not running.", next_step=WHEN_IT_RUNS)
    if isinstance(error.__cause__, TimeoutError) or "error dialing backend" in error.message:
        return Unavailable(
            "The kubelet of the pod's node does not answer.",
            next_step="Look at the node: at its machine, its network and its kubelet.",
        )
    return error


async def debug_started(
    transport: Transport, place: Place, waiting: Callable[[str], Awaitable[None]]
) -> None:
    """Waits until a debug container runs. Any other container is not waited for, nor one of a pod that the account may
    not read: the API server says what is wrong with those.

    Raises NotStarted, NotFound when the pod is gone, and what ``waiting`` raises.
    """
    until = time.monotonic() + STARTING_SECONDS
    while (pod := await _pod(transport, place)) is not None:
        if place.container not in [each.name for each in pod.spec.ephemeral_containers or ()]:
            return
        seen = debug_progress(pod, place.container)
        if seen.runs:
            return
        words = f"{seen.headline}. {seen.text}"
        if seen.over or time.monotonic() >= until:
            late = (
                "" if seen.over else f"It did not start within {STARTING_SECONDS:.0f} s; its events say why."
            )
            raise NotStarted(words, next_step=late)
        await waiting(words)
        await asyncio.sleep(LOOK_SECONDS)


async def _pod(transport: Transport, place: Place) -> Pod | None:
    """None where the account may not read it."""
    try:
        response = await transport.request("GET", PODS, namespace=place.namespace, name=place.pod)
    except NotFound as error:
        raise NotFound(
            f"There is no pod {place.pod} in namespace {place.namespace}.",
            next_step="It may have been deleted meanwhile: look for the pod that replaced it.",
        ) from error
    except Forbidden:
        return None
    found: Pod = KINDS["pods"].decode_object(response.body)
    return found


async def pod_gone(transport: Transport, place: Place) -> bool:
    """Whether the pod is there no more, as far as the account may see that."""
    try:
        await transport.request("GET", PODS, namespace=place.namespace, name=place.pod, accept=METADATA)
    except NotFound:
        return True
    except ClusterError:
        return False
    return False


def _debugging() -> str:
    if settings.CLUSTER_UI_DEBUG_IMAGES:
        return "add a debug container"
    return "have an image for debug containers set: this installation names none (CLUSTER_UI_DEBUG_IMAGES)"


@dataclass(frozen=True, slots=True)
class Told:
    """How a shell ended: the end of a sentence that begins with "ended", and what to do, or ""."""

    text: str
    next_step: str = ""


def told(ending: Ending, place: Place, *, touched: bool, gone: bool) -> Told:
    """The end in words. ``touched``: something had been typed; ``gone``: the pod is there no more."""
    code, message = ending.exit.code, ending.exit.message
    if ending.why:
        return Told(ending.why)
    if code == 0:
        return Told("exit code 0")
    if gone:
        return Told("the pod was deleted", "Look for the pod that replaced it.")
    if (code in NO_PROGRAM and not touched) or (code is None and _NO_SHELL.search(message)):
        return Told(
            f"the image of {place} has no shell",
            f"It has no /bin/sh. Choose another container of this pod, or {_debugging()}.",
        )
    if code == KILLED:
        return Told(
            "exit code 137",
            "It was killed with SIGKILL, as happens when the container is stopped or memory runs out.",
        )
    if code is not None:
        return Told(f"exit code {code}")
    if _NOT_RUNNING.search(message):
        return Told(f"{place} is not running", WHEN_IT_RUNS)
    if _NO_EXEC.search(message):
        return Told(
            "the node of this pod runs no programs in containers",
            "A simulated node has no real ones. The sandbox runs them only when it was started with --allow-exec.",
        )
    if message:
        message = _WRAPPED.sub("", message)
        return Told(f"it could not be started: {message[:MAX_MESSAGE].rstrip('.')}")
    return Told("the connection to the container was lost", "Start again, if the container still runs.")
