"""Nobody reaches a cluster but through a session: read out of the program itself."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import dashboard
from dashboard.live.screen import ViewerScreen
from dashboard.live.screens.detail.piece import ViewerPiece

ROOT = Path(dashboard.__file__).parent
# What the dashboard does for itself, under the name of the installation.
OF_THE_INSTALLATION = {
    "live/hourly.py", "live/past.py", "live/recorder.py", "live/runtime.py", "live/session.py", "live/timeline.py",
    "live/versions.py", "live/figures.py",
}  # fmt: skip
# Who makes what leads to the whole cache, or to the API server.
MADE_IN = {
    # The second asks a context that is not known yet, for an administrator who brings its credentials along; the third is
    # for whoever has the installation's credentials on the command line.
    "Transport": {
        "live/runtime.py",
        "clusters/looking.py",
        "management/backup_restore.py",
        "management/commands/backup.py",
    },
    "ClusterCache": {"live/runtime.py"},
    "Reader": {"live/runtime.py", "live/history.py", "live/past.py", "live/usage.py"},
    "SeenReader": {"live/runtime.py", "live/past.py", "queries/seenreader.py"},
    "Account": {"live/runtime.py"},
    "Session": {"live/runtime.py"},
    "PastSession": {"live/past.py"},
    "Counts": {"live/session.py"},
    "Unwatched": {"live/session.py"},
    "reviews_of": {"live/session.py", "kube/access.py"},
}
# What reads, lists or counts as the viewer's account.
OF_ONE_ACCOUNT = ("transport", "counts", "unwatched", "reviews", "whoami")
IN_THE_BACKGROUND = (
    "live/hourly.py", "live/operations.py", "live/refusals.py", "live/retention.py", "live/timeline.py", "live/usage.py",
    "live/versions.py",
)  # fmt: skip


@cache
def parsed() -> dict[str, ast.Module]:
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in sorted(ROOT.rglob("*.py"))}


def modules(under: str = "") -> Iterator[tuple[str, ast.Module]]:
    return ((name, tree) for name, tree in parsed().items() if name.startswith(under))


def test_what_the_installation_sees_is_reached_by_what_it_does_for_itself_alone() -> None:
    found = {
        name
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "installation"
    }
    assert found == OF_THE_INSTALLATION
    named = {
        name
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value == "installation"  # getattr, vars
    }
    modes = {"live/acting.py", "models.py", "migrations/0032_added_cluster.py"}
    assert named <= modes, "that is how a mode is called"


def test_nobody_else_makes_a_way_to_the_cluster() -> None:
    found: dict[str, set[str]] = {name: set() for name in MADE_IN}
    for name, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = (
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                )
                if called in found:
                    found[called].add(name)
    assert found == MADE_IN


def test_what_a_session_or_reader_has_inside_stays_there() -> None:
    inside = {
        "_account": "live/session.py",
        "_all_cached": "queries/seenreader.py",
        "_accounts": "live/runtime.py",
    }
    for name, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in inside:
                assert name == inside[node.attr], f"{name}:{node.lineno} reaches {node.attr}"


def test_only_parts_of_a_viewer_lead_past_the_cache() -> None:
    """A part that several people share has no transport but for what was decided (``permitted``)."""
    for name, tree in modules("live/screens"):
        for cls in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
            uses = [
                node.lineno
                for node in ast.walk(cls)
                if isinstance(node, ast.Attribute)
                and node.attr in OF_ONE_ACCOUNT
                and "session" in ast.unparse(node.value)
            ]
            if uses:
                assert of_viewer(name, cls.name), f"{name}:{uses[0]}: {cls.name} is shared"


def of_viewer(name: str, cls: str) -> bool:
    """By mypy, these two have a ``Session``, and all others a ``Sight``."""
    module = importlib.import_module("dashboard." + name.removesuffix(".py").replace("/", "."))
    return issubclass(getattr(module, cls), ViewerScreen | ViewerPiece)


def test_a_session_is_not_taken_for_more_than_it_was_given_as() -> None:
    """``isinstance(…, Session)`` would lead from what is shared to one account."""
    for name, tree in modules():
        for node in ast.walk(tree):
            called = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
            if called in ("isinstance", "cast") and "Session" in {
                getattr(each, "id", "") for each in node.args
            }:
                assert name == "live/screens/detail/piece.py"


def test_what_runs_in_the_background_begins_under_a_name() -> None:
    for name in IN_THE_BACKGROUND:
        called = [ast.unparse(node.func) for node in ast.walk(parsed()[name]) if isinstance(node, ast.Call)]
        assert "begin" in called and "asyncio.create_task" not in called, name
