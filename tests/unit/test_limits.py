"""docs/limits.md has every bound: each constant that is one stands there with its module, and what it names exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "limits.md"
BOUND = re.compile(r"MAX_\w+|[A-Z]\w*_BYTES|([A-Z]\w*_)?AT_ONCE")
NAME = re.compile(r"`([A-Z][A-Z0-9_]{2,})`")
FILE = re.compile(r"`([\w./-]+\.(?:py|js|yaml|yml))`")
FOLDER = re.compile(r"`([\w./-]+/)`")

# What is called like a bound, and is none.
NO_BOUNDS = {
    "actions/autoscale.py": {"MAX_PERCENT": "what an API server would take"},
    "actions/newobjects/reading.py": {"MAX_PORT": "what a port is"},
    "allocator.py": {"APART_BYTES": "a value of glibc"},
    "audit/chain.py": {"MIN_KEY_BYTES": "the least, not the most"},
    "cache/reflector.py": {"LARGE_BYTES": "from here on in a thread"},
    "consumers.py": {"MAX_VIEW": "what a number is in a browser"},
    "kube/transport.py": {"LARGE_BYTES": "from here on in pieces"},
    "live/history.py": {"FORGOTTEN_AT_ONCE": "of a piece"},
    "metrics.py": {"BACKUP_BYTES": "a figure"},
    "recovery/create.py": {"MAX_PAUSE_SECONDS": "between two attempts"},
    "recovery/storage.py": {"BLOCK_BYTES": "of a piece; there may be any number"},
    "recovery/streams.py": {"PIECE_BYTES": "of a piece; there may be any number"},
    "views/attempts.py": {"AT_ONCE": "routes that ask nothing first"},
}


@dataclass(frozen=True)
class Row:
    what: str
    names: frozenset[str]
    files: tuple[str, ...]

    def is_of(self, module: str) -> bool:
        return any(module == file or module.endswith(f"/{file}") for file in self.files)


@cache
def rows() -> tuple[Row, ...]:
    found = []
    for line in PAGE.read_text().splitlines():
        if line.startswith("| ") and not line.startswith("| what |"):
            what, *_, where = line.strip("| ").split(" | ")
            folders = [
                path.relative_to(ROOT).as_posix()
                for folder in FOLDER.findall(where)
                for base in (ROOT, ROOT / "dashboard")
                for path in (base / folder).glob("*.py")
            ]
            files = (*FILE.findall(where), *folders)
            found.append(Row(what, frozenset(NAME.findall(where)), files))
    return tuple(found)


def constants(tree: ast.Module) -> Iterator[str]:
    """The names that a module gives a value at its top."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            for each in target.elts if isinstance(target, ast.Tuple) else [target]:
                if isinstance(each, ast.Name):
                    yield each.id


@cache
def modules() -> dict[str, frozenset[str]]:
    paths = (path for folder in ("dashboard", "cluster_ui") for path in (ROOT / folder).rglob("*.py"))
    return {
        path.relative_to(ROOT).as_posix(): frozenset(constants(ast.parse(path.read_text()))) for path in paths
    }


def test_every_bound_of_the_code_stands_on_the_page() -> None:
    missing = [
        f"{name}, {module}"
        for module, names in modules().items()
        for name in names
        if BOUND.fullmatch(name) and name not in NO_BOUNDS.get(module.removeprefix("dashboard/"), ())
        if not any(name in row.names and row.is_of(module) for row in rows())
    ]
    assert not missing, "\n".join(sorted(missing))


def test_what_the_page_names_exists() -> None:
    known = modules()
    code = [
        path
        for folder in ("dashboard", "cluster_ui", "static", "deploy")
        for path in (ROOT / folder).rglob("*.*")
    ]
    files = [path.relative_to(ROOT).as_posix() for path in (*code, *ROOT.glob("*.*"))]
    wrong = []
    for row in rows():
        wrong += [
            f"{row.what}: no {file}"
            for file in row.files
            if not any(each == file or each.endswith(f"/{file}") for each in files)
        ]
        own = [names for module, names in known.items() if row.is_of(module)]
        wrong += [
            f"{row.what}: no {name} there"
            for name in row.names
            if not name.startswith("CLUSTER_UI_") and not any(name in names for names in own)
        ]
    assert not wrong, "\n".join(wrong)


def test_a_reason_is_for_what_there_is() -> None:
    known = {module.removeprefix("dashboard/"): names for module, names in modules().items()}
    assert all(known[module] >= set(names) for module, names in NO_BOUNDS.items())
