"""What failed probes met, as the kubelet's Events say it (pkg/probe, pkg/kubelet/prober), and what mends that."""

from __future__ import annotations

import re
from typing import NamedTuple

from dashboard.kinds.events import Event
from dashboard.kinds.podspec import Container, Probe
from dashboard.kinds.rows import listed

_STATUS = re.compile(r"statuscode: (\d{3})")
_TIMEOUT = re.compile(
    r"context deadline exceeded|i/o timeout|Client\.Timeout|timeout: failed to connect"
    r'|command (?:timed out: )?"[^"]*" timed out'
)
_NO_NAME = re.compile(r'strconv\.Atoi: parsing "([^"]+)"')
_NO_COMMAND = re.compile(r'exec: \\?"([^"\\]+)\\?": (?:executable file not found|stat |no such file)')
# net/http: the probe asks by HTTP, and meets the alert of a TLS server; or the other way about.
_OTHER_SCHEME = (
    (r'malformed HTTP response "\x15\x03', "it speaks HTTPS, not HTTP", "Set scheme: HTTPS in the probe."),
    ("HTTP response to HTTPS client", "it speaks HTTP, not HTTPS", "Set scheme: HTTP in the probe."),
)


class Answer(NamedTuple):
    """Why the probe fails, and what to do when that is the probe's own fault; both "" where the Event does not tell."""

    why: str = ""
    mend: str = ""


def because(found: Answer) -> str:
    """The end of a sentence that says that a probe fails."""
    return f": {found.why}" if found.why else ""


def answer(event: Event | None, probe: Probe | None, container: Container | None) -> Answer:
    """What a probe met, by the Event that it failed."""
    if event is None or probe is None:
        return Answer()
    said = event.message
    if found := _NO_NAME.search(said):
        return Answer(f"no port of the container has the name {found[1]}", "Correct the probe's port.")
    if found := _NO_COMMAND.search(said):
        return Answer(f"its command {found[1]} is not in the image", "Correct the probe's command.")
    if "connection refused" in said:
        return _refused(probe, container)
    for sign, why, mend in _OTHER_SCHEME:
        if sign in said:
            return Answer(why, mend)
    if found := _STATUS.search(said):
        if found[1] == "400" and probe.http_get is not None and probe.http_get.scheme == "HTTP":
            return Answer(
                "it answers HTTP 400",
                "If it speaks HTTPS, set scheme: HTTPS in the probe; else read its log.",
            )
        if found[1] in ("404", "405"):
            mend = "Correct the probe's path, or see in its log what it serves."
            return Answer(f"it answers HTTP {found[1]}", mend)
        return Answer(f"it answers HTTP {found[1]}")
    if _TIMEOUT.search(said):
        return Answer(f"no answer within {probe.timeout_seconds} s")
    return Answer()


def _refused(probe: Probe, container: Container | None) -> Answer:
    action = probe.http_get or probe.tcp_socket or probe.grpc
    if action is None:
        return Answer()  # what a command printed
    ports = (container.ports or ()) if container is not None else ()
    number = next((one.container_port for one in ports if one.name == action.port), action.port)
    why, declared = f"nothing listens on port {number}", sorted({one.container_port for one in ports})
    if not declared or number in declared:
        return Answer(why)
    return Answer(why, f"Correct the probe's port: the container declares {listed(map(str, declared))}.")
