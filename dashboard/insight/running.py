"""What running a CronJob now, or a Job again, does: the pods of the new Job, and what it means beside those that run.

Rules: kubernetes/kubernetes, pkg/controller/cronjob: a Job that it did not create itself is not among its active ones,
but counts for the history limits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dashboard.kinds.cronjobs import CronJob
from dashboard.kinds.jobs import Job
from dashboard.kinds.rows import listed, plural

from .capacity import in_words, pod_amounts
from .impact import Effect, Notice
from .newpods import job_pods
from .protocols import Objects
from .scheduling.room import room_on_nodes
from .suspending import unfinished_jobs
from .words import bold, parts


@dataclass(frozen=True, slots=True)
class RunImpact:
    """``headline`` is the consequence that comes first."""

    headline: Notice
    effects: tuple[Effect, ...]
    notices: tuple[Notice, ...] = ()
    danger: bool = False


def run_impact(objects: Objects, source: CronJob | Job, job: Job) -> RunImpact:
    """What happens when ``job`` is created from ``source``, as far as the objects tell."""
    pods = _pods(job)
    effects = (*_starts(job, pods), *_room(objects, job, pods), *_beside(objects, source))
    return RunImpact(_headline(objects, source, job, pods), effects)


def _pods(job: Job) -> int:
    """How many it runs at once."""
    return 0 if job.spec.suspend else job_pods(job.spec)


def _headline(objects: Objects, source: CronJob | Job, job: Job, pods: int) -> Notice:
    name = source.metadata.name
    if job.spec.suspend:
        text = "Its template has suspend: true, so it creates no pods until it is resumed."
        return Notice("warn", "The new Job is suspended", text)
    beside = _running(objects, source)
    if beside:
        words = f"{listed(beside)} {'is' if len(beside) == 1 else 'are'} not finished"
        return Notice(
            "warn", f"{name} runs twice at the same time", f"{words}, and this Job starts immediately."
        )
    text = f"It creates {plural(pods, 'pod')} from the pod template of {name}."
    return Notice("info", f"{job.metadata.name} starts immediately", text)


def _running(objects: Objects, source: CronJob | Job) -> list[str]:
    if isinstance(source, CronJob):
        return sorted(job.metadata.name for job in unfinished_jobs(objects, source))
    return [source.metadata.name] if source.status.active else []


def _starts(job: Job, pods: int) -> Iterator[Effect]:
    images = [one.image for one in job.spec.template.spec.containers or () if one.image]
    note = f"from {listed(images)}" if images else ""
    if pods:
        yield Effect("ok", "plus", parts(plural(pods, "pod starts", "pods start")), note)
    completions = job.spec.completions
    if completions is not None and completions > pods:
        yield Effect("info", "info", parts(f"{plural(completions, 'completion')} in all"))


def _room(objects: Objects, job: Job, pods: int) -> Iterator[Effect]:
    spec = job.spec.template.spec
    if not pods:
        return
    asks = (
        f"{words} requested" if (words := in_words(pod_amounts(spec), pods)) else "No CPU or memory requested"
    )
    nodes = objects.all("nodes")
    room = room_on_nodes(spec, nodes, objects.all("pods"), pods) if nodes else None
    if room is not None and room.pods < pods:
        text = parts(f"{asks}: {room.pods} of {plural(pods, 'pod')} fit")
        yield Effect("warn", "gauge", text, "the others stay Pending", "too big")
    else:
        yield Effect("ok", "gauge", parts(asks), "all of them fit on the nodes" if room is not None else "")


def _beside(objects: Objects, source: CronJob | Job) -> Iterator[Effect]:
    if isinstance(source, Job):
        yield Effect(
            "ok", "ok", parts(bold(f"Job {source.metadata.name}"), " stays as it is, with its pods and logs")
        )
        return
    spec = source.spec
    if spec.concurrency_policy != "Allow":
        text = parts(f"concurrencyPolicy {spec.concurrency_policy} is not applied to it")
        yield Effect("info", "info", text, "a scheduled run can start while it is running")
    if spec.suspend:
        text = parts("The schedule stays suspended")
        yield Effect("info", "pause", text)
    else:
        yield Effect("ok", "wait", parts("The schedule is not affected"))
    yield Effect(
        "info", "info", parts("It counts for the history limits"), "finished Jobs beyond them are deleted"
    )
