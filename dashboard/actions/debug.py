"""A debug container in a pod, as ``kubectl debug`` adds one: an ephemeral one, which nothing can remove (docs/adr/0056).

It waits for shells (``exec``) and does nothing else, so that a shell can end, and another one begin, while it stays.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Self

from django.conf import settings

from dashboard.errors import BadInput, ClusterError, Invalid
from dashboard.insight import Objects
from dashboard.insight.debugging import (
    MAX_HOURS,
    OVER,
    debug_impact,
    debug_progress,
    debuggable,
    fitting_profile,
    level_words,
)
from dashboard.kinds.pods import Pod
from dashboard.kinds.rows import listed
from dashboard.kube.transport import Transport
from dashboard.models import Change

from .action import (
    Action,
    Description,
    DryRun,
    Field,
    Manifest,
    Order,
    OwnedFields,
    Progress,
    Target,
    Wanted,
    pointer,
    sides,
    typed_object,
)
from .create import SHOWN_AFTER, random_ending
from .fields import one_of

CONTAINERS = "/spec/ephemeralContainers"
NONE = "-"  # no target: no container can be called that
LATE = timedelta(minutes=2)
# The first process of a namespace of its own ignores signals that it does not handle, which would hold the pod's end up.
COMMAND = ("/bin/sh", "-c", f"trap 'exit 0' TERM INT; sleep {MAX_HOURS * 3600} & wait")
# The user of distroless images, which are the ones without a shell.
NONROOT = 65532
PROFILES = (
    ("general", "general: traces processes (SYS_PTRACE)"),
    ("baseline", "baseline: no added capabilities"),
    ("restricted", "restricted: not root, no capabilities"),
    ("netadmin", "netadmin: configures the network (NET_ADMIN, NET_RAW)"),
)
_ADDED = {"general": ["SYS_PTRACE"], "netadmin": ["NET_ADMIN", "NET_RAW"]}
_RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


class Debug(Action):
    name, title, icon = "debug", "Debug container", "plus"
    kinds = frozenset({"pods"})
    part = "shell"
    subresource = "ephemeralcontainers"
    reads = frozenset({"pods", "namespaces"})
    tells_unlisted = frozenset({"namespaces"})
    fields = (
        Field(name="image", label="Image", required=False),
        Field(name="target", label="Target container", required=False),
        Field(name="profile", label="Profile", required=False),
    )
    uncontested = "Nobody can take an ephemeral container away."
    made = ""  # the name of the container, once that is decided

    def applies(self, obj: Pod) -> bool:
        return bool(settings.CLUSTER_UI_DEBUG_IMAGES) and obj.status.phase not in OVER

    async def ready(self, target: Target, manifest: Manifest, objects: Objects) -> None:
        if not settings.CLUSTER_UI_DEBUG_IMAGES:
            raise Invalid(
                "This installation names no image for debug containers.",
                next_step="Whoever runs the dashboard sets CLUSTER_UI_DEBUG_IMAGES, such as busybox:1.37.",
            )
        self.check(manifest, {})

    async def fields_of(
        self, transport: Transport, target: Target, manifest: Manifest, objects: Objects
    ) -> Sequence[Field]:
        """With what this pod and its namespace leave to choose. The first of each is what "" stands for, so that the
        preview before anything was chosen is one of what the form shows.
        """
        images, names = settings.CLUSTER_UI_DEBUG_IMAGES, debuggable(typed_object("pods", manifest))
        profile = fitting_profile(objects, target.namespace)
        return (
            Field(
                name="image",
                label="Image",
                required=False,
                choices=[(each, each) for each in images],
                hint=lambda *_: "It needs /bin/sh. The images are those that this installation names.",
            ),
            Field(
                name="target",
                label="Target container",
                required=False,
                choices=_with_default([*((each, each) for each in names), (NONE, "none")]),
                hint=lambda *_: "The container whose processes it sees. Only one that runs can be chosen.",
            ),
            Field(
                name="profile",
                label="Profile",
                required=False,
                choices=_with_default(sorted(PROFILES, key=lambda each: each[0] != profile)),
                hint=lambda *_: level_words(objects, target.namespace),
            ),
        )

    def read(self, typed: Mapping[str, str]) -> Wanted:
        images = [(each, each) for each in settings.CLUSTER_UI_DEBUG_IMAGES] or [("", "")]
        profiles = [("", ""), *PROFILES]
        return {
            "image": one_of("image", images)(typed.get("image", "")),
            "target": typed.get("target", "").strip(),
            "profile": one_of("profile", profiles)(typed.get("profile", "")),
        }

    def check(self, manifest: Manifest, wanted: Wanted) -> None:
        name = manifest["metadata"]["name"]
        if (phase := pointer(manifest, "/status/phase")) in OVER:
            raise Invalid(f"Pod {name} has ended ({phase}): nothing is started in it any more.")
        if (asked := wanted.get("target")) and asked != NONE:
            running = debuggable(typed_object("pods", manifest))
            if asked not in running:
                others = (
                    f"Those that run: {listed(running)}." if running else "None of the pod's containers runs."
                )
                raise BadInput(f"Container {asked[:63]} of {name} is not running. {others}", field="target")

    async def decide(self, order: Order, manifest: Manifest, objects: Objects) -> Wanted:
        await self.ready(order.target, manifest, objects)
        running = debuggable(typed_object("pods", manifest))
        return {
            "created": f"debugger-{random_ending()}",
            "target": order.wanted["target"] or next(iter(running), NONE),
            "profile": order.wanted["profile"] or fitting_profile(objects, order.target.namespace),
        }

    def on(self, wanted: Wanted) -> Self:
        made = copy.copy(self)
        made.made = wanted.get("created", "")
        return made

    def touched(self, manifest: Manifest) -> OwnedFields:
        """The image of the container of that name; None while it is not there."""
        there = {each["name"]: each["image"] for each in pointer(manifest, CONTAINERS) or ()}
        return {f"{CONTAINERS}/{self.made}": there.get(self.made)}

    def body(self, manifest: Manifest, wanted: Wanted) -> Manifest:
        """All of them: a merge patch replaces a list, and it is bound to the version that was read."""
        present = pointer(manifest, CONTAINERS) or []
        return {"spec": {"ephemeralContainers": [*present, self.container(manifest, wanted)]}}

    def container(self, manifest: Manifest, wanted: Wanted) -> Manifest:
        target = "" if wanted["target"] == NONE else wanted["target"]
        made = {
            "name": self.made,
            "image": wanted["image"],
            "command": [*COMMAND],
            **({"targetContainerName": target} if target else {}),
        }
        context = _security(manifest, target, wanted["profile"])
        return made | ({"securityContext": context} if context else {})

    def scrub(self, error: ClusterError, manifest: Manifest, wanted: Wanted) -> None:
        """Says the way out of what Pod Security refuses; there are no values in it."""
        if "violates PodSecurity" in error.message and wanted.get("profile") != "restricted":
            error.next_step = "Choose the profile restricted."

    # ---- What is said of it

    def describe(self, dry: DryRun) -> Description:
        wanted, target = dry.wanted, dry.wanted["target"].removeprefix(NONE)
        return Description.of(
            debug_impact(dry.obj, self.made, wanted["image"], target),
            kubectl=_kubectl(dry.target, self.made, wanted["image"], target, wanted["profile"]),
            undo_words="It can't be removed: it stays until the pod is terminated.",
            button=f"Add {self.made}",
        )

    def words(self, touched: OwnedFields) -> str:
        (path, image), *_ = touched.items()
        name = path.rpartition("/")[2]
        return f"debug container {name}, image {image}" if image else f"no debug container {name}".strip()

    def summary(self, change: Change) -> str:
        return f"Added {self.words(sides(change)[1])}" if change.touched else "Adds a debug container"

    def way_back(self, change: Change) -> str:
        return "An ephemeral container can't be removed: it goes with its pod."

    # ---- Afterwards

    def progress(self, change: Change, found: Pod, objects: Objects, now: datetime) -> Progress:
        name = _made_by(change)
        age = now - change.created_at
        if name not in [each.name for each in found.spec.ephemeral_containers or ()] and age < SHOWN_AFTER:
            text = "The API server has taken the request; it shows in a moment."
            return Progress(state="info", headline=f"{name} is added", text=text, percent=None)
        seen = debug_progress(found, name)
        state, text = seen.state, seen.text
        if state == "info" and age > LATE:
            state, text = "warn", f"{text} That takes longer than usual: look at the pod's events."
        return Progress(
            state=state,
            headline=seen.headline,
            text=text,
            percent=None,
            done=seen.runs or seen.over,
            shell="" if seen.over else name,  # nosec B604 # which container, and no program
        )


def _with_default(choices: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    """The first one is sent as ""."""
    (_, words), *others = choices
    return [("", words), *others]


def _made_by(change: Change) -> str:
    """The name of the container; "" as long as nothing was sent."""
    return next(iter(change.touched), "").rpartition("/")[2]


def _security(manifest: Manifest, target: str, profile: str) -> Manifest:
    """The container's securityContext. It is the target's user where the pod has none, as whose only processes of that
    user can be looked into; where the pod must not run as root, an image that says nothing would not be started.
    """
    found: Manifest = copy.deepcopy(_RESTRICTED) if profile == "restricted" else {}
    if profile in _ADDED:
        found["capabilities"] = {"add": [*_ADDED[profile]]}
    pod = pointer(manifest, "/spec/securityContext") or {}
    own: Manifest = next((each for each in manifest["spec"]["containers"] if each["name"] == target), {})
    user = (own.get("securityContext") or {}).get("runAsUser")
    if profile == "restricted" or pod.get("runAsNonRoot"):
        if not user and not pod.get("runAsUser"):
            user = NONROOT
        if user:
            found["runAsUser"] = user
    return found


def _kubectl(target: Target, name: str, image: str, aim: str, profile: str) -> str:
    flags = [
        f"--image={image}",
        *([f"--target={aim}"] if aim else []),
        f"--profile={profile}",
        f"--container={name}",
    ]
    return target.kubectl("debug -it", *flags, "--", "/bin/sh")


DEBUG = Debug()
