"""How containers end, and what their exit codes mean."""

from __future__ import annotations

from dashboard.insight.finding import Evidence, stands
from dashboard.insight.words import Part, code
from dashboard.kinds.podstatus import ContainerStatus, Terminated
from dashboard.kinds.rows import plural

# By convention of shells (126 and up: POSIX 2.8.2) and of container runtimes.
SIGNALS = 64  # codes above are a program's own, such as those of Windows
_CODES = {
    0: "although it should keep running",
    1: "application error",
    2: "application error, often a wrong argument",
    126: "its command cannot be executed",
    127: "its command was not found in the image",
    128: "its command could not be started",
    130: "it was interrupted (SIGINT)",
    132: "illegal instruction (SIGILL)",
    134: "it aborted itself (SIGABRT)",
    135: "bus error (SIGBUS)",
    136: "arithmetic error (SIGFPE)",
    137: "it was killed (SIGKILL), by the kernel or because it did not stop within its grace period",
    139: "segmentation fault (SIGSEGV)",
    141: "broken pipe (SIGPIPE)",
    143: "it was terminated (SIGTERM)",
    159: "a system call that its seccomp profile does not allow (SIGSYS)",
    255: "unknown error, or the node stopped meanwhile",
}
_REASONS = {
    "OOMKilled": "it used more memory than its limit",
    "ContainerStatusUnknown": "its node lost track of it",
    "DeadlineExceeded": "the pod's deadline passed",
}


def meaning(ended: Terminated) -> str:
    """What an end usually means, in plain words."""
    if ended.reason in _REASONS:
        return _REASONS[ended.reason]
    known = _CODES.get(ended.exit_code)
    if known is None and (ended.signal or 128 < ended.exit_code <= 128 + SIGNALS):
        return f"terminated by signal {ended.signal or ended.exit_code - 128}"
    return known or "application error"


def exits(status: ContainerStatus, ended: Terminated) -> tuple[str | Part, ...]:
    """How a container ended, and what its exit code usually means."""
    if ended.reason in _REASONS:
        return "container ", code(status.name), f" ended, because {meaning(ended)}"
    return "container ", code(status.name), f" exits with code {ended.exit_code}, {meaning(ended)}"


def ended_as(status: ContainerStatus, ended: Terminated) -> tuple[Evidence, ...]:
    """How it ended last, how often it was started again and what it left behind, as evidence."""
    reason = f", {ended.reason}" if ended.reason else ""
    again = f"; started again {plural(status.restart_count, 'time')} so far" if status.restart_count else ""
    return (
        *stands(f"Container {status.name} ended", f"exit code {ended.exit_code}{reason}{again}"),
        *stands("Termination message", ended.message),
    )
