"""Compares what the dashboard makes of a cluster's objects with the API server's own Table, cell by cell, and its
relations with a brute-force search over the raw JSON. For applications that nobody here wrote: apply their manifests to
a sandbox and run this over it. It only reads.

    python -m tools.compare <kubeconfig of a sandbox>
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dashboard.insight.relations import Relations, uses
from dashboard.insight.usedby import SOURCES, Users, used_by
from dashboard.kinds import KINDS
from tests.brute import Raw, edges, identity
from tests.unit.insight.world import World
from tests.unit.kinds.server import Server, compare_table


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kubeconfig", type=Path)
    with Server(parser.parse_args().kubeconfig) as server:
        wrong = [*_cells(server), *_relations(server)]
    for line in wrong:
        print(line)
    print(f"{len(wrong)} differences.")
    return 1 if wrong else 0


def _cells(server: Server) -> Iterator[str]:
    rows = 0
    for kind in KINDS.values():
        table = server.table(kind.gvr.path(), objects=kind.query.get("includeObject", "Object"))
        rows += len(table["rows"] or ())
        yield from compare_table(kind, table)
    print(f"{rows} rows of {len(KINDS)} kinds compared with the API server's.")


def _relations(server: Server) -> Iterator[str]:
    raws = _listed(server)
    yield from relation_differences(raws)
    print(f"{len(edges(raws))} relations of {len(raws)} objects compared with a brute-force search.")


def relation_differences(raws: list[Raw]) -> Iterator[str]:
    """Where our relations of these objects are not those of the brute-force search."""
    world, expected = world_of(raws), edges(raws)
    users = Users.among(world)
    plurals = {kind.kind: plural for plural, kind in KINDS.items()}
    for raw in raws:
        me, plural = identity(raw), plurals[raw["kind"]]
        obj = world.get(plural, me[1], me[2])
        known = {
            ref: ways
            for ref, ways in uses(world, plural, obj).items()
            if ref.plural or ref.kind not in plurals
        }
        ours, theirs = told(known), {(target, how) for source, target, how in expected if source == me}
        if ours != theirs:
            yield f"{me} uses: {ours ^ theirs}"
        ours = told(used_by(world, users, plural, obj))
        theirs = {(source, how) for source, target, how in expected if target == me}
        if ours != theirs:
            yield f"{me} is used by: {ours ^ theirs}"


def _listed(server: Server) -> list[Raw]:
    found: list[Raw] = []
    for plural in SOURCES:
        kind = KINDS[plural]
        answer = json.loads(server.request("GET", kind.gvr.path()))
        found += [{**item, "kind": kind.kind} for item in answer["items"]]
    return found


def world_of(raws: list[Raw]) -> World:
    """The objects decoded by their kinds; Secrets from a Table, without values."""
    world = World()
    plurals = {kind.kind: plural for plural, kind in KINDS.items()}
    for raw in raws:
        plural = plurals[raw["kind"]]
        row: Any = {"cells": [raw["metadata"]["name"], "Opaque", 0], "object": {"metadata": raw["metadata"]}}
        world.put(plural, {"metadata": {}, "rows": [row]} if plural == "secrets" else raw)
    return world


def told(relations: Relations) -> set[tuple[tuple[str, str, str], str]]:
    """Relations as pairs of an object's identity and a way."""
    return {((ref.kind, ref.namespace, ref.name), how) for ref, ways in relations.items() for how in ways}


if __name__ == "__main__":
    sys.exit(main())
