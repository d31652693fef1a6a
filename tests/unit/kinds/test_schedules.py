"""Schedules of CronJobs in words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dashboard.kinds import KINDS
from dashboard.kinds.cronjobs import CronJob, CronJobSpec
from dashboard.kinds.meta import ObjectMeta
from dashboard.kinds.schedules import next_run, schedule_words


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("* * * * *", "every minute"),
        ("*/5 * * * *", "every 5 minutes"),
        ("0 3 * * *", "every day at 03:00"),
        ("0  3 ? * *", "every day at 03:00"),
        ("30 2 * * 1-5", "Monday to Friday at 02:30"),
        ("0 0 * * 0", "every Sunday at 00:00"),
        ("0 0 1 * *", "on day 1 of every month at 00:00"),
        ("0 6 31 12 *", "on 31 December at 06:00"),
        ("0 0 13 * 5", "at 00:00, on day 13 of the month, or on Friday"),
        ("@hourly", "every hour"),
        ("@every 90m", "every 90m"),
        ("CRON_TZ=Europe/Berlin 0 3 * * *", "every day at 03:00 (Europe/Berlin time)"),
    ],
)
def test_a_schedule_is_told_in_words(schedule: str, words: str) -> None:
    assert schedule_words(schedule) == words


@pytest.mark.parametrize(
    "schedule", ["", "soon", "a b c d e", "@sometimes", "1 " * 60, "TZ=UTC", "{} * * * *"]
)
def test_what_is_no_schedule_is_not_put_into_words(schedule: str) -> None:
    assert schedule_words(schedule) == ""


def test_a_cronjobs_page_says_when_it_runs_and_its_list_keeps_kubectls_word() -> None:
    kind = KINDS["cronjobs"]
    job = CronJob(
        metadata=ObjectMeta(name="report", namespace="shop", uid="u"),
        spec=CronJobSpec(schedule="0 6 31 12 *"),
    )
    assert kind.detail(job).sentence.startswith("Runs on 31 December at 06:00")
    assert kind.detail(job).facts[0].note == "on 31 December at 06:00, in the control plane's time zone"
    (cell,) = (
        each
        for each, column in zip(kind.row(job).cells, kind.columns, strict=True)
        if column.key == "schedule"
    )
    assert cell.text == "0 6 31 12 *"
    odd = CronJob(metadata=job.metadata, spec=CronJobSpec(schedule="soon"))
    assert kind.detail(odd).sentence.startswith("Runs on the schedule soon")


@pytest.mark.parametrize(
    ("schedule", "zone", "coming"),
    [
        ("* * * * *", None, "2026-03-01T12:01"),
        ("*/5 * * * *", None, "2026-03-01T12:05"),
        ("0 3 * * *", None, "2026-03-02T03:00"),
        ("0 3 * * *", "Europe/Berlin", "2026-03-02T02:00"),
        ("CRON_TZ=Asia/Tokyo 0 3 * * *", None, "2026-03-01T18:00"),
        ("30 2 * * mon-FRI", None, "2026-03-02T02:30"),
        ("10-30/10 6,18 * * ?", None, "2026-03-01T18:10"),
        ("0 0 13 * 5", None, "2026-03-06T00:00"),
        ("0 0 */2 * 1", None, "2026-03-09T00:00"),
        ("0 6 31 dec *", None, "2026-12-31T06:00"),
        ("0 0 29 2 *", None, "2028-02-29T00:00"),
        ("@monthly", None, "2026-04-01T00:00"),
        ("30 2 * * *", "Europe/Berlin", "2026-03-02T01:30"),
    ],
)
def test_when_a_schedule_is_next_by_the_rules_of_the_controller(
    schedule: str, zone: str | None, coming: str
) -> None:
    """With a day of the month and one of the week, one is enough, unless either begins with a star."""
    found = next_run(schedule, zone, datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC))
    assert found is not None and found.isoformat() == f"{coming}:00+00:00"


@pytest.mark.parametrize(
    ("schedule", "zone"),
    [
        ("@every 90m", None), ("soon", None), ("0 3 * *", None), ("61 * * * *", None), ("5-1 * * * *", None),
        ("*/0 * * * *", None), ("0 0 30 2 *", None), ("0 3 * * *", "Mars/Base"), ("0 3 * * *", "../x"),
    ],
)  # fmt: skip
def test_what_has_no_next_time(schedule: str, zone: str | None) -> None:
    assert next_run(schedule, zone, datetime(2026, 3, 1, tzinfo=UTC)) is None
