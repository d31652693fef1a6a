"""Records the fixtures: objects as an API server keeps them, and the Table rows it makes of them.

    .venv/bin/python -m tests.unit.kinds.capture KUBECONFIG [PLURAL …]

KUBECONFIG must be that of a sandbox: the objects of ``shapes.py`` are created in a namespace of their own and removed
again. Statuses are written as a dry run, so that no controller changes them before they are read. A fixture is
``{"columns": …, "cases": {name: {"at": moment of the reading, "object": …, "cells": […]}}}``; a Secret's object is the
Table itself, as no other form of a Secret is ever read.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dashboard.kinds import KINDS, Kind

from .server import TABLE, Object, Refused, Server
from .shapes import SHAPES

FIXTURES = Path(__file__).parent / "fixtures"
NAMESPACE = "kinds-capture"


def place(
    server: Server, kind: Kind[Any], manifest: Object, namespace: str, *, dry_run: bool = False
) -> Object:
    """Creates the object, deletes it if a finalizer will hold it, writes its status; the Table of the result."""
    manifest = json.loads(json.dumps(manifest).replace("$NAMESPACE", namespace))
    status = manifest.pop("status", None)
    server.request("POST", kind.gvr.path(namespace), manifest)
    path = kind.gvr.path(namespace, manifest["metadata"]["name"])
    if manifest["metadata"].get("finalizers"):
        server.delete(path)
    include = kind.query.get("includeObject", "Object")
    if status is None:
        return server.table(path, objects=include)
    return server.write_status(path, status, dry_run=dry_run)


def remove(server: Server, kind: Kind[Any], name: str, namespace: str) -> None:
    """Removes the object, also from the hold of a finalizer."""
    path = kind.gvr.path(namespace, name)
    merge = "application/merge-patch+json"
    try:
        server.request("PATCH", path, {"metadata": {"finalizers": None}}, content_type=merge)
        server.delete(path)
    except Refused as error:
        if error.status != 404:
            raise


def wait_gone(server: Server, path: str) -> None:
    """Waits until the object is gone, so that the next run can make it again."""
    try:
        while True:
            server.request("GET", path)
            time.sleep(0.5)
    except Refused as error:
        if error.status != 404:
            raise


def capture(server: Server, plural: str) -> Object:
    """The fixture of one kind."""
    kind = KINDS[plural]
    cases: Object = {}
    for manifest in SHAPES[plural]():
        name = manifest["metadata"]["name"]
        try:
            table = place(server, kind, manifest, NAMESPACE, dry_run=True)
            at = datetime.now(UTC).isoformat(timespec="seconds")
        finally:
            remove(server, kind, name, NAMESPACE)
        (row,) = table["rows"]
        row["object"]["metadata"].pop("managedFields", None)
        obj = table if kind.accept == TABLE else row["object"]
        cases[name] = {"at": at, "object": obj, "cells": row["cells"]}
        columns = [[column["name"], column["priority"] > 0] for column in table["columnDefinitions"]]
    return {"columns": columns, "cases": cases}


def main(kubeconfig: str, *plurals: str) -> None:
    """Writes the fixtures of the named kinds, or of all."""
    namespaces = KINDS["namespaces"]
    with Server(Path(kubeconfig)) as server:
        place(server, namespaces, {"kind": "Namespace", "metadata": {"name": NAMESPACE}}, "")
        try:
            for plural in plurals or SHAPES:
                text = json.dumps(capture(server, plural), indent=1, sort_keys=True, ensure_ascii=False)
                (FIXTURES / f"{plural}.json").write_text(text + "\n")
        finally:
            remove(server, namespaces, NAMESPACE, "")
            wait_gone(server, namespaces.gvr.path(name=NAMESPACE))


if __name__ == "__main__":
    main(*sys.argv[1:])
