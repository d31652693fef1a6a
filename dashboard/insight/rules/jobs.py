"""What can be wrong with Jobs and CronJobs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache

from dashboard.insight.finding import Finding, Known, Severity, Step, because_of, reported, stands, subject
from dashboard.insight.observed import Observed
from dashboard.insight.words import Parts, code, parts, unled
from dashboard.kinds.base import Ref
from dashboard.kinds.cronjobs import CronJob
from dashboard.kinds.jobs import Job
from dashboard.kinds.meta import ObjectCondition, condition_true, find_condition
from dashboard.kinds.rows import plural
from dashboard.kinds.schedules import never_runs, next_run

from .pod_creation import refused
from .termination import READ_LOG
from .workloads import Group, told

# A Job that failed longer ago is still warning, but no news.
NEWS = timedelta(days=1)
# Runs of a CronJob that are skipped for a shorter time are what concurrencyPolicy Forbid is for.
BLOCKED = timedelta(hours=1)
# Seconds within which a CronJob's controller looks at it.
IN_TIME = 10

_WHY = {
    "BackoffLimitExceeded": "its pods failed {times}, and its backoffLimit allows no more",
    "PodFailurePolicy": "a pod failed in a way that its podFailurePolicy does not retry",
    "FailedIndexes": "{indexes} failed more often than backoffLimitPerIndex allows",
    "MaxFailedIndexesExceeded": "{indexes} failed, more than the {limit} that maxFailedIndexes allows",
}
_ENDED = ("pod-failed", "pod-out-of-memory", "pod-disrupted")
_QUEUE = "kueue.x-k8s.io/queue-name"  # of Kueue, which suspends a Job again that somebody else resumes
_INVALID = ("UnknownTimeZone", "UnparseableSchedule", "UnParseableCronJobSchedule", "InvalidSchedule")
_MISSED = ("TooManyMissedTimes", "FailedNeedsStart", "MissSchedule")


def jobs(survey: Observed, known: Known) -> Iterator[Finding]:
    """Jobs that failed, that fail and try again, whose pods cannot be made, or that are suspended."""
    for job in survey.all("jobs"):
        ref = Ref("Job", job.metadata.namespace, job.metadata.name, "jobs")
        past = (ref.namespace, ref.name) in survey.past_jobs or job.metadata.deletion_timestamp is not None
        if not past and (found := _job(survey, known, job, ref)) is not None:
            yield found


def _job(survey: Observed, known: Known, job: Job, ref: Ref) -> Finding | None:
    conditions, group = job.status.conditions or (), survey.troubles.get(ref, ())
    failed = find_condition(conditions, "Failed")
    if failed is not None and failed.status == "True":
        return _failed(survey, job, ref, failed, group)
    if job.spec.suspend:
        return _suspended(job, ref)
    if not job.status.active and condition_true(conditions, "FailureTarget"):
        return None  # it is just being ended; Failed comes next
    ran = bool(job.status.succeeded or job.status.failed)
    if (
        not job.status.active
        and (found := refused(survey, ref, job, "does not run", 56, any_made=ran)) is not None
    ):
        return found
    if not group:
        return None
    found = told(known, ref, group)
    if found.rule not in ("pod-failed", "pod-disrupted"):
        return found
    if job.spec.pod_failure_policy is not None and not job.status.failed:
        return _ignored(found)
    return replace(found, severity="warn")  # it tries again by itself


def _ignored(found: Finding) -> Finding:
    """Failures that its podFailurePolicy lets pass, as of pods that were moved: they do not count."""
    text = parts(*found.text, " Its podFailurePolicy ignores that, and it is retried.")
    step = replace(found.step, text="Nothing, if it completes; else read its log to see why.")
    evidence = (*found.evidence, *stands("status.failed", "0: none of them counts"))
    return replace(found, severity="note", text=text, step=step, evidence=evidence)


def _failed(survey: Observed, job: Job, ref: Ref, because: ObjectCondition, group: Group) -> Finding:
    late = because.reason == "DeadlineExceeded"
    times = plural(job.status.failed, "time")
    indexes = f"indexes {job.status.failed_indexes}" if job.status.failed_indexes else "some of its indexes"
    limit = job.spec.max_failed_indexes
    why = _WHY.get(because.reason, "its pods failed").format(times=times, indexes=indexes, limit=limit)
    if because.reason == "BackoffLimitExceeded" and job.spec.template.spec.restart_policy == "OnFailure":
        # Its containers are restarted in their pod, which counts as one that failed (syncJob, pastBackoffLimitOnFailure).
        why = "its containers failed again after each restart, and its backoffLimit allows no more"
    if late:
        why = f"it took longer than {job.spec.active_deadline_seconds} s"
    old = survey.older(because.last_transition_time, NEWS)
    severity: Severity = "warn" if old else "bad"
    rest: Parts = ()
    step = Step("A failed Job is not retried: recreate it once the cause is clear.", ref)
    evidence, log, pod = because_of(because), None, None
    ended = [(one, trouble) for one, trouble in group if trouble.rule in _ENDED]
    if ended:
        last, trouble = max(ended, key=lambda one: str(one[1].since))
        rest = parts("; the last: ", *unled(trouble.rest)) if trouble.rest else ()
        todo = f"{trouble.step.text} A failed Job is not retried."
        if trouble.step.text == READ_LOG:
            todo = "Read the log of its last pod; a failed Job is not retried."
        step = replace(trouble.step, text=todo)
        evidence, log = (*evidence, *trouble.evidence), trouble.log
        pod = Ref("Pod", last.metadata.namespace, last.metadata.name, "pods")
    text = parts(*subject(ref), f" failed: {why}", *rest, ".")
    owner = job.metadata.controller
    return Finding(
        "job-deadline" if late else "job-failed", severity, 44, ref, text, step, evidence,
        because.last_transition_time, log=log, shared=f"job:{owner.uid}" if owner else "", pod=pod,
    )  # fmt: skip


def _suspended(job: Job, ref: Ref) -> Finding:
    text = parts(*subject(ref), " is suspended: it creates no pods until it is resumed.")
    step = Step("Set spec.suspend to false when it should run.", ref, "yaml")
    if queue := job.metadata.labels.get(_QUEUE):
        step = Step(f"Nothing: Kueue resumes it when its queue {queue} has room for it.", ref)
    return Finding("job-suspended", "note", 10, ref, text, step, stands("spec.suspend", "true"))


def cronjobs(survey: Observed, known: Known) -> Iterator[Finding]:
    """CronJobs that start nothing: by an invalid schedule, by a run that does not end, by being late, or because
    they are switched off.
    """
    for cron in survey.all("cronjobs"):
        if cron.metadata.deletion_timestamp is None:
            ref = Ref("CronJob", cron.metadata.namespace, cron.metadata.name, "cronjobs")
            found = _cron(survey, known, cron, ref)
            if found is not None:
                yield found


def _cron(survey: Observed, known: Known, cron: CronJob, ref: Ref) -> Finding | None:
    if cron.spec.suspend:
        text = parts(*subject(ref), " is suspended: it starts no Jobs.")
        step = Step("Set spec.suspend to false when it should run again.", ref, "yaml")
        return Finding("cronjob-suspended", "note", 10, ref, text, step, stands("spec.suspend", "true"))
    schedule = stands("spec.schedule", f"{cron.spec.schedule} {cron.spec.time_zone or ''}".strip())
    event = survey.event(cron.metadata.uid, *_INVALID)
    never = never_runs(cron.spec.schedule)
    if event is not None or never:
        why, todo = parts("its schedule ", code(cron.spec.schedule), " is invalid"), "Correct spec.schedule."
        if never:  # of which the Event is gone after an hour
            why = parts("no day fits its schedule ", code(cron.spec.schedule))
        elif event is not None and event.reason == "UnknownTimeZone":
            why = parts("its time zone ", code(cron.spec.time_zone or ""), " is not known")
            todo = "Set spec.timeZone to a name of the time zone database, such as Europe/Berlin."
        evidence = (*reported(event), *schedule)
        since = event.first_seen if event is not None else cron.metadata.creation_timestamp
        text = parts(*subject(ref), " starts no Jobs: ", *why, ".")
        return Finding("cronjob-invalid", "bad", 42, ref, text, Step(todo, ref, "yaml"), evidence, since)
    ran = cron.status.last_schedule_time is not None
    if (found := refused(survey, ref, cron, "starts no Jobs", 43, any_made=ran)) is not None:
        return found
    if (found := _blocked(survey, known, cron, ref)) is not None:
        return found
    event = survey.event(cron.metadata.uid, *_MISSED)
    started = cron.status.last_schedule_time
    if event is not None and (started is None or event.last_seen is None or started < event.last_seen):
        limit = cron.spec.starting_deadline_seconds
        text = parts(*subject(ref), " missed a scheduled start.")
        late = f" (startingDeadlineSeconds is {limit})" if limit is not None else ""
        step = Step(
            f"Check whether the control plane was unavailable, or set a longer deadline{late}.", ref, "events"
        )
        if event.reason == "TooManyMissedTimes":  # since the last start, or since startingDeadlineSeconds ago
            step = Step(
                "Check whether the control plane was unavailable; set startingDeadlineSeconds, or lower it.",
                ref,
                "yaml",
            )
        evidence = (*reported(event), *schedule)
        return Finding("cronjob-missed", "warn", 32, ref, text, step, evidence, event.last_seen)
    return _short_deadline(cron, ref)


def _short_deadline(cron: CronJob, ref: Ref) -> Finding | None:
    """Kubernetes warns of it (kubernetes.io/docs/concepts/workloads/controllers/cron-jobs, startingDeadlineSeconds)."""
    limit = cron.spec.starting_deadline_seconds
    if limit is None or limit >= IN_TIME:
        return None
    text = parts(
        *subject(ref), f" may skip runs: its startingDeadlineSeconds is {limit}, and a start may take {IN_TIME} s."
    )  # fmt: skip
    step = Step(f"Set startingDeadlineSeconds to {IN_TIME} or more, or remove it.", ref, "yaml")
    evidence = stands("spec.startingDeadlineSeconds", str(limit))
    return Finding("cronjob-short-deadline", "note", 11, ref, text, step, evidence)


def _blocked(survey: Observed, known: Known, cron: CronJob, ref: Ref) -> Finding | None:
    """A run that does not end, while concurrencyPolicy Forbid lets no other begin."""
    spec, started = cron.spec, cron.status.last_schedule_time
    running = [
        job.name for job in cron.status.active or () if not survey.lacks("jobs", ref.namespace, job.name)
    ]
    if spec.concurrency_policy != "Forbid" or not running or not survey.older(started, BLOCKED):
        return None
    since = _due(spec.schedule, spec.time_zone, started) if started is not None else None
    if since is None or not survey.older(since, BLOCKED):
        return None
    job = Ref("Job", ref.namespace, running[0], "jobs")
    text = parts(
        *subject(ref),
        " starts no Jobs: its concurrencyPolicy is Forbid, and Job ",
        code(job.name),
        " has not ended.",
    )
    step = Step("See why that Job does not end: delete it, and set activeDeadlineSeconds for the next.", job)
    evidence = (
        *stands("spec.concurrencyPolicy", "Forbid"),
        *stands(
            "status.lastScheduleTime",
            f"{started:%Y-%m-%d %H:%M} UTC; a run was due at {since:%Y-%m-%d %H:%M} UTC",
        ),
    )
    found = Finding("cronjob-blocked", "warn", 33, ref, text, step, evidence, since)
    cause = known.get(job)
    return found.following(cause) if cause is not None and cause.severity != "note" else found


@lru_cache(maxsize=1024)  # a schedule of each minute has 1,440 moments a day
def _due(schedule: str, zone: str | None, started: datetime) -> datetime | None:
    """The first run after one that was started. Where the control plane's own time zone counts and is not UTC, the
    second one by UTC, which is no sooner.
    """
    scheduled = next_run(schedule, zone, started - timedelta(minutes=1)) == started
    due = next_run(schedule, zone, started)
    return due if scheduled or due is None else next_run(schedule, zone, due)
