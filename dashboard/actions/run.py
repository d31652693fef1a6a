"""Running a CronJob now, as ``kubectl create job --from=cronjob/…`` does, and a Job again: a new one of its template."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dashboard.insight import Objects
from dashboard.insight.running import run_impact
from dashboard.kinds.jobs import JOBS, Job, completions, finished, judge, status_text
from dashboard.kinds.references import manifest_meant
from dashboard.kinds.rows import plural
from dashboard.kube.shell import piped, shell_line
from dashboard.models import Change

from .action import Description, DryRun, Manifest, Order, Progress, Wanted, typed_object
from .create import Create, random_ending

_LONGEST = 63 - len("-manual-xxxxx")  # a Job's name is a label of its pods
# What the Job controller writes of one Job into it, and what kubectl and the CronJob controller note.
_OF_ONE = frozenset(
    {
        "controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name",
        "batch.kubernetes.io/job-tracking", "batch.kubernetes.io/cronjob-scheduled-timestamp",
        "kubectl.kubernetes.io/last-applied-configuration",
    }
)  # fmt: skip
_MANUAL = {"cronjob.kubernetes.io/instantiate": "manual"}


class Run(Create):
    name, icon = "run", "play"
    part = "operate"
    said = ("create job",)
    other = JOBS
    reads = frozenset({"cronjobs", "jobs", "pods", "nodes", "resourcequotas", "limitranges"})

    def __init__(self, title: str, kind: str) -> None:
        self.title, self.kinds = title, frozenset({kind})

    async def decide(self, order: Order, manifest: Manifest, objects: Objects) -> Wanted:
        return {"created": new_name(order.target.name)}

    def build(self, manifest: Manifest, wanted: Wanted) -> Manifest:
        meta = manifest["metadata"]
        if "jobTemplate" in manifest["spec"]:
            template = manifest["spec"]["jobTemplate"]
            kept = template.get("metadata", {})
            # Without blockOwnerDeletion, which would need a right to the CronJob's finalizers.
            owner = {
                "apiVersion": "batch/v1",
                "kind": "CronJob",
                "name": meta["name"],
                "uid": meta["uid"],
                "controller": True,
            }
            made = {
                "labels": kept.get("labels", {}),
                "annotations": _MANUAL | kept.get("annotations", {}),
                "ownerReferences": [owner],
            }
            return {"metadata": made, "spec": template.get("spec", {})}
        every = meta.get("ownerReferences") or ()
        owners = [each for each in every if manifest_meant(each, "").plural == "cronjobs"]
        made = {
            "labels": _general(meta.get("labels")),
            "annotations": (_MANUAL if owners else {}) | _general(meta.get("annotations")),
            **({"ownerReferences": owners} if owners else {}),
        }
        return {"metadata": made, "spec": _spec(manifest)}

    def shown(self, before: Manifest, after: Manifest) -> tuple[Manifest, Manifest]:
        """Without what the Job controller finds its pods by: that differs with each try."""
        meta = {**after["metadata"], "labels": _general(after["metadata"].get("labels"))}
        spec = _spec(after) | ({"suspend": True} if after["spec"].get("suspend") else {})
        return {}, {**after, "metadata": {k: v for k, v in meta.items() if v != {}}, "spec": spec}

    def describe(self, dry: DryRun) -> Description:
        job: Job = typed_object("jobs", dry.after)
        return Description.of(
            run_impact(dry.objects, dry.obj, job),
            kubectl=self._kubectl(dry),
            undo_words=f"Undo by deleting Job {self.made}, with its pods and their logs.",
            button=f"Run {dry.target.name}",
        )

    def _kubectl(self, dry: DryRun) -> str:
        if dry.target.plural == "cronjobs":
            source = f"--from=cronjob/{dry.target.name}"
            return shell_line(["kubectl", "create", "job", self.made, source, *dry.target.flags])
        return piped(self.write(dry.before, dry.wanted).body, ["kubectl", "create", "-f", "-"])

    def started(self, change: Change, found: Job, objects: Objects, now: datetime) -> Progress:
        word, name = status_text(found), found.metadata.name
        state, reason = judge(found)
        done = finished(found)
        wanted = 1 if found.spec.completions is None else found.spec.completions
        percent = min(100, 100 * found.status.succeeded // max(wanted, 1))
        pods = plural(found.status.active, "active pod")
        text = reason if done or found.status.failed else f"{completions(found)} completions, {pods}."
        return Progress(
            state="ok" if word == "Complete" else state,
            headline=f"{name} is {word.lower()}",
            text=text,
            percent=100 if word == "Complete" else percent,
            done=done,
        )


def new_name(template: str) -> str:
    """A name for a Job that is made of a template."""
    return f"{template[:_LONGEST].rstrip('-.')}-manual-{random_ending()}"


def _general(notes: dict[str, str] | None) -> dict[str, str]:
    """Labels or annotations, without those of one Job."""
    return {key: text for key, text in (notes or {}).items() if key not in _OF_ONE}


def _spec(job: Manifest) -> dict[str, Any]:
    """The spec of a Job, for another one: without selector and labels of its pods, and not suspended by now."""
    template = job["spec"].get("template", {})
    meta = template.get("metadata", {})
    labels = _general(meta.get("labels"))
    meta = {key: each for key, each in meta.items() if key not in ("labels", "creationTimestamp")}
    meta |= {"labels": labels} if labels else {}
    kept = {
        key: each for key, each in job["spec"].items() if key not in ("selector", "manualSelector", "suspend")
    }
    return kept | {"template": {**({"metadata": meta} if meta else {}), "spec": template.get("spec", {})}}


RUN_CRONJOB = Run("Run now", "cronjobs")
RUN_JOB = Run("Run again", "jobs")
