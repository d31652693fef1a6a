"""What differs between actions, and what all of them show."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec
from django.contrib.auth.models import User

from dashboard.errors import ClusterError, NotFound
from dashboard.insight import Effect, Followed, Notice, Objects, PodSet, Rollout, workload_rollout
from dashboard.insight.newpods import NewPods, pods_created
from dashboard.kinds import KINDS, declared
from dashboard.kinds.base import GVR, Kind, Ref, State
from dashboard.kinds.deletion import deletion_waits
from dashboard.kinds.meta import ObjectMeta, decode_custom
from dashboard.kinds.references import group_of, reference
from dashboard.kinds.scales import Scale
from dashboard.kube.shell import json_word, shell_line
from dashboard.kube.transport import Transport

from .diff import Line, diff_lines

if TYPE_CHECKING:
    from dashboard.models import Change

    from .filledin import FilledIn

MERGE_PATCH = "application/merge-patch+json"
MAX_COMMAND = 4000  # bytes: a terminal takes a line of 4,096 at most
VALUES_STAY = "No command: a Secret's values would stand in it, and stay in the history of the shell."
NO_UNDO = "This cannot be undone."
WAS = "was."  # begins the name of the input that holds what a field was filled with
CREATED = "created"  # in a change's result: the uid of what it created beside its object
# What a preview reads to say what a change of pods touches.
TOUCHED = frozenset(
    {
        "deployments", "replicasets", "pods", "services", "endpointslices", "ingresses", "horizontalpodautoscalers",
        "poddisruptionbudgets", "resourcequotas", "limitranges", "nodes",
    }
)  # fmt: skip
# Besides, what may own, use or hold any object.
EVERYWHERE_USED = TOUCHED | {
    "statefulsets", "daemonsets", "jobs", "cronjobs", "serviceaccounts", "persistentvolumeclaims", "persistentvolumes",
    "rolebindings", "clusterrolebindings",
}  # fmt: skip
TEMPLATES = ("/spec/template", "/spec/jobTemplate")  # where the pod template of a kind stands
# Nobody waits longer for a restart that began with another change (docs/adr/0007).
FOLLOWED_FOR = timedelta(hours=1)
ROLLOUT_STATES: dict[str, State] = {
    "done": "ok", "progressing": "info", "stuck": "bad", "failed": "bad", "paused": "warn",
}  # fmt: skip

# What people do with objects, and from which role on they may (docs/roles.md).
Part = Literal["operate", "change", "delete", "shell"]
RoleName = Literal["viewer", "operator", "configurator", "administrator"]

Manifest = dict[str, Any]  # an object as the API server sends it
Wanted = dict[str, Any]  # what a person asked for, validated; plain JSON
OwnedFields = dict[str, Any]  # JSON Pointer → value of what an action writes


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who does it. ``name`` is what the audit keeps, ``sign_in`` the session that leads to their account in the cluster
    ("": they act as the installation).
    """

    user: User
    name: str
    sign_in: str = ""


def actor_who_made(change: Change) -> Actor:
    """Who made a change, for what follows it."""
    return Actor(user=change.user, name=change.user.get_username(), sign_in=change.sign_in)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The object that is changed. ``context`` is the cluster's name, ``plural`` the key of its kind in addresses,
    ``namespace`` is "" for a kind without.
    """

    context: str
    gvr: GVR
    plural: str
    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, context: str, kind: Kind[Any], namespace: str, name: str) -> Target:
        return cls(
            context=context,
            gvr=kind.gvr,
            plural=kind.plural,
            kind=kind.kind,
            namespace=namespace if kind.gvr.namespaced else "",
            name=name,
        )

    @property
    def ref(self) -> Ref:
        return reference(self.kind, self.namespace, self.name, self.gvr.group)

    @property
    def where(self) -> str:
        """For the end of a sentence: " in namespace shop", or "" for a kind without namespaces."""
        return f" in namespace {self.namespace}" if self.namespace else ""

    @property
    def flags(self) -> list[str]:
        """The same for kubectl."""
        return ["-n", self.namespace] if self.namespace else []

    def kubectl(self, verb: str, *flags: str) -> str:
        """A command on it: ``kubectl scale deployment/web -n shop --replicas=3``. A custom kind goes by its full name."""
        kind = self.kind.lower() if self.plural == self.gvr.plural else self.plural
        return shell_line(["kubectl", *verb.split(), f"{kind}/{self.name}", *self.flags, *flags])

    def kubectl_patch(self, body: Manifest) -> str:
        """The command that sends this merge patch."""
        return self.kubectl("patch", "--type=merge", "-p", json_word(body))

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """The request that an action makes, without the precondition, which the engine adds: to ``metadata``, for a DELETE
    to the options that are its body, for a POST to a subresource (an Eviction) to its ``deleteOptions``. Any other POST
    creates: it has none. ``query`` goes with a write of an object's content.
    """

    method: Literal["PATCH", "PUT", "DELETE", "POST"]
    content_type: str
    subresource: str
    body: Manifest
    accept: str = "application/json"
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def creates(self) -> bool:
        return self.method == "POST" and not self.subresource


class Impact(Protocol):
    """What the rules in ``insight`` say of a change."""

    @property
    def headline(self) -> Notice | None: ...
    @property
    def effects(self) -> tuple[Effect, ...]: ...
    @property
    def notices(self) -> tuple[Notice, ...]: ...
    @property
    def danger(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What an action says about itself before it is done. ``kubectl`` can be pasted as it is and does the same;
    ``kubectl_note`` is what it needs besides, or, of none (""), why.
    """

    headline: Notice | None
    effects: tuple[Effect, ...]
    notices: tuple[Notice, ...]
    kubectl: str
    undo_words: str
    button: str
    danger: bool
    kubectl_note: str = ""

    def pasteable(self) -> Description:
        """Without a command that no terminal takes."""
        size = len(self.kubectl.encode())
        if size <= MAX_COMMAND:
            return self
        note = f"No command: it would have {size:,} bytes, which is more than a terminal takes in one line."
        return dataclasses.replace(self, kubectl="", kubectl_note=note)

    @classmethod
    def of(
        cls,
        impact: Impact,
        *notices: Notice,
        kubectl: str,
        undo_words: str,
        button: str,
        kubectl_note: str = "",
    ) -> Description:
        """An impact, with ``notices`` before its own."""
        return cls(
            headline=impact.headline,
            effects=impact.effects,
            notices=(*notices, *impact.notices),
            kubectl=kubectl,
            undo_words=undo_words,
            button=button,
            danger=impact.danger,
            kubectl_note=kubectl_note,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What a change would do: the object before and after it, and the objects around it, at a moment. ``warnings`` are
    the API server's, in its own words.
    """

    target: Target
    before: Manifest = field(repr=False)
    after: Manifest = field(repr=False)
    wanted: Wanted = field(repr=False)
    objects: Objects
    now: datetime
    warnings: Sequence[str] = ()

    @property
    def obj(self) -> Any:
        """The object before it, typed."""
        return typed_object(self.target.plural, self.before)

    @property
    def made(self) -> Any:
        """The object after it, typed."""
        return typed_object(self.target.plural, self.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A change, shown. Without a ``token`` there is nothing to apply: the object is already so.

    ``checked_at`` is when the API server accepted the dry run, of ``before``: the object as it was read, once.
    ``confirm`` is why the object's name has to be typed ("": it need not be), ``filled`` what the API server made besides
    what was asked for, ``pods`` what is created that a quota may count.
    """

    before: Manifest = field(repr=False)
    told: Description
    diff: tuple[Line, ...]
    diff_words: str
    checked_at: datetime
    token: str
    confirm: str = ""
    filled: Sequence[FilledIn] = field(default=(), repr=False)
    pods: Sequence[NewPods] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """What one more change does that began with this one. ``change`` is its id; None where it could not be made, for the
    reason in ``text``.
    """

    ref: Ref
    state: State
    headline: str
    text: str
    change: int | None
    done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an applied change has come. ``percent`` is 0–100, None when it cannot be told; ``restart`` are the
    workloads that must still be restarted to see it, ``following`` the changes that began with it, ``replacement``
    what took the place of an object that the change deleted, ``created`` what the change created beside its own,
    ``shell`` the container of the pod in which it lets a shell be started.
    """

    state: State
    headline: str
    text: str
    percent: int | None
    sets: tuple[PodSet, ...] = ()
    done: bool = False
    restart: tuple[Ref, ...] = ()
    following: tuple[Following, ...] = ()
    replacement: Ref | None = None
    created: Ref | None = None
    shell: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One value of a field, as a row of a list: what it is called, a word beside that (``tag``), what it holds
    (``code``), since when (``at``, ISO, or ""), what is said of it (``text``), by whom it came to be (``by``; ``change``,
    if that was made here), and how it is now (``note``, ``state``).
    """

    value: str
    title: str
    tag: str = ""
    code: str = ""
    at: str = ""
    text: str = ""
    by: str = ""
    change: int | None = None
    note: str = ""
    state: State | Literal[""] = ""
    disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One input of a form, made by the generic template: a number, an ``amount`` with a unit, a ``text`` or ``lines`` of
    it, a ``box`` to tick, one of ``choices`` (each a value and its words) or of ``rows``. Those of one ``group`` stand
    below its name. ``parse`` raises BadInput with its name. What it starts with (``value``; one that is ``based`` sends
    that along), what an empty one stands for (``placeholder``) and the sentence below it (``hint``) are told of the typed
    object; of a kind without a module here they are "".
    """

    name: str
    label: str
    parse: Callable[[str], Any] = str
    input: Literal["number", "amount", "text", "lines", "box"] = "number"
    group: str = ""
    required: bool = True
    based: bool = False
    stepper: bool = (
        False  # a whole number with buttons for one less and one more; a preview of another value is stale
    )
    value: Callable[[Any], str] = lambda _: ""
    placeholder: Callable[[Any], str] = lambda _: ""
    hint: Callable[[Any, Objects], str] = lambda *_: ""
    choices: Sequence[tuple[str, str]] = ()
    rows: Sequence[Choice] = ()


class Action:
    """One kind of change, declared: what it is called and fits, what it asks for and writes, what that does, how it is
    followed and taken back. One instance stands in the registry; ``on`` gives the one that an order is carried out with.

    Everything but ``decide``, ``still``, ``ready``, ``fields_of``, ``supply``, ``keep``, ``ask`` and ``undoing`` is pure.
    A Secret's value never appears in what is returned, but for ``write``: an action on one gives digests as touched
    values.
    """

    name: str  # the word in addresses and in the audit
    title: str  # on buttons and pages: "Scale"
    icon: str
    said: Sequence[str] = ()  # what kubectl calls it, besides ``name``: "rollout undo"
    kinds: Collection[str] = ()  # by their plurals; see ``fits``
    capability: Literal["", "scales"] = ""  # what other kinds must be able to, so that it fits them too
    verb: str = "patch"  # the right that it needs, on ``subresource`` where there is one
    subresource: str = ""
    undo_verb: str = ""  # the right that its undo needs besides that to read it, on what it writes
    part: Part = "change"
    role: RoleName | Literal[""] = ""  # from which role on people may do it; "": as its part says
    fields: Sequence[Field] = ()
    owns: Mapping[str, str] = MappingProxyType(
        {}
    )  # the fields that it writes: name in what is wanted → JSON Pointer
    intro: str = ""  # a sentence above the fields
    template: str = "forms/action.html"
    reads: frozenset[str] = TOUCHED  # the kinds that a preview tells from
    tells_unlisted: frozenset[str] = (
        frozenset()
    )  # those that its own words miss, where they may not be listed
    body_bytes: int = 0  # of its form at most; 0: as of every form
    weighs: bool = False  # its impact takes long in a large cluster: a thread works it out, of one moment
    confirms_by_wanted: bool = False  # whether its name has to be typed may depend on what is wanted
    uncontested: str = ""  # why nobody changes it back; "": a preview says who will
    undone_by: str = ""  # the name of the action that takes it back; "": itself
    deletes: bool = False  # its object goes: it may be on its way out already
    creates: bool = False  # its object may be absent: ``absent`` stands for it
    acts_unchanged: bool = False  # there is something to do also where the object itself stays as it is
    tries_back: bool = True  # whether its undo is sent as a dry run before it is promised
    confidential: bool = False  # its values may be seen by nobody: see ``supply``, ``shown``, ``scrub``

    # ---- What it is for

    def fits(self, kind: Kind[Any]) -> bool:
        """Whether it is for objects of this kind at all, be it Kubernetes' own or a custom one."""
        return kind.plural in self.kinds or bool(self.capability and getattr(kind, self.capability))

    def applies(self, obj: Any) -> bool:
        """Whether it is offered for an object as the cache has it."""
        return True

    def instead(self, target: Target, objects: Objects) -> Target:
        """The object that the form is really about, where the target is only the way to it."""
        return target

    @property
    def rights(self) -> Sequence[tuple[str, str]]:
        """The rights (verb, subresource) of which one is enough to be offered it."""
        return ((self.verb, self.subresource),)

    def besides(self, kind: Kind[Any]) -> Sequence[tuple[str, GVR, str]]:
        """The rights (verb, resource, subresource) on other things that it can't do without."""
        return ()

    def source(self, target: Target) -> str:
        """The subresource that is read in place of the object, "" for the object itself: of a kind without a module here,
        only the API server knows where in the object that stands which the subresource is about.
        """
        return "" if target.plural in KINDS else self.subresource

    @property
    def many(self) -> bool:
        """Whether it can be done to many objects at once: what its form asks for is the same for all of them."""
        same = self.template == Action.template and type(self).fields_of is Action.fields_of
        return same and not self.confidential

    # ---- What is typed

    @property
    def typed(self) -> bool:
        """Whether something must be typed before there is a preview."""
        return any(field.required for field in self.fields)

    def read(self, typed: Mapping[str, str]) -> Wanted:
        """What the form asks for. Raises BadInput with the field's name: nothing is sent then."""
        return {field.name: field.parse(typed.get(field.name, "")) for field in self.fields}

    def last(self, manifest: Manifest) -> tuple[str, str]:
        """That it was done before: words, and when (ISO); ("", "") where the object does not tell."""
        return "", ""

    @property
    def count(self) -> int:
        """How many objects are changed with one word."""
        return 1

    def confirmed(self, manifest: Manifest) -> bool:
        """Whether the object's name has to be typed, in every context, as nothing restores what is lost."""
        return False

    async def ready(self, target: Target, manifest: Manifest, objects: Objects) -> None:
        """Raises what rules it out for the object as it is, before anything is typed."""

    async def free(self, target: Target, manifest: Manifest, undoes: int | None) -> None:
        """Raises UnderWay while an operation holds the object, unless it is the one that is undone. Asked before it is
        said that the object has changed: it is the operation that changed it.
        """

    async def fields_of(
        self, transport: Transport, target: Target, manifest: Manifest, objects: Objects
    ) -> Sequence[Field]:
        """The inputs of the form for the object as it is. Raises what rules the form out, as ``ready`` does."""
        return self.fields

    def command(self, target: Target, manifest: Manifest) -> str:
        """The same by kubectl, before there is a preview; "" for none."""
        return ""

    # ---- What it does

    def check(self, manifest: Manifest, wanted: Wanted) -> None:
        """Raises BadInput or Invalid for what cannot be wanted of the object as it is."""

    def overtaken(self, manifest: Manifest, wanted: Wanted) -> tuple[Action, OwnedFields] | None:
        """The fields that are wanted and that others changed since the form was filled: the action for just these, and
        how they were then. None where there are none.
        """
        return None

    async def decide(self, order: Order, manifest: Manifest, objects: Objects) -> Wanted:
        """What the preview settles for the apply, as plain JSON: signed with the preview, it joins what is wanted."""
        return {}

    async def still(self, order: Order, manifest: Manifest) -> None:
        """Asked just before the write. Raises StaleView where ``decide`` would now settle something else."""

    def on(self, wanted: Wanted) -> Action:
        """The action for just what is wanted, where what it touches, or its right, depends on that."""
        return self

    def subject(self, target: Target) -> Target:
        """The object that the request is about: the target, or one that is created from it, without a name as long as
        that is not decided.
        """
        return target

    def touched(self, manifest: Manifest) -> OwnedFields:
        """What it writes, as it stands in the object: by this a conflict is told, and this is what an undo restores."""
        return {path: pointer(manifest, path) for path in self.owns.values()}

    def body(self, manifest: Manifest, wanted: Wanted) -> Manifest:
        """The merge patch that brings the object to what is wanted; None takes a field away."""
        return merge_patch({path: wanted[name] for name, path in self.owns.items() if name in wanted})

    def sent(self, manifest: Manifest, wanted: Wanted) -> Manifest | None:
        """The object as it is asked for, where the preview tells what the API server makes of it besides; None where it
        does not, as of whatever is confidential.
        """
        return None

    def write(self, manifest: Manifest, wanted: Wanted) -> Write:
        """The request that brings the object to what is wanted."""
        body = self.body(manifest, wanted)
        return Write(method="PATCH", content_type=MERGE_PATCH, subresource=self.subresource, body=body)

    async def supply(self, order: Order, manifest: Manifest, *, dry: bool) -> Wanted:
        """What to write in full, fetched where the order only names it. Not ``dry``: a write follows at once."""
        return order.wanted

    def after(self, manifest: Manifest, answer: Manifest) -> Manifest:
        """The object as it would be, from the answer to the request, dry or not. A confidential action asks for a
        metadata answer: what was sent stands for the content in it. A Scale answers with the number alone.
        """
        if not is_scale(answer):
            return answer
        replicas = pointer(answer, "/spec/replicas") or 0  # Go leaves a 0 out
        return {**manifest, "spec": {**manifest["spec"], "replicas": replicas}}

    def widened(self, before: Manifest, after: Manifest) -> Action:
        """The action on all that was changed, which an admission policy may have made more than was asked for: its record
        and its undo hold all of it.
        """
        return self

    def recorded(self, change: Change) -> Action | None:
        """The action on just what a change wrote, by its record: it tells by the object whether that was made. None where
        the object can't tell.
        """
        if not change.inverse or change.inverse["action"] != (self.undone_by or self.name):
            return None
        return self.on(change.inverse["input"])

    def scrub(self, error: ClusterError, manifest: Manifest, wanted: Wanted) -> None:
        """Takes values that nobody may see, old and new, out of what the cluster said: of refusals and of warnings."""

    def intended(self) -> dict[str, Any]:
        """What is kept in the change's result from before anything is sent: what follows it even if its end is found out
        only later.
        """
        return {}

    def remember(self, before: Manifest, after: Manifest) -> dict[str, Any]:
        """What is kept in the change's result besides, to tell later what it did; never anything of a Secret."""
        return {}

    async def keep(self, change: Change, before: Manifest | None, after: Manifest) -> None:
        """Keeps what the record itself does not hold, once the change was made; ``before`` is None where nobody saw it.
        What goes wrong with that takes nothing back.
        """

    # ---- What is said of it

    def describe(self, dry: DryRun) -> Description:
        """Consequences, effects and words of the change."""
        raise NotImplementedError

    async def ask(self, order: Order, told: Description, dry: DryRun) -> Description:
        """What is told of it, with what only the API server or the database knows."""
        return told

    def new_pods(self, dry: DryRun) -> Iterable[NewPods]:
        """The pods that are created for it, of which its preview tells what quotas say: those of the object that it
        changes or creates, by how it was and what it becomes. Who has others created says which.
        """
        if self.deletes:
            return ()
        about = self.subject(dry.target)
        before = dry.obj if about == dry.target else None
        templated = any(pointer(dry.before, path) != pointer(dry.after, path) for path in TEMPLATES)
        after, revised = typed_object(about.plural, dry.after), "restore" not in dry.wanted
        return pods_created(dry.objects, before, after, templated=templated, revised=revised)

    def shown(self, before: Manifest, after: Manifest) -> tuple[Manifest, Manifest]:
        """Both as they may be shown and compared."""
        return before, after

    def diff(self, before: Manifest, after: Manifest) -> tuple[Line, ...]:
        """The changed lines; empty when both are alike."""
        return diff_lines(before, after)

    def words(self, touched: OwnedFields) -> str:
        """The values for a sentence: ``3 replicas``."""
        raise NotImplementedError

    def summary(self, change: Change) -> str:
        """What a change did, for the audit."""
        was, made = sides(change)
        return f"{self.words(was)} → {self.words(made)}"

    def sentence(self, change: Change) -> str:
        """The same as the beginning of a sentence."""
        said = self.summary(change)
        return said[:1].upper() + said[1:]

    # ---- Afterwards

    @property
    def follows(self) -> frozenset[str]:
        """The kinds that a change is followed by, beside its own and workloads."""
        return frozenset()

    def follow(self, change: Change, objects: Objects, now: datetime) -> Progress:
        """How far the change has come."""
        found = objects.get(change.plural, change.namespace, change.name)
        if found is None or found.metadata.uid != change.uid:
            return gone_progress(change, found)
        if found.metadata.deletion_timestamp and not isinstance(found, Followed):
            return leaving_progress(change.name, found)
        return self.progress(change, found, objects, now)

    def progress(self, change: Change, found: Any, objects: Objects, now: datetime) -> Progress:
        """The same while the object, as the cache has it, is there: by its rollout where it is a workload. That it was
        changed again is told of the owned fields that the cache has.
        """
        progress = Progress(
            state="ok", headline=f"{change.name} was changed", text="", percent=None, done=True
        )
        generation = change.result.get("generation") or 0
        if isinstance(found, Followed):
            progress = rollout_progress(workload_rollout(objects, found, now, generation))
        made = {path: pair[1] for path, pair in change.touched.items()}
        present = {path: cached(found, path, value) for path, value in made.items()}
        if present == made or found.metadata.generation <= generation:
            return progress
        text = (
            f"It was changed again since, from {self.words(made)} to {self.words(present)}. {progress.text}"
        )
        return dataclasses.replace(progress, text=text.strip())

    def back(self, before: Manifest) -> Wanted | None:
        """What to want to get back to the object as it is in ``before``; None when there is no way back."""
        was = self.touched(before)
        return {name: was[path] for name, path in self.owns.items()} or None

    async def undoing(self, change: Change) -> Action:
        """The action, which takes a change back, with what only the records of that change know."""
        return self

    def creation(self, change: Change) -> Ref | None:
        """What a change created beside its object: its undo is about that."""
        return None

    def way_back(self, change: Change) -> str:
        """What undoing the change does, or why it cannot be undone; "" for “back to the values before”."""
        return ""

    def undone_whole(self, change: Change) -> tuple[bool, str] | None:
        """Whether what its steps made is undone together just now, and how, or why not; None where the change itself is
        what is undone. Reads the database.
        """
        return None


def rollout_progress(rollout: Rollout) -> Progress:
    """A rollout as the progress of the change that made it."""
    return Progress(
        state=ROLLOUT_STATES[rollout.state],
        headline=rollout.headline,
        text=rollout.text,
        percent=rollout.percent,
        sets=rollout.sets,
        done=rollout.state == "done",
    )


def gone_progress(change: Change, found: Any) -> Progress:
    """Of an object that was deleted; ``found`` is what has its name now."""
    text = f"It was deleted{'' if found is None else ' and recreated'}."
    return Progress(state="done", headline=f"{change.name} is gone", text=text, percent=None, done=True)


def leaving_progress(name: str, found: Any) -> Progress:
    """Of an object that is on its way out: nothing more comes of what was changed on it. A rollout tells so itself."""
    text = deletion_waits(found.metadata.finalizers)
    return Progress(state="warn", headline=f"{name} is being deleted", text=text, percent=None, done=True)


def sides(change: Change) -> tuple[OwnedFields, OwnedFields]:
    """What a change touched, as it was and as it was made."""
    was, made = ({path: pair[at] for path, pair in change.touched.items()} for at in (0, 1))
    return was, made


def change_target(change: Change, kinds: Mapping[str, Kind[Any]]) -> Target:
    """The object that was changed. Raises NotFound for a kind that the cluster does not offer (any more)."""
    if change.plural not in kinds:
        raise NotFound(f"The API server offers no kind {change.plural} any more.")
    return Target.of(change.context, kinds[change.plural], change.namespace, change.name)


def absent(target: Target) -> Manifest:
    """What stands for an object that is not there: it has no uid."""
    where = {"namespace": target.namespace} if target.namespace else {}
    metadata = {"name": target.name, **where, "uid": "", "resourceVersion": ""}
    return {"apiVersion": target.gvr.api_version, "kind": target.kind, "metadata": metadata}


def is_absent(manifest: Manifest) -> bool:
    """Whether this stands for an object that is not there."""
    return bool(manifest["metadata"].get("uid") == "")


def is_scale(manifest: Manifest) -> bool:
    """Whether it is the Scale of an object, and no object of a custom kind that is called so."""
    return manifest.get("kind") == "Scale" and group_of(manifest.get("apiVersion", "")) in (
        None,
        "autoscaling",
    )


def typed_object(plural: str, manifest: Manifest) -> Any:
    """The object as the rules read it, or its Scale where that was read in its place; None for a kind that is read as a
    Table (Secrets, those without a module, and a plugin's in another version of its API), and for an object that is not
    there.
    """
    if is_scale(manifest):
        return msgspec.json.Decoder(Scale, dec_hook=decode_custom).decode(msgspec.json.encode(manifest))
    kind = declared(plural)
    if kind is None or "as=Table" in kind.accept or is_absent(manifest):
        return None
    if kind.discovered and manifest.get("apiVersion") != kind.gvr.api_version:
        return None
    return kind.decode_object(msgspec.json.encode(manifest))


def meta_of(manifest: Manifest) -> ObjectMeta:
    """The metadata of an object of whatever kind."""
    raw = msgspec.json.encode(manifest["metadata"])
    return msgspec.json.decode(raw, type=ObjectMeta, dec_hook=decode_custom)


def merge_patch(values: Mapping[str, Any]) -> Manifest:
    """A patch by RFC 7386 that sets the fields at these JSON Pointers."""
    patch: Manifest = {}
    for path, value in values.items():
        *above, last = _steps(path)
        at = patch
        for step in above:
            at = at.setdefault(step, {})
        at[last] = value
    return patch


def _steps(path: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in path.strip("/").split("/")]


def pointer(manifest: Mapping[str, Any], path: str) -> Any:
    """The value at a JSON Pointer, or None."""
    value: Any = manifest
    for step in _steps(path):
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


def cached(obj: Any, path: str, default: Any) -> Any:
    """The value at a JSON Pointer in an object as the cache has it; ``default`` where it does not keep that field, or
    only parts of it.
    """
    for step in _steps(path):
        obj = getattr(obj, re.sub("([A-Z])", r"_\1", step).lower(), None)
    return obj if isinstance(obj, str | int | float) else default


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One change that somebody asks for: who, of what, where. ``undoes`` is the id of the change it takes back.
    ``wanted`` may hold a Secret's value: it is in no repr. ``confirm`` is the name that was typed, where one has to be,
    ``reason`` why it is done.
    """

    transport: Transport
    actor: Actor
    target: Target
    action: Action
    wanted: Wanted = field(repr=False)
    undoes: int | None = None
    confirm: str = ""
    reason: str = ""
