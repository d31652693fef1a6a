"""Actions that write some fields of an object, each by its path (``changedfields``), and put their old values back."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import msgspec
from django.utils.crypto import salted_hmac

from dashboard.kinds.rows import listed, plural
from dashboard.models import Change

from .action import Action, Manifest, OwnedFields, Wanted
from .changedfields import MISSING, changed_fields, field_words, value_at

MAX_UNDO_BYTES = 256 * 1024
MAX_VALUE = 400  # characters of a field's value that is kept with a change; of longer ones a digest
NO_WAY_BACK = "no_way_back"
_SERVERS = frozenset(
    {
        "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink", "deletionTimestamp",
        "deletionGracePeriodSeconds",
    }
)  # fmt: skip
_GENERATION = "/metadata/annotations/deprecated.daemonset.template.generation"  # the server counts it
# People put passwords into variables and commands: of their values only a digest is kept and told.
_TYPED_SECRETS = re.compile(r'/(env|command|args)(/|$)|"(env|command|args)": \[')


class FieldsAction(Action):
    """``wanted``: ``restore``, pairs of a path and the value that it gets, and ``drop``, paths of what is removed. What
    an undo wants has the same form.
    """

    confidential = False
    undoes = "Undo puts the old values of these fields back."

    def __init__(self, wanted: Wanted | None = None) -> None:
        self.wanted = wanted or {}

    def on(self, wanted: Wanted) -> Action:
        return type(self)(wanted)

    @property
    def values(self) -> list[tuple[str, Any]]:
        """What it writes: path and value, MISSING for what is removed."""
        return [*((path, value) for path, value in self.wanted.get("restore", ())),
                *((path, MISSING) for path in self.wanted.get("drop", ()))]  # fmt: skip

    def touched(self, manifest: Manifest) -> OwnedFields:
        return {path: self.fact(manifest, path) for path, _ in self.values}

    def fact(self, manifest: Manifest, path: str) -> Any:
        """A field's value as it is compared and kept: of a long one a digest, and of one that may be secret a keyed one,
        by which nobody who reads the database can try what it is.
        """
        value = value_at(manifest, path)
        if value is MISSING:
            return None
        text = json.dumps(value, sort_keys=True)
        if _TYPED_SECRETS.search(path) or _TYPED_SECRETS.search(text):
            keyed = salted_hmac("dashboard.actions.fieldwrites", text, algorithm="sha256").hexdigest()
            return {"digest": keyed[:40], "characters": len(text)}
        if len(text) > MAX_VALUE:
            return {"digest": hashlib.sha256(text.encode()).hexdigest()[:40], "characters": len(text)}
        return value

    # ---- What is said of it

    def words(self, touched: OwnedFields) -> str:
        said = [f"{self.label(path)} {value_words(value)}" for path, value in list(touched.items())[:3]]
        return (
            listed([*said, *([f"{len(touched) - 3} more fields"] if len(touched) > 3 else [])]) or "no fields"
        )

    def label(self, path: str) -> str:
        """What a field is called."""
        return field_words(path)

    def summary(self, change: Change) -> str:
        return f"Changed {some([self.label(path) for path in change.touched])}"

    # ---- The way back

    def flaw(self, before: Manifest) -> str:
        """Why the old values can't be put back, as the end of a sentence."""
        if len(msgspec.json.encode(self.old(before))) > MAX_UNDO_BYTES:
            return (
                f"the old values are larger than the {MAX_UNDO_BYTES // 1024} KiB that are kept for an undo."
            )
        return ""

    def old(self, before: Manifest) -> Wanted:
        """The fields as they were."""
        return written([path for path, _ in self.values], before)

    def undo_words(self, before: Manifest) -> str:
        """Whether the old values can be put back, in a preview."""
        flaw = self.flaw(before)
        return f"It can't be undone: {flaw}" if flaw else self.undoes

    def back(self, before: Manifest) -> Wanted | None:
        return None if self.flaw(before) else self.old(before)

    def remember(self, before: Manifest, after: Manifest) -> dict[str, Any]:
        flaw = self.flaw(before)
        return {NO_WAY_BACK: flaw} if flaw else {}

    def way_back(self, change: Change) -> str:
        if flaw := change.result.get(NO_WAY_BACK):
            return f"It can't be undone: {flaw}"
        return f"Undo puts the old values of {plural(len(change.touched), 'field')} back."


def writable(manifest: Manifest) -> Manifest:
    """What people write of an object: without its status and what the server keeps in metadata."""
    made = {key: value for key, value in manifest.items() if key != "status"}
    meta = made.get("metadata")
    made["metadata"] = {key: value for key, value in (meta or {}).items() if key not in _SERVERS}
    return made


def written_fields(before: Manifest, after: Manifest) -> list[str]:
    """The paths of what differs between two versions of an object, but for what the server writes."""
    return [path for path in changed_fields(writable(before), writable(after)) if path != _GENERATION]


def written(paths: list[str], manifest: Manifest) -> Wanted:
    """What to want so that these fields are as in ``manifest``."""
    found = [(path, value_at(manifest, path)) for path in paths]
    return {
        "restore": [[path, value] for path, value in found if value is not MISSING],
        "drop": [path for path, value in found if value is MISSING],
    }


def some(names: list[str]) -> str:
    """The first few of many names."""
    return f"{', '.join(names[:6])}{f' and {len(names) - 6} more' if len(names) > 6 else ''}"


def value_words(value: Any) -> str:
    """The value of a field that was touched, for a sentence."""
    if value is None:
        return "not set"
    if isinstance(value, dict) and ("digest" in value or "mark" in value):
        return f"({(value.get('digest') or value['mark'])[:6]})"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
