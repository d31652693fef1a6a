"""What suspending a CronJob or a Job does, and resuming it.

Rules: kubernetes.io, CronJob, "Schedule suspension", and Job, "Suspending a Job"; kubernetes/kubernetes,
pkg/controller/cronjob (``mostRecentScheduleTime``) and pkg/controller/job (``manageJob``, ``jobSuspended``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from dashboard.kinds.base import Ref
from dashboard.kinds.cronjobs import CronJob
from dashboard.kinds.jobs import Job, completions, finished
from dashboard.kinds.rows import plural
from dashboard.kinds.schedules import next_run, schedule_words

from .impact import Effect, Notice
from .newpods import pods_left
from .ownership import controller
from .protocols import Objects
from .words import bold, parts


@dataclass(frozen=True, slots=True)
class SuspendImpact:
    """``headline`` is the consequence that comes first; ``danger``: pods that run are terminated."""

    headline: Notice
    effects: tuple[Effect, ...]
    notices: tuple[Notice, ...] = ()
    danger: bool = False


def suspend_impact(objects: Objects, obj: CronJob | Job, now: datetime) -> SuspendImpact:
    """What happens when it is suspended, as far as the objects tell."""
    if isinstance(obj, Job):
        return SuspendImpact(_job_stops(obj), tuple(_stopped(objects, obj)), danger=obj.status.active > 0)
    return SuspendImpact(_schedule_stops(obj), tuple(_skipped(objects, obj, now)))


def resume_impact(objects: Objects, obj: CronJob | Job, now: datetime) -> SuspendImpact:
    """The same of resuming it."""
    if isinstance(obj, Job):
        return SuspendImpact(_job_starts(obj), tuple(_started(obj)))
    return SuspendImpact(_schedule_goes_on(obj, now), tuple(_scheduled(obj, now)))


def unfinished_jobs(objects: Objects, cron_job: CronJob) -> list[Job]:
    """The Jobs of a CronJob that have not ended."""
    meta = cron_job.metadata
    return [
        job
        for job in objects.all("jobs", meta.namespace)
        if (owner := job.metadata.controller) is not None and owner.uid == meta.uid and not finished(job)
    ]


# ---- CronJobs


def _schedule_stops(cron_job: CronJob) -> Notice:
    name, words = cron_job.metadata.name, schedule_words(cron_job.spec.schedule)
    text = f"It is scheduled {words}. " if words else ""
    return Notice(
        "info", f"{name} creates no Jobs until it is resumed", f"{text}Times that pass meanwhile are missed."
    )


def _skipped(objects: Objects, cron_job: CronJob, now: datetime) -> Iterator[Effect]:
    if coming := coming_run(cron_job, now):
        yield Effect("warn", "wait", parts("The run at ", bold(coming), " is skipped"), "", "skipped")
    yield from _running(objects, cron_job)
    text = parts("Jobs and logs of earlier runs stay")
    yield Effect("ok", "ok", text, "the history limits are applied as before")


def _running(objects: Objects, cron_job: CronJob) -> Iterator[Effect]:
    for job in unfinished_jobs(objects, cron_job)[:5]:
        namespace, name = job.metadata.namespace, job.metadata.name
        text = parts(bold(f"Job {name}"), " keeps running")
        yield Effect("ok", "play", text, f"{completions(job)} done", "", Ref("Job", namespace, name, "jobs"))


def missed(cron_job: CronJob, now: datetime) -> bool:
    """Whether a Job starts as soon as it is resumed: a time has passed since the last one, within the deadline."""
    spec, status = cron_job.spec, cron_job.status
    since = status.last_schedule_time or cron_job.metadata.creation_timestamp
    if since is None:
        return False
    if spec.starting_deadline_seconds is not None:
        since = max(since, now - timedelta(seconds=spec.starting_deadline_seconds))
    due = next_run(spec.schedule, spec.time_zone, since)
    return due is not None and due <= now


def _schedule_goes_on(cron_job: CronJob, now: datetime) -> Notice:
    name = cron_job.metadata.name
    if missed(cron_job, now):
        text = "A scheduled time has passed while it was suspended: the latest one is started, the others are not."
        return Notice("warn", f"{name} starts a Job immediately", text)
    coming = coming_run(cron_job, now)
    text = f"The next one at {coming}." if coming else ""
    return Notice("info", f"{name} creates Jobs on its schedule again", text)


def _scheduled(cron_job: CronJob, now: datetime) -> Iterator[Effect]:
    spec = cron_job.spec
    if coming := coming_run(cron_job, now):
        text = parts("The next scheduled run is at ", bold(coming))
        yield Effect("ok", "wait", text, schedule_words(spec.schedule))
    if spec.starting_deadline_seconds is None and missed(cron_job, now):
        note = "with a startingDeadlineSeconds, only a recent one would be started"
        yield Effect("info", "info", parts("It has no starting deadline"), note)
    active = len(cron_job.status.active or ())  # without those that somebody ran
    if active and spec.concurrency_policy == "Forbid":
        text = parts(f"{plural(active, 'Job')} of it {'is' if active == 1 else 'are'} not finished")
        yield Effect("info", "wait", text, "concurrencyPolicy Forbid: a run is skipped until then")


def coming_run(cron_job: CronJob, now: datetime) -> str:
    """When it is scheduled next, ``2026-03-02 03:00 UTC``; "" where that is not known."""
    spec = cron_job.spec
    coming = next_run(spec.schedule, spec.time_zone, now)
    return f"{coming:%Y-%m-%d %H:%M} UTC" if coming else ""


# ---- Jobs


def _job_stops(job: Job) -> Notice:
    name, active = job.metadata.name, job.status.active
    if not active:
        return Notice("info", f"{name} creates no pods until it is resumed", "It has no active pods now.")
    title = f"{plural(active, 'active pod')} of {name} {'is' if active == 1 else 'are'} terminated"
    return Notice("warn", title, "What they have not finished starts over when it is resumed.")


def _stopped(objects: Objects, job: Job) -> Iterator[Effect]:
    if active := job.status.active:
        text = parts(
            f"{plural(active, 'active pod')} {'is' if active == 1 else 'are'} deleted, with the logs"
        )
        yield Effect("warn", "end", text, "each has its grace period to shut down", "stops")
    if job.status.succeeded:
        text = parts(f"{completions(job)} completions stay counted")
        yield Effect("ok", "ok", text)
    if job.spec.active_deadline_seconds is not None:
        text = parts("Its activeDeadlineSeconds starts over when it is resumed")
        yield Effect("info", "wait", text)
    ref, found = controller(objects, job)
    if ref is not None and ref.plural == "cronjobs":
        runs = (found.status.active or ()) if found is not None else ()
        forbids = found is not None and found.spec.concurrency_policy == "Forbid"
        if forbids and any(one.uid == job.metadata.uid for one in runs):
            text = parts(bold(f"CronJob {ref.name}"), " skips its runs until this Job is finished")
            yield Effect("warn", "wait", text, "its concurrencyPolicy is Forbid", "skipped", ref)


def _job_starts(job: Job) -> Notice:
    name, count = job.metadata.name, pods_left(job)
    title = f"{name} creates {plural(count, 'pod')}"
    return Notice("info", title, f"{completions(job)} completions are done so far.")


def _started(job: Job) -> Iterator[Effect]:
    count = pods_left(job)
    yield Effect(
        "ok",
        "plus",
        parts(plural(count, "pod starts", "pods start")),
        "its parallelism, without what is done",
    )
    if job.spec.active_deadline_seconds is not None:
        seconds = job.spec.active_deadline_seconds
        text = parts(f"It has {plural(seconds, 'second')} from then")
        yield Effect("info", "wait", text, "activeDeadlineSeconds counts from the resumption")
