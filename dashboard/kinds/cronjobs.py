"""CronJobs: Jobs on a schedule."""

from __future__ import annotations

from datetime import datetime

from .base import GVR, Cell, Detail, Fact, Found, Kind, Row, State
from .facts import page
from .jobs import JobSpec
from .meta import Object, ObjectReference, Struct
from .references import reference
from .rows import AGE_HELP, NAME_HELP, NONE, age, age_key, col, columns, make_row, plural, sort_keys
from .schedules import schedule_words
from .selectors import format_label_selector
from .templates import (
    CONTAINERS,
    IMAGES,
    container_cells,
    selector_column,
    template_containers,
    template_facts,
    template_images,
)


class JobTemplate(Struct, frozen=True, gc=False):
    """spec.jobTemplate."""

    spec: JobSpec = JobSpec()


class CronJobSpec(Struct, frozen=True, gc=False):
    """spec of a CronJob."""

    schedule: str = ""
    time_zone: str | None = None
    suspend: bool | None = None
    concurrency_policy: str = "Allow"
    starting_deadline_seconds: int | None = None
    job_template: JobTemplate = JobTemplate()


class CronJobStatus(Struct, frozen=True, gc=False):
    """status of a CronJob."""

    active: tuple[ObjectReference, ...] | None = None
    last_schedule_time: datetime | None = None
    last_successful_time: datetime | None = None


class CronJob(Object, frozen=True, gc=False):
    """batch/v1 CronJob."""

    spec: CronJobSpec = CronJobSpec()
    status: CronJobStatus = CronJobStatus()


COLUMNS = columns(
    col("Name", NAME_HELP),
    col("Schedule", "When it starts: minute, hour, day of the month, month, day of the week."),
    col("Timezone", "The time zone of the schedule; <none>: that of the control plane."),
    col("Suspend", "Whether it is suspended."),
    col("Active", "How many of its jobs run now.", num=True),
    col("Last Schedule", "How long ago it last started a job."),
    col("Age", AGE_HELP),
    CONTAINERS,
    IMAGES,
    selector_column(),
)


def _suspended(value: bool | None) -> str:
    return "<unset>" if value is None else str(value)


def judge(cron_job: CronJob) -> tuple[State, str]:
    """Suspended, or a last run without success, is a warning."""
    spec, status = cron_job.spec, cron_job.status
    if cron_job.metadata.deletion_timestamp is not None:
        return "info", "being deleted"
    if spec.suspend:
        return "warn", "suspended: it creates no jobs"
    if status.active:
        return "info", f"{plural(len(status.active), 'job')} running"
    last, success = status.last_schedule_time, status.last_successful_time
    if last is not None and (success is None or success < last):
        return "warn", "the last run has not succeeded"
    return "ok", ""


def row(cron_job: CronJob) -> Row:
    """The row, as ``printCronJob`` writes it."""
    meta, spec, status = cron_job.metadata, cron_job.spec, cron_job.status
    job = spec.job_template.spec
    cells = (
        Cell(meta.name),
        Cell(spec.schedule),
        NONE if spec.time_zone is None else Cell(spec.time_zone),
        Cell(_suspended(spec.suspend)),
        Cell(str(len(status.active or ()))),
        NONE if status.last_schedule_time is None else age(status.last_schedule_time),
        age(meta.creation_timestamp),
        *container_cells(job.template.spec),
        Cell(format_label_selector(job.selector)),
    )
    sort = sort_keys(cells)
    sort = (*sort[:5], age_key(status.last_schedule_time), *sort[6:])
    return make_row(meta, cells, sort, *judge(cron_job), found_by=found_by(cron_job))


def found_by(cron_job: CronJob) -> list[Found]:
    """The images in its pod template."""
    return template_images(cron_job.spec.job_template.spec.template.spec)


_CONCURRENCY = {
    "Allow": "jobs may overlap",
    "Forbid": "a job is skipped while the previous one is running",
    "Replace": "a new job replaces the running one",
}


def _when(spec: CronJobSpec) -> str:
    zone = f"time zone {spec.time_zone}" if spec.time_zone else "in the control plane's time zone"
    return ", ".join(filter(None, (schedule_words(spec.schedule), zone)))


def detail(cron_job: CronJob) -> Detail:
    """The facts of the CronJob's page."""
    meta, spec, status = cron_job.metadata, cron_job.spec, cron_job.status
    reason = judge(cron_job)[1]
    facts = [
        Fact("Schedule", spec.schedule, _when(spec)),
        Fact("Suspended", "Yes" if spec.suspend else "No"),
        Fact("Concurrency policy", spec.concurrency_policy, _CONCURRENCY.get(spec.concurrency_policy, "")),
    ]
    facts += [
        Fact("Running", job.name, link=reference("Job", meta.namespace, job.name))
        for job in status.active or ()
    ]
    if status.last_schedule_time is not None:
        facts.append(Fact("Last start", "", since=status.last_schedule_time))
    if status.last_successful_time is not None:
        facts.append(Fact("Last success", "", since=status.last_successful_time))
    template = spec.job_template.spec.template
    facts += template_facts(template, meta.namespace)
    words = schedule_words(spec.schedule)
    sentence = f"Runs {words}" if words else f"Runs on the schedule {spec.schedule}"
    return page(
        meta,
        sentence,
        facts,
        reason=reason,
        containers=template_containers(template.spec),
    )


CRONJOBS: Kind[CronJob] = Kind(
    gvr=GVR("batch", "v1", "cronjobs"),
    kind="CronJob",
    title="CronJobs",
    singular="CronJob",
    section="Workloads",
    short_names=("cj",),
    type=CronJob,
    columns=COLUMNS,
    status_column="suspend",
    row=row,
    detail=detail,
    found_by=found_by,
    explain="A CronJob creates Jobs on a repeating schedule.",
    hints={"schedule": schedule_words},
)
