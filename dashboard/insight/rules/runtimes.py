"""The words of container runtimes and of remote calls, without what stands before the cause."""

from __future__ import annotations

import re

from dashboard.kinds.rows import shorten

_BEFORE = re.compile(
    r".*(?: desc = |failed to create containerd container: |unable to start container process: |"
    r"error during container init: |failed to generate spec: )",
    re.DOTALL,
)
_MOUNT = re.compile(r'error mounting "[^"]*" to rootfs at "([^"]+)"')
_FILE_OR_FOLDER = "Correct mountPath and subPath in its pod template: one is a file, the other a directory."
# What clouds answer to a driver whose account may not do what it asks for.
NOT_ALLOWED = re.compile(
    r"UnauthorizedOperation|AuthorizationFailed|AccessDenied|not authorized|PERMISSION_DENIED"
)
_MEND = {
    "not a directory": _FILE_OR_FOLDER,
    "is a directory": _FILE_OR_FOLDER,
    "read-only file system": "Mount it where the file system can be written, or create that directory in the image.",
}


def cause(message: str) -> str:
    """Why something failed, in one line."""
    before = _BEFORE.match(message)
    said = message[before.end() :] if before is not None else message
    return shorten(said.partition(": unknown: ")[0].removesuffix(": unknown")).rstrip(".")


def mount_refused(message: str) -> tuple[str, str, str] | None:
    """Where a volume could not be mounted into a container, why, and what to do; None when that is not what failed."""
    found = _MOUNT.search(message)
    why = next((why for why in _MEND if why in message), "")
    return (found[1], why, _MEND[why]) if found and why else None
