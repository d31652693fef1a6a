"""What failed probes met, as the kubelet's Events say it (pkg/probe, pkg/kubelet/prober), and what mends that."""

from __future__ import annotations

import re
from typing import NamedTuple

from dashboard.kinds.events import Event
from dashboard.kinds.podspec import Container, Probe
from dashboard.kinds.rows import listed

from .runtimes import cause

_STATUS = re.compile(r"statuscode: (\d{3})")
_TIMEOUT = re.compile(
    r"context deadline exceeded|i/o timeout|Client\.Timeout|timeout: failed to connect"
    r'|command (?:timed out: )?"[^"]*" timed out'
)
# Of a command that ends in time, what it prints may hold such words.
_SLOW_COMMAND = re.compile(r'probe failed: command (?:timed out: )?"[^"]*" timed out|code = DeadlineExceeded')
_NO_NAME = re.compile(r'strconv\.Atoi: parsing "([^"]+)"')
_NO_COMMAND = re.compile(r'exec: \\?"([^"\\]+)\\?": (?:executable file not found|stat |no such file)')
_SAYS = re.compile(r"^\w+ probe (?:failed|errored and resulted in unknown state|errored): ", re.DOTALL)
# What net/http and gRPC meet; first of all a probe that asks by HTTP the alert of a TLS server, or the other way about.
_MET = (
    (r'malformed HTTP response "\x15\x03', "it speaks HTTPS, not HTTP", "Set scheme: HTTPS in the probe."),
    ("HTTP response to HTTPS client", "it speaks HTTP, not HTTPS", "Set scheme: HTTP in the probe."),
    *(
        (
            sign,
            "it asks for a client certificate",
            "Let it serve the probe without one, or use an exec probe.",
        )
        for sign in ("tls: bad certificate", "tls: certificate required")
    ),
    ("NOT_SERVING", "it answers NOT_SERVING", ""),
    (
        "does not implement the grpc health protocol",
        "it does not implement the gRPC health protocol",
        "Serve grpc.health.v1.Health in the container, or use a probe of another kind.",
    ),
    (": EOF", "it closes the connection without an answer", ""),
    ("connection reset by peer", "it closes the connection without an answer", ""),
    (
        "no route to host",
        "its node cannot reach the pod's address",
        "Look at the network plug-in's pod on its node.",
    ),
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
    if probe.exec is not None and not _SLOW_COMMAND.search(said):
        printed = cause(_SAYS.sub("", said, count=1))
        return Answer(f"its command says: {printed}" if printed else "its command fails and prints nothing")
    if "connection refused" in said:
        return _refused(probe, container)
    for sign, why, mend in _MET:
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
        if found[1] in ("401", "403"):
            mend = (
                "Let it serve the probe's path without signing in, or send what it asks for in httpHeaders."
            )
            return Answer(f"it answers HTTP {found[1]}", mend)
        return Answer(f"it answers HTTP {found[1]}")
    if _TIMEOUT.search(said):
        return Answer(f"no answer within {probe.timeout_seconds} s")
    return Answer()


def _refused(probe: Probe, container: Container | None) -> Answer:
    action = probe.http_get or probe.tcp_socket or probe.grpc
    if action is None:
        return Answer()
    ports = (container.ports or ()) if container is not None else ()
    number = next((one.container_port for one in ports if one.name == action.port), action.port)
    why, declared = f"nothing listens on port {number}", sorted({one.container_port for one in ports})
    if not declared or number in declared:
        return Answer(why)
    return Answer(why, f"Correct the probe's port: the container declares {listed(map(str, declared))}.")
