"""One request that writes an object, on the condition that it is as it was read: as a whole, or in what is changed."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from dashboard.kube.answers import read_answer
from dashboard.kube.transport import Response, Transport

from .action import MERGE_PATCH, Manifest, Target, Write, is_absent, pointer
from .fieldpatch import JSON_PATCH, MAX_OPERATIONS, Operation, field_operations, merged

MANAGER = "cluster-ui"


class Answer(NamedTuple):
    """The object, and all that came with it: what the API server warns of may quote what nobody may see."""

    body: Manifest
    response: Response


def write_operations(write: Write, manifest: Manifest) -> list[Operation] | None:
    """The same write to the object as in ``manifest``, as a patch of the fields alone; None where there is none."""
    if is_absent(manifest):
        return None
    if write.method == "PUT":
        # What is left out of them stays as it is.
        kept = manifest["metadata"].get("managedFields")
        made = write.body | {"metadata": write.body["metadata"] | ({"managedFields": kept} if kept else {})}
    elif write.content_type == MERGE_PATCH:
        manifest = _scale(manifest) if write.subresource == "scale" else manifest
        made = merged(manifest, write.body)
    else:
        return None
    operations = field_operations(manifest, made)
    return operations if len(operations) <= MAX_OPERATIONS else None


async def change_write(
    *,
    transport: Transport,
    target: Target,
    write: Write,
    manifest: Manifest,
    dry: bool = False,
    by_fields: bool = False,
) -> Answer:
    """The answer to one request. Raises Conflict when the object is not as in ``manifest`` any more; ``by_fields``, where
    the write can be said so: Invalid with ``TEST_FAILED`` when the fields that it changes are not.
    """
    owned = write.method in ("PATCH", "PUT") or write.creates
    query = {"fieldManager": MANAGER, **write.query} if owned else {}
    if dry and write.method != "DELETE":
        query["dryRun"] = "All"
    operations = write_operations(write, manifest) if by_fields else None
    response = await transport.request(
        write.method if operations is None else "PATCH",
        target.gvr,
        namespace=target.namespace or None,
        name=None if write.creates else target.name,
        subresource=write.subresource or None,
        query=query,
        body=msgspec.json.encode(_body(write, manifest, dry) if operations is None else operations),
        content_type=write.content_type if operations is None else JSON_PATCH,
        accept=write.accept,
    )
    return Answer(read_answer(response.body, dict[str, Any]), response)


def _scale(manifest: Manifest) -> Manifest:
    """What a Scale has of it; Go leaves a 0 out."""
    return {
        "metadata": manifest["metadata"],
        "spec": {"replicas": pointer(manifest, "/spec/replicas") or None},
    }


def _body(write: Write, manifest: Manifest, dry: bool) -> Manifest:
    # Bound to this object and to this version of it: nobody's write may be lost, nor shown as an effect of this one.
    # One that is created has no version: that it is still not there is what a POST checks.
    precondition = (
        {}
        if is_absent(manifest) or write.creates
        else {"uid": manifest["metadata"]["uid"], "resourceVersion": manifest["metadata"]["resourceVersion"]}
    )
    body = dict(write.body)
    if write.method == "DELETE":
        # The options in a DELETE's body are all that counts: beside it the query is not read.
        body |= {"preconditions": precondition, **({"dryRun": ["All"]} if dry else {})}
    elif write.method == "POST" and not write.creates:
        body["deleteOptions"] = {**body.get("deleteOptions", {}), "preconditions": precondition}
    else:
        body["metadata"] = {**body.get("metadata", {}), **precondition}
    return body
