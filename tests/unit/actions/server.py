"""An API server of a few lines for any object: merge patches, dry runs, subresources, deletions."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from dashboard.errors import Conflict, NotFound
from dashboard.kube.transport import Response

from .jsonpatch import patched

Key = tuple[str, str, str]  # plural, namespace ("" for none), name


class Server:
    """``gets`` are the objects that were read, in order; ``writes`` the real requests to write: method and key;
    ``created`` what was really created; ``lists`` what a list of a kind gives.
    """

    def __init__(self, plural: str, manifest: dict[str, Any]) -> None:
        self.cluster = SimpleNamespace(name="dev", slug="dev", server="https://dev", is_sandbox=True)
        meta = manifest["metadata"]
        self.objects: dict[Key, dict[str, Any]] = {
            (plural, meta.get("namespace", ""), meta["name"]): copy.deepcopy(manifest)
        }
        self.may = True
        self.gets: list[Key] = []
        self.writes: list[tuple[str, Key]] = []
        self.created: list[Key] = []
        self.lists: dict[str, list[dict[str, Any]]] = {}

    async def request(
        self,
        method: str,
        target: Any,
        *,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        accept: str = "",
        **_: Any,
    ) -> Response:
        if isinstance(target, str):
            return _answer({"status": {"allowed": self.may}})
        sent = json.loads(body) if body else {}
        name = name or sent.get("metadata", {}).get("name")
        if method == "GET" and name is None:
            return _answer({"metadata": {}, "items": self.lists.get(target.plural, [])})
        key = (target.plural, namespace or "", str(name))
        if method == "POST" and subresource is None:
            return self._create(key, sent, query or {})
        found = self.objects.get(key)
        if found is None:
            raise NotFound(f"{target.plural} {name!r} not found")
        if method == "GET":
            self.gets.append(key)
            return _answer(found)
        if isinstance(sent, list):
            operations, sent = sent, {"metadata": {}}
            whole = patched(found, operations)
        else:
            operations, whole = None, copy.deepcopy(sent)
        options = sent if method == "DELETE" else sent.get("deleteOptions")
        stated = options["preconditions"] if options else sent["metadata"]
        given = {each: stated[each] for each in ("uid", "resourceVersion") if each in stated}
        if {each: found["metadata"][each] for each in given} != given:
            raise Conflict("the object has been modified")
        dry = (query or {}).get("dryRun") == "All" or (options or {}).get("dryRun") == ["All"]
        made = copy.deepcopy(found)
        if method == "PUT" or operations is not None:
            made = whole
        elif options is None:
            _merge(made, sent)
        if not dry:
            self.writes.append((method, key))
            if options is None:
                meta = made["metadata"]
                meta["resourceVersion"] = str(int(meta["resourceVersion"]) + 1)
                meta["generation"] = meta.get("generation", 1) + 1
                self.objects[key] = made
            else:
                del self.objects[key]
        if subresource == "scale":
            return _answer(
                {
                    "kind": "Scale",
                    "metadata": made["metadata"],
                    "spec": {"replicas": made["spec"]["replicas"]},
                }
            )
        return _answer({"metadata": made["metadata"]} if "PartialObject" in accept else made)

    def _create(self, key: Key, sent: dict[str, Any], query: Mapping[str, str]) -> Response:
        if key in self.objects:
            raise Conflict(f"{key[2]} already exists")
        sent["metadata"] |= {"uid": f"u-{key[2]}", "resourceVersion": "1"}
        if query.get("dryRun") != "All":
            self.objects[key] = sent
            self.created.append(key)
        return _answer(sent)


def _merge(value: dict[str, Any], patch: dict[str, Any]) -> None:
    """RFC 7386."""
    for key, given in patch.items():
        if given is None:
            value.pop(key, None)
        elif isinstance(given, dict):
            if not isinstance(value.get(key), dict):
                value[key] = {}
            _merge(value[key], given)
        else:
            value[key] = given


def _answer(body: dict[str, Any]) -> Response:
    return Response(200, json.dumps(body).encode(), {})
