"""The preview of all objects of one text: each is tried by a dry run, and one token stands for what was shown.

What needs an object that the same text creates (a namespace, a kind) can't be tried before that is there: it is said so,
and tried right before it is made (docs/adr/0047).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

from dashboard import clock
from dashboard.errors import ClusterError, FieldConflict, NotFound, TooManyRequests, Unavailable
from dashboard.insight import Effect, Impact, Notice, Objects
from dashboard.insight.newpods import quotas_together
from dashboard.insight.words import bold, parts
from dashboard.insight.written import object_impact
from dashboard.kinds.rows import listed, plural
from dashboard.kube.transport import Transport
from dashboard.recovery.cleaning import MISSHAPEN

from . import token as tokens
from .action import (
    NO_UNDO,
    Actor,
    Description,
    Manifest,
    Preview,
    typed_object,
)
from .attempts import REFUSALS
from .confirmation import CANT_UNDO
from .create_yaml import CREATE, apply_command, settled, wanted_of
from .creation import first_order, sign_shown, text_order
from .diff import Line
from .documents import TextObject
from .engine import (
    UNTRIED,
    change_access,
    change_preview,
)
from .filledin import bounded
from .value_impact import HOLDERS, Coming, broken_headline, value_effects
from .writing import MANAGER

DRY_RUNS = 8  # at once
NO_IMPACT = Impact(None, ())
State = Literal["new", "changed", "same", "untried", "refused"]
WORDS: Mapping[State, str] = {
    "new": "will be created", "changed": "will be changed", "same": "no change", "untried": "will be created",
    "refused": "refused",
}  # fmt: skip
TAGS: Mapping[State, str] = {
    "new": "new", "changed": "change", "same": "no change", "untried": "not checked yet", "refused": "refused",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What a dry run said of one object: its ``preview``, or why it was refused (``error``), or what it waits for
    (``needs``, words for an object of the same text). ``weighed``: what is known of one that was not tried.
    """

    one: TextObject
    preview: Preview | None = None
    error: ClusterError | None = None
    needs: str = ""
    weighed: Impact = NO_IMPACT

    @property
    def fresh(self) -> bool:
        return self.preview is not None and self.preview.before["metadata"].get("uid") == ""

    @property
    def state(self) -> State:
        if self.error is not None:
            return "refused"
        if self.preview is None:
            return "untried"
        if not self.preview.token:
            return "same"
        return "new" if self.fresh else "changed"

    @property
    def loses(self) -> bool:
        """Whether something is lost that nothing restores."""
        return self.preview is not None and self.preview.confirm == CANT_UNDO

    @property
    def dangerous(self) -> bool:
        return self.weighed.danger if self.preview is None else self.preview.told.danger

    @property
    def taken_back(self) -> bool:
        """Whether an undo takes it back, as far as is known before."""
        if self.preview is not None and self.preview.told.undo_words == NO_UNDO:
            return False
        return self.state != "changed" or self.undoable

    @property
    def undoable(self) -> bool:
        """Whether there is a way back, as far as the object itself tells."""
        if self.preview is None:
            return True
        before, wanted = self.preview.before, wanted_of(self.one.manifest, secret=self.one.secret)
        action = CREATE.on(wanted | settled(wanted, before))
        return action.back(before) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """A text, tried. ``preview`` is that of the whole; None where something was refused."""

    tried: Sequence[Tried]
    preview: Preview | None = None

    @property
    def refused(self) -> list[tuple[TextObject, ClusterError]]:
        return [(each.one, each.error) for each in self.tried if each.error is not None]


async def creation_preview(
    *, transport: Transport, actor: Actor, objects: Sequence[TextObject], reader: Objects
) -> Creation:
    """What a text would do. What is refused of single objects is in the answer; raises ReadOnly, and Unavailable and
    others that are about no single object.
    """
    tried: list[Tried] = []
    first = [one for one in objects if one.defines or one.target.plural == "namespaces"]
    gate = asyncio.Semaphore(DRY_RUNS)

    # Who reads a ConfigMap or Secret may be in the same text.
    together = Coming(reader, [(one.target.plural, _placed(one)) for one in objects])

    async def attempt(one: TextObject) -> Tried:
        async with gate:
            return await _try(
                transport, actor, one, tried, together if one.target.plural in HOLDERS else reader
            )

    tried += await asyncio.gather(*map(attempt, first))
    rest = await asyncio.gather(*(attempt(one) for one in objects if one not in first))
    found = {each.one.number: each for each in (*tried, *rest)}
    # What is not there yet may be what another one was refused for.
    fresh = [each.one for each in found.values() if each.state in ("new", "untried")]
    told = [_weighed(_excused(found[one.number], fresh), together) for one in objects]
    if any(each.error for each in told):
        return Creation(tried=told)
    return Creation(tried=told, preview=await _whole(transport, actor, told, reader))


def _placed(one: TextObject) -> Manifest:
    """Its manifest with the namespace that it goes into."""
    where = {"namespace": one.target.namespace} if one.target.namespace else {}
    return {**one.manifest, "metadata": {**one.manifest["metadata"], **where}}


async def _try(
    transport: Transport, actor: Actor, one: TextObject, before: Sequence[Tried], reader: Objects
) -> Tried:
    order = text_order(transport, actor, one)
    needs = next((each.one for each in before if _needs(one, each)), None)
    try:
        if needs is not None:
            await change_access(transport=transport, target=one.target, action=order.action)
            return Tried(one=one, needs=needs.words)
        return Tried(one=one, preview=await change_preview(order=order, objects=reader))
    except (Unavailable, TooManyRequests):
        raise
    except NotFound as error:
        return Tried(one=one, error=_explained(one, error))
    except FieldConflict as error:
        # Whoever uses this dashboard does not know it by the name of its field manager.
        error.message = error.message.replace(f"is owned by {MANAGER}", "was set by a form of this dashboard")
        return Tried(one=one, error=error)
    except REFUSALS as error:
        return Tried(one=one, error=error)


def _needs(one: TextObject, other: Tried) -> bool:
    """Whether one object can't be there before another one, which is still to be created."""
    if other.state in ("same", "changed") or other.one is one:
        return False
    namespace = other.one.target.plural == "namespaces" and other.one.target.name == one.target.namespace
    return namespace or (other.one.defines and other.one.number == one.defined_at)


def _excused(tried: Tried, fresh: Iterable[TextObject]) -> Tried:
    """An object that was refused since another one of the text is not there yet was not tried."""
    error = tried.error
    if error is None or not isinstance(error, REFUSALS):
        return tried
    for other in fresh:
        missing = f'"{other.target.name}" not found', f"name {other.target.name} was found"
        if other is not tried.one and any(words in error.message for words in missing):
            return Tried(one=tried.one, needs=other.words)
    return tried


def _weighed(tried: Tried, together: Objects) -> Tried:
    """One that can't be tried yet, with what it does to those who read its values, or to the drains of its pods."""
    target, manifest = tried.one.target, _placed(tried.one)
    if tried.state != "untried":
        return tried
    impact = NO_IMPACT
    with suppress(*MISSHAPEN):  # the API server will refuse it
        if target.plural in HOLDERS:
            breaks = value_effects(together, target.plural, target.namespace, target.name, None, manifest)
            headline = broken_headline(breaks)
            impact = Impact(headline, breaks, danger=headline is not None)
        elif target.plural == "poddisruptionbudgets":
            impact = object_impact(together, None, typed_object(target.plural, manifest))
    return replace(tried, weighed=impact)


def _explained(one: TextObject, error: NotFound) -> NotFound:
    target = one.target
    if "namespaces" in error.message:
        return NotFound(
            f"There is no namespace {target.namespace}.",
            next_step="Create it first, or add a Namespace to the text.",
        )
    return NotFound(
        f"The API server does not serve {target.kind} in {target.gvr.api_version}.",
        next_step="Use a version that it serves: kubectl api-resources lists them.",
    )


async def _whole(transport: Transport, actor: Actor, tried: Sequence[Tried], reader: Objects) -> Preview:
    # What begins stands for all, so that it is something with a way back; what has none is there already, and can wait.
    begin = [at for at, each in enumerate(tried) if each.state in ("new", "changed")]
    at = next((at for at in begin if tried[at].undoable), begin[0] if begin else None)
    if len(tried) == 1 and (single := tried[0].preview) is not None:
        token = sign_shown(0, single.token, []) if single.token else ""
        return replace(single, token=token)
    first, shown = None, []
    if at is not None:
        shown = [_as_shown(transport, actor, each) for each in tried]
        order = first_order(transport, actor, [each.one for each in tried], at, shown)
        first = await change_preview(order=order, objects=reader)
    token = sign_shown(at or 0, first.token, shown) if first else ""
    pods = [made for each in tried if each.preview is not None for made in each.preview.pods]
    return Preview(
        before={},
        told=_told(
            tried,
            tuple(quotas_together(reader, pods)),
            dangerous=any(each.dangerous for each in tried),
        ),
        diff=tuple(line for each in tried for line in _diff(each)),
        diff_words=plural(len(tried), "object"),
        checked_at=clock.now(),
        token=token,
        confirm=first.confirm if first else "",
        filled=bounded(
            [
                replace(filled, words=str(each.one.target))
                for each in tried
                if each.preview is not None
                for filled in each.preview.filled
            ]
        ),
    )


def _as_shown(transport: Transport, actor: Actor, tried: Tried) -> dict[str, Any]:
    """What the apply of one object must find as it was shown. An effect alone does not tell that somebody has changed a
    value of a Secret.
    """
    if tried.preview is None or not tried.preview.token:
        return {"state": tried.state, "uid": "", "effect": UNTRIED, "loses": False}
    shown = tokens.read(tried.preview.token, text_order(transport, actor, tried.one))
    return {
        "state": tried.state, "uid": shown.uid, "effect": shown.effect, "touched": shown.touched, "loses": tried.loses,
    }  # fmt: skip


def _told(tried: Sequence[Tried], together: Sequence[Notice] = (), *, dangerous: bool) -> Description:
    counts = {state: sum(each.state == state for each in tried) for state in WORDS}
    made, changed = counts["new"] + counts["untried"], counts["changed"]
    verbs = [f"create {plural(made, 'object')}"] if made else []
    verbs += [f"change {changed}" if made else f"change {plural(changed, 'object')}"] if changed else []
    button = " and ".join(verbs)
    kubectl, note = apply_command([(each.one.target.namespace, each.one.document.manifest) for each in tried])
    if kubectl and any(each.needs for each in tried):
        note += " Where kubectl says that a kind or a namespace is not there yet, run it once more."
    flawed = [str(each.one.target) for each in tried if not each.taken_back]
    undo = "You can undo all of it, or each object on its own."
    if flawed:
        undo = f"What is done to {listed(flawed)} can't be undone; all else can."
    if len(flawed) == sum(each.state in ("new", "changed") for each in tried):
        undo = NO_UNDO
    return Description(
        headline=None,
        effects=tuple(effect for each in tried for effect in _effects(each)),
        notices=(
            *together,
            *(
                Notice(one.state, f"{each.one.target}: {one.title}", one.text, one.ref, one.link)
                for each in tried
                for one in _notices(each)
            ),
        ),
        kubectl=kubectl,
        kubectl_note=note,
        undo_words=undo,
        button=f"{button[:1].upper()}{button[1:]}",
        danger=dangerous,
    )


def _notices(tried: Tried) -> list[Notice]:
    told = tried.preview.told if tried.preview is not None else None
    headline = told.headline if told is not None else tried.weighed.headline
    return [*([headline] if headline else []), *(told.notices if told is not None else ())]


def _effects(tried: Tried) -> list[Effect]:
    target, state = tried.one.target, tried.state
    note = f"in namespace {target.namespace}" if target.namespace else "cluster-scoped"
    if tried.needs:
        note += f"; it can't be checked before {tried.needs} is there"
    text = parts(f"{target.kind} ", bold(target.name), f" {WORDS[state]}" if state != "same" else "")
    icon = {"new": "plus", "changed": "code", "untried": "wait"}.get(state, "done")
    own = Effect("warn" if state == "untried" else "info", icon, text, note, TAGS[state])
    more = tried.preview.told.effects if tried.preview is not None else tried.weighed.effects
    return [own, *more]


def _diff(tried: Tried) -> list[Line]:
    head = Line(None, "#", f"{tried.one.words}: {WORDS[tried.state]}")
    return [head, *(tried.preview.diff if tried.preview is not None else ())]
