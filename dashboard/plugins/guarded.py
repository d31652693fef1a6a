"""What a plugin brought, with its code called through a guard: its failure never is a failure of what calls it."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import wraps
from typing import Any

from dashboard.actions.action import Action
from dashboard.errors import ClusterError
from dashboard.guard import Guard
from dashboard.insight.declared import DeclaredRule
from dashboard.insight.finding import Finding, Known
from dashboard.insight.observed import Observed
from dashboard.kinds.base import Cell, Detail, Kind, Row, SortKey
from dashboard.kinds.custom import CustomKind
from dashboard.kinds.facts import page
from dashboard.kinds.rows import age, make_row
from dashboard.kinds.secrets import SECRETS

# ---- Kinds


def guarded_kind(kind: CustomKind[Any], guard: Guard) -> CustomKind[Any]:
    """The kind, with a row and facts of the metadata alone where it fails to tell of an object."""

    def row(obj: Any) -> Row:
        return guard.call(f"the row of a {kind.kind}", lambda: _fitting(kind, kind.row(obj)), None) or bare(
            obj
        )

    def bare(obj: Any) -> Row:
        known = {"name": Cell(obj.metadata.name), "age": age(obj.metadata.creation_timestamp)}
        cells = tuple(known.get(column.key, Cell("")) for column in kind.columns)
        return make_row(obj.metadata, cells, (_LAST,) * len(cells), "warn", f"plugin {guard.plugin} failed")

    def detail(obj: Any) -> Detail:
        reason = f"the plugin {guard.plugin} failed to describe it further"
        made = guard.call(f"the facts of a {kind.kind}", lambda: _of(Detail, kind.detail(obj)), None)
        return made or page(obj.metadata, f"{kind.kind} of the API {kind.gvr.api_version}", (), reason=reason)

    def hint(name: str, words: Callable[[str], str]) -> Callable[[str], str]:
        return lambda text: str(guard.call(f"the hint of column {name}", lambda: words(text), ""))

    hints = {name: hint(name, words) for name, words in kind.hints.items()}
    return replace(kind, row=row, detail=detail, hints=hints, unreadable=guard.noted)


_LAST: SortKey = (3, "")


def _fitting(kind: Kind[Any], row: Row) -> Row:
    """The row, with keys that sort beside any other; raises where it is none under the kind's columns."""
    found = _of(Row, row)
    if not len(found.cells) == len(found.sort) == len(kind.columns):
        raise ValueError(
            f"{len(found.cells)} cells, {len(found.sort)} keys under {len(kind.columns)} columns"
        )
    return Row(
        **{
            **{name: getattr(found, name) for name in Row.__struct_fields__},
            "sort": tuple(map(_key, found.sort)),
        }
    )


def _key(key: SortKey) -> SortKey:
    """Numbers before pairs of numbers before text: keys of one column may be of several types."""
    if isinstance(key, int | float):
        return (0, float(key))
    if isinstance(key, tuple) and all(isinstance(each, int | float) for each in key):
        return (1, key)
    return (2, str(key))


def _of(type_: type[Any], value: Any) -> Any:
    if not isinstance(value, type_):
        raise TypeError(f"a {type(value).__name__}, not a {type_.__name__}")
    return value


# ---- Rules


def guarded_rule(rule: DeclaredRule, guard: Guard) -> DeclaredRule:
    """The rule, which ends where it fails: what it found before stands."""

    def find(survey: Observed, known: Known) -> Iterator[Finding]:
        try:
            for one in rule.find(survey, known):
                if _of(Finding, one).rule not in rule.names:
                    raise ValueError(f"the finding {one.rule} is none of those that were declared")
                yield one
        except Exception as error:
            guard.noted(f"the rule {min(rule.names)}", error)

    return replace(rule, find=find)


# ---- Actions


def guarded_action(action: Action, guard: Guard) -> Action:
    """The action: where it fails, it is not offered, or its form says so. It never is for Secrets."""
    own = type(action)
    members = {
        name: _guarded(name, inspect.getattr_static(own, name), action, guard)
        for name in dir(Action)
        if not name.startswith("__")
        and inspect.getattr_static(own, name) is not inspect.getattr_static(Action, name)
    }
    members = {name: member for name, member in members.items() if member is not None}
    if "fits" not in members:
        members["fits"] = lambda self, kind: kind is not SECRETS and own.fits(self, kind)
    made = copy.copy(action)
    made.__class__ = type(own.__name__, (own,), members)
    return made


def _guarded(name: str, member: Any, action: Action, guard: Guard) -> Any:
    """An overridden method or property, guarded; None for what is neither."""
    what = f"{name} of the action {action.name}"
    if isinstance(member, property) and member.fget is not None:
        return property(_raising(what, member.fget, guard))
    if not inspect.isfunction(member):
        return None
    if inspect.iscoroutinefunction(member):
        return _raising_async(what, member, guard)
    if name == "fits":
        return lambda self, kind: (
            kind is not SECRETS and guard.call(what, lambda: bool(member(self, kind)), False)
        )
    if name == "applies":
        return lambda self, obj: guard.call(what, lambda: bool(member(self, obj)), False)
    if name in ("on", "widened"):
        made = _raising(what, member, guard)
        return lambda self, *args: guarded_action(made(self, *args), guard)
    return _raising(what, member, guard)


def _raising(what: str, code: Callable[..., Any], guard: Guard) -> Callable[..., Any]:
    @wraps(code)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return code(*args, **kwargs)
        except ClusterError:
            raise
        except Exception as error:
            raise guard.failed(what, error) from error

    return call


def _raising_async(what: str, code: Callable[..., Any], guard: Guard) -> Callable[..., Any]:
    @wraps(code)
    async def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return await code(*args, **kwargs)
        except ClusterError:
            raise
        except Exception as error:
            raise guard.failed(what, error) from error

    return call
