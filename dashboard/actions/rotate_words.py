"""What the preview of a rotation says: who reads the key, what restarts in which order, what to mind."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Literal

from dashboard.insight import Effect, Notice
from dashboard.insight.secretrules import HELM, unintended_end
from dashboard.insight.secretuse import Consumer, Use
from dashboard.insight.words import Parts, bold, code, parts, plain
from dashboard.kinds.base import Ref
from dashboard.kinds.rows import listed, plural
from dashboard.kube.shell import shell_line

from .action import Target, Wanted
from .backups import KEPT

MOST_EFFECTS = 60  # of a key that more read, the rest is counted


def headline(stages: Sequence[Consumer], *, undoing: bool) -> Notice:
    """What happens, in a sentence."""
    what = "The old value is written again" if undoing else "The new value is written"
    if not stages:
        return Notice("info", f"{what}, and nothing has to be restarted", "See below who reads it, and when.")
    names = ", then ".join(each.ref.name for each in stages)
    many = f"{len(stages)} workloads restart"
    return Notice(
        "info",
        f"{what}, then {many} one after the other" if len(stages) > 1 else f"{what}, then {names} restarts",
        f"{names}. Each must be up before the next begins; it stops at the first that does not come up."
        if len(stages) > 1
        else "It is followed until it is up, or does not come up.",
    )


_ARRIVES = {"soon": "by itself, in about a minute", "next": "with its next run"}
_PULLS = "It is used whenever an image is pulled: with the next pod"


def effects(consumers: Sequence[Consumer], stages: Sequence[Consumer]) -> Iterator[Effect]:
    """Who reads the key, how, and when the value reaches it. ``stages`` are those that are restarted, in their order."""
    if not consumers:
        yield Effect(
            "info", "info", parts("Nothing in this namespace reads this key, as far as its objects say.")
        )
    ordered = [*stages, *(each for each in consumers if each not in stages)]
    for at, each in enumerate(ordered[:MOST_EFFECTS], start=1):
        yield _effect(each, at if at <= len(stages) else 0)
    if (more := len(consumers) - MOST_EFFECTS) > 0:
        yield Effect("info", "info", parts(f"{plural(more, 'further object')} read it."))


def _effect(each: Consumer, stage: int) -> Effect:
    said = parts(bold(f"{each.ref.kind} {each.ref.name}"), " reads it as ", *_ways(each.uses))
    if stage:
        note = f"{plural(each.pods, 'pod')}; the new value arrives by its restart here"
        return Effect("info", "restart", said, note, f"stage {stage}", each.ref)
    if each.restartable:
        note = "It was not restarted with the value that is taken back: it is left as it is"
        return Effect("ok", "ok", said, note, "", each.ref)
    if each.arrival == "restart":
        note = "Keeps the old value until it is made anew: nothing restarts it by itself"
        return Effect("warn", "warn", said, note, "old value", each.ref)
    pulls = any(use.how == "imagePullSecret" for use in each.uses)
    note = _PULLS if pulls else "The new value arrives " + _ARRIVES[each.arrival]
    return Effect("ok", "ok", said, note, "", each.ref)


def _ways(uses: tuple[Use, ...]) -> Parts:
    found: list[tuple[str, Literal["plain", "bold", "code"]]] = []
    for use in uses[:4]:
        found += [plain(", ") if found else plain(""), plain(_HOW[use.how])]
        if use.detail:
            found += [plain(" "), code(use.detail)]
    if len(uses) > 4:
        found.append(plain(f" and {len(uses) - 4} more"))
    return tuple(found)


_HOW = {
    "env": "env",
    "envFrom": "env, through envFrom,",
    "volume": "file",
    "projected": "file",
    "subPath": "file by subPath, which is never refreshed,",
    "csi": "the password of a volume at",
    "imagePullSecret": "a password for images",
    "tls": "the certificate of",
    "serviceAccount": "its own",
}


def notices(kind: str, namespace: str, wanted: Wanted, *, keeps: bool) -> Iterator[Notice]:
    """What to mind, by the Secret's type and by what was typed."""
    if not keeps:
        yield Notice(
            "warn",
            "There will be no way back",
            "Undo needs a backup of the old value. Your account may not create and get Secrets in namespace "
            f"{namespace}, so none can be kept.",
        )
    if blank := unintended_end(base64.b64decode(wanted.get("value", ""))):
        text = "Whoever reads the value gets that too, and most programs take it as a part of the password."
        yield Notice("warn", blank, text)
    match kind:
        case "kubernetes.io/tls":
            yield Notice(
                "warn",
                "A certificate and its key belong together",
                "Only one of the two is written here: until the other follows, they do not fit each other.",
            )
        case "kubernetes.io/dockerconfigjson" | "kubernetes.io/dockercfg":
            return
        case _ if kind == HELM:
            yield Notice(
                "bad",
                "Helm keeps this about itself",
                "It is no password: with another value Helm can neither upgrade nor roll back this release.",
            )
        case _:
            yield Notice(
                "warn",
                "The other side must know the value too",
                "Cluster UI writes the Secret. It does not change the password inside the database, or at whoever else "
                "checks it: if that accepts only one, pods that start with the other cannot sign in.",
            )


def unknown(plurals: Sequence[str], namespace: str) -> Iterator[Notice]:
    """That some kinds may not be listed: what of them reads the key is neither told nor restarted."""
    if plurals:
        yield Notice(
            "warn",
            "Not all who read it are known",
            f"Your account may not list {listed(plurals, 'more kinds')} in namespace {namespace}: those that read the "
            "key are not shown here, and are not restarted.",
        )


def kept_back(ref: Ref) -> Notice:
    """That the account may not restart a workload."""
    text = (
        f"Your account may not patch {ref.plural} in namespace {ref.namespace}: ask somebody to restart it."
    )
    return Notice("warn", f"{ref.name} will keep the old value", text, ref)


def undo_words(*, keeps: bool, prunes: bool = True) -> str:
    """How it goes back, and for how long it can."""
    if not keeps:
        return "Your account may not keep a backup here: this cannot be undone."
    rest = (
        f"the newest {KEPT} old values are kept"
        if prunes
        else "older ones stay, since you may not delete Secrets"
    )
    return f"The old value is kept as an immutable Secret beside this one ({rest}); going back is one click away."


def kubectl(target: Target, key: str, stages: Sequence[Consumer], *, undoing: bool) -> str:
    """The same by hand: the write, then each restart with its end awaited."""
    commands = [rotate_command(target.namespace, target.name, key, "old-value" if undoing else "new-value")]
    for each in stages:
        where = [f"{each.ref.kind.lower()}/{each.ref.name}", "-n", target.namespace]
        commands += [shell_line(["kubectl", "rollout", verb, *where]) for verb in ("restart", "status")]
    return " && ".join(commands)


def rotate_command(namespace: str, name: str, key: str, file: str = "new-value") -> str:
    """The write with kubectl; the value comes from a file, so that no shell keeps it in its history."""
    patch = f'"{{\\"data\\":{{\\"{key}\\":\\"$(base64 -w0 < {file})\\"}}}}"'
    return f"kubectl patch secret {name} -n {namespace} --type=merge -p {patch}"
