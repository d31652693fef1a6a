"""What a form of a new object declares: its inputs, the manifests that it makes, and its live checks.

A form is a subclass of ``NewObject`` with one instance in ``registry.py``: its address, page, places in lists, in menus
and on the pages of other objects, preview, apply, record, audit and undo follow (docs/adr/0054).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

from dashboard.actions.action import Manifest
from dashboard.errors import BadInput, ClusterError
from dashboard.insight import Effect, Notice, Objects
from dashboard.insight.protocols import unlisted
from dashboard.insight.selecting import label_choices
from dashboard.kinds import KINDS
from dashboard.kinds.base import Kind, Ref
from dashboard.kinds.rows import OFFERED, listed
from dashboard.kube.transport import Transport

from .reading import label_name, subdomain

VerdictState = Literal["ok", "info", "warn", "bad"]
_WORSE: tuple[VerdictState, ...] = ("info", "ok", "warn", "bad")
MAX_ROWS = 100  # of one input
HIDDEN = "••••••"  # stands for what is never sent back


@dataclass(frozen=True, kw_only=True)
class Look:
    """What checks see: what was typed (None for what is missing or wrong), and the cluster as the user may see it.
    ``whole``: it is to be previewed or sent, so what costs as much as the cluster is large may be asked.
    """

    values: Mapping[str, Any]
    objects: Objects
    transport: Transport
    now: datetime
    whole: bool = False

    @property
    def namespace(self) -> str:
        return self.values.get("namespace") or ""

    def all(self, plural: str) -> Sequence[Any]:
        """The objects of a kind in the namespace that was chosen, as far as they may be seen."""
        return self.objects.all(plural, self.namespace) if self.namespace else ()

    def unknown(self, *plurals: str) -> str:
        """Why not all objects of these kinds in the namespace are known, so that of others nothing can be said; "" where
        they are.
        """
        unread = [each for each in plurals if not self.objects.reads(each, self.namespace)]
        if denied := unlisted(self.objects, unread, self.namespace):
            return f"your account may not list {listed(denied)} in {self.namespace}"
        return f"{listed(unread)} are still being read" if unread else ""

    @cached_property
    def labels(self) -> Mapping[str, int]:
        """The labels of its pods, ``key=value``, with how many have them."""
        return label_choices(self.objects, self.namespace) if self.namespace else {}

    def get(self, plural: str, name: str) -> Any | None:
        return self.objects.get(plural, self.namespace, name)


def _nothing(_: Look) -> Iterable[str]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input, or ``rows`` of several ``columns``. ``parse`` gets a text that is not empty. ``value`` is what it starts
    with, ``suggest`` what the browser offers. ``at`` are the beginnings of the paths by which the API server names it
    when it refuses it, and the resources that a quota counts of it. ``secret``: what is typed into it is never
    sent back; ``known``: though anybody may know it, as a user's name. ``blanks``: blanks alone are a value, as they are
    of several lines and of passwords.
    """

    name: str
    label: str
    input: Literal["text", "number", "choice", "box", "lines", "password", "rows", "hidden"] = "text"
    parse: Callable[[str], Any] = str
    required: bool = False
    value: str = ""
    placeholder: str = ""
    hint: str = ""
    choices: Sequence[tuple[str, str]] = ()
    suggest: Callable[[Look], Iterable[str]] = _nothing
    columns: Sequence[Input] = ()
    add: str = ""  # what the button for one more row says
    at: Sequence[str] = ()
    secret: bool = False
    known: bool = False
    blanks: bool = False

    @property
    def verbatim(self) -> bool:
        """Whether blanks alone are a value of it."""
        return self.blanks or self.input in ("lines", "password")

    @property
    def typed(self) -> bool:
        """Whether a person types into it: a choice and a box always have a value."""
        return self.input not in ("choice", "box", "hidden")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Inputs that belong together. ``folded``: most people leave it as it is."""

    title: str
    inputs: Sequence[Input]
    note: str = ""
    folded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is said of one input as it is. ``error`` is what refuses it, where that is more than a wrong value."""

    state: VerdictState
    text: str
    ref: Ref | None = None
    link: str = ""
    error: ClusterError | None = None


@dataclass(slots=True)
class Checks:
    """What checks say: of inputs, by their name (of rows ``name-0``…), and beside the form. What is ``bad`` at an input
    is refused before anything is sent.
    """

    verdicts: dict[str, Verdict] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    headline: Notice | None = None

    def at(
        self,
        place: str,
        state: VerdictState,
        text: str,
        *,
        ref: Ref | None = None,
        link: str = "",
        error: ClusterError | None = None,
    ) -> None:
        """Says it of an input, unless something worse is said of it."""
        there = self.verdicts.get(place)
        if there is None or _WORSE.index(there.state) < _WORSE.index(state):
            self.verdicts[place] = Verdict(state=state, text=text, ref=ref, link=link, error=error)

    def refusal(self) -> ClusterError | None:
        """What stands in the way, the first of it."""
        for place, verdict in self.verdicts.items():
            if verdict.state == "bad":
                error = verdict.error or BadInput(verdict.text)
                error.field = place
                return error
        return None


class NewObject:
    """A form for objects of one kind. All but ``check`` is pure."""

    plural: str
    word = ""  # what it is called among the other forms; "": as its kind
    variant = ""  # of a kind with several forms: what an address calls it
    variant_title = ""
    sections: Sequence[Section]
    reads: frozenset[str] = frozenset()  # the kinds that its checks read, beside its own
    offered_on: Mapping[str, str] = MappingProxyType({})  # kinds whose pages lead here → the words for it
    said: Sequence[str] = ()  # what kubectl calls it where it is offered on another object: "expose"
    command_note: str = ""  # what its ``command`` needs
    created: Sequence[str] = ()  # what it is called after "kubectl create"; none: as its kind
    body_bytes = 0  # of what is sent at most; 0: as of every form

    @property
    def kind(self) -> Kind[Any]:
        return KINDS[self.plural]

    @property
    def title(self) -> str:
        return f"Create {self.kind.singular}"

    @property
    def inputs(self) -> list[Input]:
        return [each for section in self.sections for each in section.inputs]

    @property
    def secret_names(self) -> frozenset[str]:
        """Under which names a browser sends what is never sent back."""
        return frozenset(
            each.name if each is one else f"{one.name}.{each.name}"
            for one in self.inputs
            for each in (one, *one.columns)
            if each.secret
        )

    def hidden(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The values with ``HIDDEN`` for what is never sent back."""
        shown = dict(values)
        for one in self.inputs:
            if one.columns:
                hidden = {each.name: HIDDEN for each in one.columns if each.secret}
                shown[one.name] = [
                    row | {key: text for key, text in hidden.items() if row[key]} for row in values[one.name]
                ]
            elif one.secret and values[one.name]:
                shown[one.name] = HIDDEN
        return shown

    def filled(self, plural: str, obj: Any, objects: Objects) -> Mapping[str, Sequence[str]]:
        """What the form starts with where it was opened from an object of a kind of ``offered_on``."""
        return {}

    def spec(self, values: Mapping[str, Any]) -> Manifest:
        """The object, without apiVersion, kind, name and namespace. What was typed and can't be read is in ``values`` as
        it was typed, so that it can be corrected as YAML."""
        raise NotImplementedError

    def manifests(self, values: Mapping[str, Any]) -> list[Manifest]:
        """What is created, the form's own object first."""
        return [manifest(self.kind, values, self.spec(values))]

    async def check(self, look: Look, checks: Checks) -> None:
        """What is said of what was typed, as far as it can be read."""
        await self.check_inputs(look, checks)

    async def check_inputs(self, look: Look, checks: Checks) -> None:
        """The part of it that an object which is there already is told too, where that is not all."""

    def called(self, name: str, namespace: str) -> str:
        """What the name means to others, once it is taken; "" where there is nothing to say."""
        return ""

    def command(self, values: Mapping[str, Any]) -> Sequence[str]:
        """The same with kubectl, where it has a command for just that."""
        return ()

    def input_of(self, path: str) -> str:
        """The input that a path of the API server is about, such as ``spec.ports[0].port``, or a resource of a quota."""
        found = [(prefix, each.name) for each in self.inputs for prefix in each.at if path.startswith(prefix)]
        return max(found, key=lambda pair: len(pair[0]), default=("", ""))[1]


def manifest(kind: Kind[Any], values: Mapping[str, Any], spec: Manifest) -> Manifest:
    meta: Manifest = {"name": values.get("name") or ""}
    if kind.gvr.namespaced:
        meta["namespace"] = values.get("namespace") or ""
    head = {"apiVersion": kind.gvr.api_version, "kind": kind.kind}
    return head | {"metadata": meta | spec.get("metadata", {})} | {
        key: value for key, value in spec.items() if key != "metadata"
    }  # fmt: skip


def name_input(parse: Callable[[str], str] = subdomain, hint: str = "") -> Input:
    return Input(
        name="name", label="Name", parse=parse, required=True, hint=hint, at=("metadata.name", "count/")
    )


def _namespaces(look: Look) -> Iterable[str]:
    return sorted(each.metadata.name for each in look.objects.all("namespaces"))[:OFFERED]


NAMESPACE = Input(
    name="namespace",
    label="Namespace",
    parse=label_name,
    required=True,
    suggest=_namespaces,
    at=("metadata.namespace",),
)
