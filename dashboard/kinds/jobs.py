"""Jobs: work that ends."""

from __future__ import annotations

from datetime import datetime

from .base import GVR, Cell, Detail, Fact, Kind, Row, State
from .duration import human_duration
from .facts import conditions, page
from .meta import Object, ObjectCondition, Struct, condition_true, find_condition
from .podspec import PodTemplate, Present
from .rows import (
    AGE_HELP,
    NAME_HELP,
    age,
    col,
    columns,
    make_row,
    plural,
    ratio_key,
    shorten,
    sort_keys,
)
from .selectors import LabelSelector, format_label_selector
from .templates import (
    CONTAINERS,
    IMAGES,
    container_cells,
    selector_column,
    template_containers,
    template_facts,
    template_found,
)

_UNBOUNDED = 2**31 - 1


class JobSpec(Struct, frozen=True, gc=False):
    """spec of a Job."""

    completions: int | None = None
    parallelism: int | None = None
    backoff_limit: int | None = None
    backoff_limit_per_index: int | None = None
    max_failed_indexes: int | None = None
    active_deadline_seconds: int | None = None
    ttl_seconds_after_finished: int | None = None
    completion_mode: str = ""
    suspend: bool = False
    pod_failure_policy: Present | None = None
    selector: LabelSelector | None = None
    template: PodTemplate = PodTemplate()

    @property
    def retries(self) -> int | None:
        """How often its pods are retried in all; None without a bound, which the API server writes as the greatest number
        where each index has one of its own.
        """
        return None if self.backoff_limit == _UNBOUNDED else self.backoff_limit


class JobStatus(Struct, frozen=True, gc=False):
    """status of a Job."""

    active: int = 0
    ready: int = 0
    succeeded: int = 0
    failed: int = 0
    failed_indexes: str | None = None
    start_time: datetime | None = None
    completion_time: datetime | None = None
    conditions: tuple[ObjectCondition, ...] | None = None


class Job(Object, frozen=True, gc=False):
    """batch/v1 Job."""

    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()


COLUMNS = columns(
    col("Name", NAME_HELP),
    col("Status", "Running, Complete, Failed or Suspended."),
    col("Completions", "How many completions succeeded, of how many are required."),
    col("Duration", "How long it has been running, or ran."),
    col("Age", AGE_HELP),
    CONTAINERS,
    IMAGES,
    selector_column(),
)


def status_text(job: Job) -> str:
    """The Status column (``printJob``)."""
    found = job.status.conditions or ()
    if condition_true(found, "Complete"):
        return "Complete"
    if condition_true(found, "Failed"):
        return "Failed"
    if job.metadata.deletion_timestamp is not None:
        return "Terminating"
    for type_, word in (("Suspended", "Suspended"), ("FailureTarget", "FailureTarget")):
        if condition_true(found, type_):
            return word
    return "SuccessCriteriaMet" if condition_true(found, "SuccessCriteriaMet") else "Running"


def finished(job: Job) -> bool:
    """Whether it is complete or has failed: it runs no pods any more (``IsJobFinished``)."""
    found = job.status.conditions or ()
    return condition_true(found, "Complete") or condition_true(found, "Failed")


def completions(job: Job) -> str:
    """The Completions column (``printJob``)."""
    spec, succeeded = job.spec, job.status.succeeded
    if spec.completions is not None:
        return f"{succeeded}/{spec.completions}"
    parallelism = spec.parallelism or 0
    return f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"


def _duration(job: Job) -> Cell:
    start, end = job.status.start_time, job.status.completion_time
    if start is None:
        return Cell("")
    return Cell("" if end is None else human_duration((end - start).total_seconds()), start, "took", end)


def _duration_key(job: Job) -> tuple[int, float]:
    # Finished jobs by how long they ran, then running ones, longest running last.
    start, end = job.status.start_time, job.status.completion_time
    if start is None:
        return (0, 0.0)
    return (1, (end - start).total_seconds()) if end is not None else (2, -start.timestamp())


def judge(job: Job) -> tuple[State, str]:
    """Complete is done, Failed is critical, failed tries are a warning."""
    word, status = status_text(job), job.status
    if word == "Complete":
        return "done", ""
    if word in ("Failed", "FailureTarget"):
        condition = find_condition(status.conditions or (), word)
        return "bad", shorten(condition.message) if condition else ""
    if word == "Terminating":
        return "info", "being deleted"
    if word == "Suspended":
        return "warn", "suspended: it creates no pods"
    if status.failed:
        limit = job.spec.retries
        of = f" of {limit + 1}" if limit is not None else ""
        indexes = f", indexes {status.failed_indexes} failed permanently" if status.failed_indexes else ""
        return "warn", f"{status.failed}{of} tries failed{indexes}"
    return "info", f"{plural(status.active, 'pod')} running" if status.active else ""


def row(job: Job) -> Row:
    """The row, as ``printJob`` writes it."""
    meta, spec = job.metadata, job.spec
    cells = (
        Cell(meta.name),
        Cell(status_text(job)),
        Cell(completions(job)),
        _duration(job),
        age(meta.creation_timestamp),
        *container_cells(spec.template.spec),
        Cell(format_label_selector(spec.selector)),
    )
    name, word, _, _, *others = sort_keys(cells)
    done = ratio_key(job.status.succeeded, 1 if spec.completions is None else spec.completions)
    sort = (name, word, done, _duration_key(job), *others)
    return make_row(meta, cells, sort, *judge(job), found_by=template_found(job))


def detail(job: Job) -> Detail:
    """The facts of the Job's page."""
    meta, spec, status = job.metadata, job.spec, job.status
    word, reason = status_text(job), judge(job)[1]
    facts = [Fact("Status", word, reason), Fact("Completions", completions(job))]
    if status.start_time is not None:
        facts.append(Fact("Started", "", since=status.start_time))
    if status.completion_time is not None:
        facts.append(Fact("Completed", "", f"after {_duration(job).text}", since=status.completion_time))
    facts.append(
        Fact("Pods", f"{status.active} running, {status.succeeded} succeeded, {status.failed} failed")
    )
    if spec.retries is not None:
        facts.append(Fact("Retries", f"{plural(spec.retries, 'time')} at most"))
    if spec.backoff_limit_per_index is not None:
        each = f"each index {plural(spec.backoff_limit_per_index, 'time')} at most"
        most = spec.max_failed_indexes
        note = (
            f"it fails when more than {plural(most, 'index', 'indexes')} failed" if most is not None else ""
        )
        facts.append(Fact("Retries", each, note))
    if status.failed_indexes:
        facts.append(Fact("Failed indexes", status.failed_indexes, "they are not retried"))
    if spec.ttl_seconds_after_finished is not None:
        kept = human_duration(spec.ttl_seconds_after_finished)
        facts.append(Fact("TTL after finished", kept, "then it is deleted"))
    facts += template_facts(spec.template, meta.namespace)
    sentence = f"A task, {completions(job)} done: {word}"
    return page(
        meta,
        sentence,
        facts,
        reason=reason,
        conditions=conditions(
            status.conditions,
            bad_when_true=frozenset({"Failed", "FailureTarget"}),
            neutral=frozenset({"Suspended", "Complete", "SuccessCriteriaMet"}),
        ),
        containers=template_containers(spec.template.spec),
    )


JOBS: Kind[Job] = Kind(
    gvr=GVR("batch", "v1", "jobs"),
    kind="Job",
    title="Jobs",
    singular="Job",
    section="Workloads",
    type=Job,
    columns=COLUMNS,
    status_column="status",
    row=row,
    detail=detail,
    found_by=template_found,
    explain="A Job runs pods until a task completes, and retries failed ones.",
)
