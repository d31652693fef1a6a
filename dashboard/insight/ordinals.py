"""What scaling a StatefulSet does: which pods go or come, in which order, and what becomes of their claims.

Rules: kubernetes/kubernetes, pkg/controller/statefulset (stateful_set_control.go, stateful_set_utils.go); kubernetes.io,
StatefulSets, "Deployment and Scaling Guarantees" and "PersistentVolumeClaim retention".
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cached_property

from dashboard.kinds.base import Ref
from dashboard.kinds.persistentvolumeclaims import PersistentVolumeClaim
from dashboard.kinds.references import reference
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.statefulsets import StatefulSet

from .impact import Effect, Impact, Notice
from .pod_health import is_ready
from .protocols import Objects
from .scaling import Scalable, Scaling
from .words import parts


class OrdinalScaling(Scaling):
    """One change of the replicas of a StatefulSet."""

    workload: StatefulSet

    @cached_property
    def changed(self) -> list[str]:
        """The pods that come, the lowest first, or go, the highest first: the order of the controller."""
        start = self.workload.spec.ordinals.start
        names = [
            f"{self.name}-{start + number}"
            for number in range(min(self.current, self.replicas), max(self.current, self.replicas))
        ]
        return names if self.more > 0 else names[::-1]

    @property
    def ordered(self) -> bool:
        return self.workload.spec.pod_management_policy == "OrderedReady"

    def starting(self) -> str:
        each = ", one after the other, each when the one before is ready" if self.ordered else ", all at once"
        return f"{listed(self.changed)}{each if len(self.changed) > 1 else ''}"

    def ending(self) -> str:
        if len(self.changed) == 1:
            return f"; it is {self.changed[0]}, the highest ordinal"
        order = ", one after the other" if self.ordered else ", all at once"
        return f"; {listed(self.changed)}{order}"

    # ---- Their claims

    @cached_property
    def claims(self) -> list[str]:
        """The claims of the pods that come or go."""
        return [claim.metadata.name for claim in self._claims]

    @cached_property
    def _claims(self) -> list[PersistentVolumeClaim]:
        templates = self.workload.spec.volume_claim_templates or ()
        return [template.claim(self.namespace, pod) for pod in self.changed for template in templates]

    @property
    def deleted_data(self) -> bool:
        """Whether claims are deleted with their pods."""
        retention = self.workload.spec.persistent_volume_claim_retention_policy
        return self.more < 0 and bool(self.claims) and retention.when_scaled == "Delete"

    def on_the_rest(self) -> Iterator[Effect]:
        names, one = listed(self.claims), len(self.claims) == 1
        if not self.claims:
            yield from super().on_the_rest()
        elif self.deleted_data:
            text = f"{'Claim' if one else 'Claims'} {names} {'is' if one else 'are'} deleted after the pods"
            yield Effect("bad", "bad", parts(text), self._volumes(), "deleted")
        elif self.more < 0:
            text = f"{'Claim' if one else 'Claims'} {names} {'is' if one else 'are'} kept"
            yield Effect(
                "ok", "ok", parts(text), "whenScaled: Retain; scaled up again, the pods get their data back"
            )
        else:
            there = [
                name
                for name in self.claims
                if self.objects.get("persistentvolumeclaims", self.namespace, name)
            ]
            if there:
                text = f"{'Claim' if len(there) == 1 else 'Claims'} {listed(there)} existed before"
                yield Effect("info", "info", parts(text), "the pods start with the data that is there")
            yield from self._created([one for one in self._claims if one.metadata.name not in there])

    def _created(self, claims: list[PersistentVolumeClaim]) -> Iterator[Effect]:
        """The claims that come with the pods, and outlast them: nobody is told when they are left behind."""
        sizes: dict[tuple[str, str], list[str]] = {}
        for claim in claims:
            asked = claim.requested, _class_words(claim)
            sizes.setdefault(asked, []).append(claim.metadata.name)
        known = self.objects.reads("persistentvolumeclaims", self.namespace)
        for (size, which), names in sizes.items():
            one = len(names) == 1
            text = f"{'Claim' if one else 'Claims'} {listed(names)} {'is' if one else 'are'} created"
            if not known:
                text += f", unless {'it exists' if one else 'they exist'}"
            what = f"{size}{'' if one else ' each'}, {which}"
            policy = self.workload.spec.persistent_volume_claim_retention_policy.when_scaled
            if policy == "Delete":
                after = f"deleted again when it is scaled down (whenScaled: {policy})"
            else:
                stay = "it stays" if one else "they stay"
                after = (
                    f"{stay}, with {'its' if one else 'their'} data, when it is scaled down or this is undone"
                )
            yield Effect("info", "plus", parts(text), f"{what}; {after}")

    def _volumes(self) -> str:
        """What becomes of the data itself, as far as the volumes tell."""
        found = set()
        for name in self.claims:
            claim = self.objects.get("persistentvolumeclaims", self.namespace, name)
            volume = claim and self.objects.get("persistentvolumes", "", claim.spec.volume_name)
            found.add(volume.spec.persistent_volume_reclaim_policy if volume else "")
        if found == {"Retain"}:
            return "whenScaled: Delete; their volumes are kept, with their data (reclaim policy Retain)"
        if found == {"Delete"}:
            return "whenScaled: Delete; their volumes go with them, and all data on these (reclaim policy Delete)"
        return "whenScaled: Delete; the reclaim policy of their volumes decides about the data"

    def headline(self) -> Notice | None:
        found = super().headline()
        if not self.deleted_data or (found is not None and found.state == "bad"):
            return found
        text = "Its claims' whenScaled policy is Delete. Scaled up again, the pods start with empty volumes."
        which = "claim" if len(self.claims) == 1 else "claims"
        title = f"The {which} of {plural(len(self.changed), 'pod')} will be deleted"
        return Notice("bad", title, text)

    @property
    def danger(self) -> bool:
        return super().danger or self.deleted_data

    # ---- Who else has a say

    def notices(self) -> Iterator[Notice]:
        yield from super().notices()
        yield from self._blocked()
        yield from self._quorum()

    def _blocked(self) -> Iterator[Notice]:
        """In order, nothing starts or ends while one of the pods that stay is not ready."""
        going = self.changed if self.more < 0 else ()
        waits = [
            pod.metadata.name for pod in self.pods if not is_ready(pod) and pod.metadata.name not in going
        ]
        if self.ordered and self.more and waits:
            title = f"{listed(waits)} {'is' if len(waits) == 1 else 'are'} not ready: scaling waits"
            text = "podManagementPolicy is OrderedReady: the next pod starts or ends when those below it are ready."
            yield Notice("warn", title, text)

    def _quorum(self) -> Iterator[Notice]:
        """Members that go still count where they voted, until they are removed there."""
        majority = self.current // 2 + 1
        if self.more < 0 < self.replicas:
            left = f"{self.replicas} of {plural(self.current, 'member')} left"
            first = "Remove the pods that go from its own list of members first."
            if self.replicas < majority:
                text = f"Quorum members (databases, queues, etcd) need {majority} of {self.current}; else writes stop."
                yield Notice("warn", f"{left}: no quorum", f"{text} {first}")
            else:
                text = f"A quorum needs {majority} of {self.current} as long as all of them count. {first}"
                yield Notice("info", f"{left}: quorum", text)
        elif self.more > 0 and self.replicas > 2 and not self.replicas % 2:
            needed, fewer = self.replicas // 2 + 1, self.replicas - 1
            text = f"A quorum needs {needed} of {self.replicas}: no more may fail than with {fewer}."
            yield Notice("info", "An even number of members", text)


def _class_words(claim: PersistentVolumeClaim) -> str:
    if claim.storage_class:
        return f"storage class {claim.storage_class}"
    return "default storage class" if claim.spec.storage_class_name is None else "no storage class"


def scale_impact(
    objects: Objects, workload: Scalable, replicas: int, now: datetime, ref: Ref | None = None
) -> Impact:
    """What happens when a workload is scaled to ``replicas``, as far as the objects tell. ``ref`` is the object itself,
    of which a Scale tells no kind.

    What is not read (a kind the account may not list) is left out, not guessed.
    """
    meta = workload.metadata
    ref = ref or reference(type(workload).__name__, meta.namespace, meta.name)
    scaling = OrdinalScaling if isinstance(workload, StatefulSet) else Scaling
    return scaling(objects, workload, ref, replicas, now).impact()
