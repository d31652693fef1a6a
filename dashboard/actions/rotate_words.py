"""What the preview of a rotation says: who reads the key, what restarts in which order, what to mind."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from dashboard.insight import Effect, Notice
from dashboard.insight.environment import variable_flaw
from dashboard.insight.restart import Outlook
from dashboard.insight.secretrules import HELM, unintended_end
from dashboard.insight.secretuse import Consumer, Use
from dashboard.insight.words import Parts, bold, code, parts, plain
from dashboard.kinds.base import Ref
from dashboard.kinds.rows import listed, plural
from dashboard.kube.shell import shell_line

from .action import Target, Wanted
from .backups import KEPT
from .rotation import EMPTY, KEEPS

PAIR = frozenset({"tls.crt", "tls.key"})  # that belong together
_NEW, _OLD = "new-value", "old-value"  # the files that a command reads
MAX_EFFECTS = 60  # of a key that more read, the rest is counted


def headline(
    stages: Sequence[Consumer], held: Sequence[Ref], keys: Sequence[str], *, undoing: bool
) -> Notice:
    """What happens, in a sentence. ``held`` need a restart that would replace no pod."""
    what = "values are" if len(keys) > 1 else "value is"
    what = f"The old {what} written again" if undoing else f"The new {what} written"
    if held and not stages:
        who = listed([ref.name for ref in held])
        title = f"{what}, and {who} {'keeps' if len(held) == 1 else 'keep'} the value before"
        return Notice("warn", title, "Nothing is restarted; see below why, and what brings the value there.")
    if not stages:
        return Notice("info", f"{what}, and nothing has to be restarted", "See below who reads it, and when.")
    names = ", then ".join(each.ref.name for each in stages)
    many = f"{len(stages)} workloads restart"
    return Notice(
        "info",
        f"{what}, then {many} one after the other" if len(stages) > 1 else f"{what}, then {names} restarts",
        f"{names}. Each must be up before the next starts; it stops at the first that does not become ready."
        if len(stages) > 1
        else "It is followed until it is up, or does not come up.",
    )


_PROPAGATES = {"soon": "by itself, in about a minute", "next": "with its next run"}
_PULLS = "It is used whenever an image is pulled: with the next pod"


def flaws_of(wanted: Wanted) -> dict[str, str]:
    """Of which keys no container can be given the typed value as a variable, and why."""
    found = {key: variable_flaw(base64.b64decode(value)) for key, value in wanted.get("values", {}).items()}
    return {key: flaw for key, flaw in found.items() if flaw}


def broken(consumers: Sequence[Consumer], flaws: Mapping[str, str]) -> Notice | None:
    """That new pods of some will not start with a value, for its flaw."""
    read = {key for each in consumers for key in each.variables}
    why = [
        f"They read {key} as an environment variable, and this value {flaw}."
        for key, flaw in flaws.items()
        if key in read
    ]
    if not why:
        return None
    who = [each.ref.name for each in consumers if flaws.keys() & each.variables]
    text = (
        f"{' '.join(why)} They are not restarted, and the "
        "restarts stop there; a pod that starts for another reason does not come up."
    )
    return Notice("bad", f"New pods of {listed(who)} will not start", text)


def effects(
    consumers: Sequence[Consumer],
    stages: Sequence[Consumer],
    outlooks: Mapping[Ref, Outlook],
    flaws: Mapping[str, str],
) -> Iterator[Effect]:
    """Who reads the keys, how, and when the values reach it. ``stages`` are those that are restarted, in their order;
    ``outlooks`` what a restart comes to.
    """
    if not consumers:
        yield Effect("info", "info", parts("Nothing in this namespace reads it, as far as its objects say."))
    ordered = [*stages, *(each for each in consumers if each not in stages)]
    for at, each in enumerate(ordered[:MAX_EFFECTS], start=1):
        outlook = outlooks.get(each.ref, Outlook())
        flaw = next((flaws[key] for key in each.variables if key in flaws), "")
        yield _effect(each, at if at <= len(stages) else 0, outlook, flaw)
    if (more := len(consumers) - MAX_EFFECTS) > 0:
        yield Effect("info", "info", parts(f"{plural(more, 'further object')} read it."))


def hook_effect(namespace: str, job: str) -> Effect:
    """What runs before the restarts."""
    text = parts("A Job of ", bold(f"CronJob {job}"), " runs first")
    note = "Nothing is restarted before it is complete; where it fails, nothing is, and going back is a click away"
    return Effect("info", "play", text, note, "first", Ref("CronJob", namespace, job, "cronjobs"))


def _effect(each: Consumer, stage: int, outlook: Outlook, flaw: str) -> Effect:
    said = parts(bold(f"{each.ref.kind} {each.ref.name}"), " reads it as ", *_ways(each.uses))
    if flaw:
        note = f"Its new pods would not start: the value {flaw}"
        return Effect("bad", "bad", said, note, "breaks", each.ref)
    if stage:
        note = f"{plural(each.pods, 'pod')}; the new value arrives by its restart here"
        if outlook.partly:
            note += f". {outlook.partly}"
        if outlook.unready:
            note += f". {outlook.unready} now"
        if outlook.down:
            note += ": if it does not come up, that says nothing about the value, and stops no restarts"
        state: Literal["warn", "info"] = "warn" if outlook.partly or outlook.unready else "info"
        return Effect(state, "restart", said, note, f"stage {stage}", each.ref)
    if outlook.held:
        return Effect("warn", "warn", said, f"{outlook.held} {KEEPS}", "old value", each.ref)
    if outlook.empty:
        return Effect("ok", "ok", said, EMPTY, "", each.ref)
    if each.restartable:
        note = "It was not restarted with the value that is being undone: it keeps running"
        return Effect("ok", "ok", said, note, "", each.ref)
    if each.propagation == "restart":
        note = "Keeps the old value until it is recreated: nothing restarts it automatically"
        return Effect("warn", "warn", said, note, "old value", each.ref)
    pulls = any(use.how == "imagePullSecret" for use in each.uses)
    note = _PULLS if pulls else "The new value arrives " + _PROPAGATES[each.propagation]
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


def notices(kind: str, wanted: Wanted, keys: Sequence[str], *, keeps: bool) -> Iterator[Notice]:
    """What to mind, by the Secret's type and by what was typed."""
    if not keeps:
        text = f"Undo needs a backup of the old value, and none can be kept. {wanted.get('no_backup', '')}"
        yield Notice("warn", "You won't be able to undo this", text.strip())
    values = wanted.get("values", {})
    for key, value in values.items():
        if blank := unintended_end(base64.b64decode(value)):
            text = (
                "Whoever reads the value gets that too, and most programs take it as a part of the password."
            )
            yield Notice("warn", f"{key}: {blank[0].lower()}{blank[1:]}" if len(values) > 1 else blank, text)
    match kind:
        case "kubernetes.io/tls" if PAIR.issubset(keys):
            return
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
                "Helm stores its release here",
                "It is not a password: with another value Helm can neither upgrade nor roll back this release.",
            )
        case _:
            yield Notice(
                "warn",
                "Change the password in the database too",
                "Cluster UI only writes the Secret. It doesn't change the password in the database or other service that "
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


def held(ref: Ref, outlook: Outlook) -> Notice:
    """That a restart would replace no pod of a workload."""
    return Notice("warn", f"{ref.name} will keep the old value", f"{outlook.held} It is not restarted.", ref)


def kept_back(ref: Ref) -> Notice:
    """That the account may not restart a workload."""
    text = (
        f"Your account may not patch {ref.plural} in namespace {ref.namespace}: ask somebody to restart it."
    )
    return Notice("warn", f"{ref.name} will keep the old value", text, ref)


def undo_words(*, keeps: bool, prunes: bool = True) -> str:
    """How it goes back, and for how long it can."""
    if not keeps:
        return "No backup of the old value can be kept here: this cannot be undone."
    rest = (
        f"the newest {KEPT} old values are kept"
        if prunes
        else "older ones stay, since you may not delete Secrets"
    )
    return f"The old value is kept as an immutable Secret beside this one ({rest}); going back is one click away."


def kubectl(
    target: Target, keys: Sequence[str], stages: Sequence[Consumer], job: str, *, undoing: bool
) -> str:
    """The same by hand: the write, what runs before the restarts, then each of them, with its end awaited."""
    commands = [rotate_command(target.namespace, target.name, keys, _OLD if undoing else _NEW)]
    if job:
        where = ["-n", target.namespace]
        commands += [
            shell_line(["kubectl", "create", "job", "new-value", f"--from=cronjob/{job}", *where]),
            shell_line(
                ["kubectl", "wait", "--for=condition=Complete", "job/new-value", "--timeout=1h", *where]
            ),
        ]
    for each in stages:
        where = [f"{each.ref.kind.lower()}/{each.ref.name}", "-n", target.namespace]
        commands += [shell_line(["kubectl", "rollout", verb, *where]) for verb in ("restart", "status")]
    return " && ".join(commands)


def kubectl_note(keys: Sequence[str], *, undoing: bool) -> str:
    """Which files it reads."""
    age, file = ("old", _OLD) if undoing else ("new", _NEW)
    if len(keys) == 1:
        return f"It reads a file {file} with just the {age} value."
    files = listed([f"{file}.{key}" for key in keys])
    return f"It reads the files {files}, each with just the {age} value of its key."


def rotate_command(namespace: str, name: str, keys: Sequence[str], file: str = _NEW) -> str:
    """The write with kubectl; the values come from files, so that no shell keeps them in its history."""
    data = [
        f'\\"{key}\\":\\"$(base64 < {file if len(keys) == 1 else f"{file}.{key}"} | tr -d \'\\n\')\\"'
        for key in keys
    ]
    patch = f'"{{\\"data\\":{{{",".join(data)}}}}}"'
    return f"kubectl patch secret {name} -n {namespace} --type=merge -p {patch}"
