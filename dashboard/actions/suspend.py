"""Suspending and resuming CronJobs and Jobs: spec.suspend. A Job's active pods are deleted meanwhile."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dashboard.errors import Invalid
from dashboard.insight import Objects
from dashboard.insight.newpods import READ
from dashboard.insight.suspending import coming_run, resume_impact, suspend_impact
from dashboard.kinds.cronjobs import CronJob
from dashboard.kinds.jobs import Job, completions, finished, status_text
from dashboard.kinds.rows import plural
from dashboard.models import Change

from .action import Description, DryRun, Manifest, Progress, Wanted, typed_object
from .toggle import Toggle


class Suspend(Toggle):
    kinds = frozenset({"cronjobs", "jobs"})
    field = "suspend"
    states = ("not suspended", "suspended")
    reads = frozenset({"cronjobs", "jobs"}) | READ

    def applies(self, obj: Any) -> bool:
        return super().applies(obj) and not (isinstance(obj, Job) and finished(obj))

    def check(self, manifest: Manifest, wanted: Wanted) -> None:
        if "jobTemplate" in manifest["spec"]:
            return
        job: Job = typed_object("jobs", manifest)
        if finished(job):
            raise Invalid(
                f"Job {job.metadata.name} is {status_text(job).lower()}: it runs no pods any more.",
                next_step="Run it again to create a new Job from its template.",
            )

    def describe(self, dry: DryRun) -> Description:
        impact = suspend_impact if self.sets else resume_impact
        verb, back = ("suspend", "resuming") if self.sets else ("resume", "suspending")
        return Description.of(
            impact(dry.objects, dry.obj, dry.now),
            kubectl=dry.target.kubectl_patch(self.body(dry.before, dry.wanted)),
            undo_words=f"Undo by {back} it; it stays one click away under Changes made here.",
            button=f"{verb.capitalize()} {dry.target.name}",
        )

    def ended(
        self, change: Change, found: CronJob | Job, objects: Objects, now: datetime, made: bool
    ) -> Progress:
        if isinstance(found, Job):
            return _job(change.name, found, made)
        text = "It creates no Jobs until it is resumed."
        if not made:
            coming = coming_run(found, now)
            text = f"Its next scheduled run is at {coming}." if coming else "It creates Jobs on its schedule."
        headline = f"{change.name} is {self.states[made]}"
        return Progress(state="ok", headline=headline, text=text, percent=None, done=True)


def _job(name: str, job: Job, suspended: bool) -> Progress:
    """A Job has come to an end of either once the Job controller has deleted, or created, its pods."""
    if finished(job):
        text = f"It is {status_text(job).lower()}, {completions(job)} done."
        return Progress(state="done", headline=f"{name} is finished", text=text, percent=None, done=True)
    if suspended == (status_text(job) == "Suspended" and not job.status.active):
        text = "It creates no pods until it is resumed."
        if not suspended:
            text = f"{plural(job.status.active, 'active pod')}, {completions(job)} done."
        headline = f"{name} is {'suspended' if suspended else 'running'}"
        return Progress(state="ok", headline=headline, text=text, percent=None, done=True)
    text = (
        "The Job controller deletes its active pods." if suspended else "The Job controller creates its pods."
    )
    headline = f"{name} is being {'suspended' if suspended else 'resumed'}"
    return Progress(state="info", headline=headline, text=text, percent=None)


SUSPEND = Suspend("suspend", "Suspend", "pause", sets=True)
RESUME_JOBS = Suspend("resume", "Resume", "play", sets=False)
