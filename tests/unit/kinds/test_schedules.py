"""Schedules of CronJobs in words."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dashboard.kinds import KINDS
from dashboard.kinds.cronjobs import CronJob, CronJobSpec
from dashboard.kinds.meta import ObjectMeta
from dashboard.kinds.schedules import never_runs, next_run, schedule_words


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
        ("0 0 1 * 1-5", "at 00:00, on day 1 of the month, or from Monday to Friday"),
        ("0 0 */2 * 1", "at 00:00, on every 2nd day of the month from day 1, or on Monday"),
        ("0 0 */1 * 1", "every Monday at 00:00"),
        ("0 0 1-31 * 1", "every day at 00:00"),
        ("0 0 1,15 3-5 *", "at 00:00, on days 1 and 15 of the month, only from March to May"),
        ("0 0 * * 5/2", "every Friday at 00:00"),
        ("0 0 * * 1,3/2", "at 00:00, only on Monday, Wednesday and Friday"),
        (
            "*/5 * 1-20/3 */6 *",
            "every 5 minutes, on every 3rd day of the month from day 1 to day 19, only in January and July",
        ),
        ("*/45 * * * *", "at 0 and 45 minutes past the hour"),
        ("*/70 * * * *", "every hour"),
        ("50/15 * * * *", "at 50 minutes past the hour"),
        ("7/15 * * * *", "every 15 minutes, starting at 7 minutes past the hour"),
        ("0 */25 * * *", "every day at 00:00"),
        ("0 */7 * * *", "at 00:00, 07:00, 14:00 and 21:00"),
        (f"*/{'9' * 50} * * * *", "every hour"),
        ("0-59 * * * *", "every minute"),
        ("@hourly", "every hour"),
        ("@every 90m", "every 90m"),
        ("CRON_TZ=Europe/Berlin 0 3 * * *", "every day at 03:00 (Europe/Berlin time)"),
    ],
)
def test_a_schedule_is_told_in_words(schedule: str, words: str) -> None:
    assert schedule_words(schedule) == words


@pytest.mark.parametrize(
    "schedule",
    [
        "",
        "soon",
        "a b c d e",
        "@sometimes",
        "1 " * 60,
        "TZ=UTC",
        "CRON_TZ=../../etc/passwd 0 3 * * *",
        "TZ=Nowhere/At_all 0 3 * * *",
        "{} * * * *",
        "0 0 * * 7",
        "1_0 * * * *",
        "0 0 , * *",
        "0 0 * * ,",
        ", * * * *",
        "0 , * * *",
        "0 0 * , *",
    ],
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
        ("0 0 */2 * 1", None, "2026-03-02T00:00"),
        ("0 0 */1 * 3", None, "2026-03-04T00:00"),
        ("0 6 31 dec *", None, "2026-12-31T06:00"),
        ("0 0 29 2 *", None, "2028-02-29T00:00"),
        ("@monthly", None, "2026-04-01T00:00"),
        ("30 2 * * *", "Europe/Berlin", "2026-03-02T01:30"),
    ],
)
def test_when_a_schedule_is_next_by_the_rules_of_the_controller(
    schedule: str, zone: str | None, coming: str
) -> None:
    """With a day of the month and one of the week, one is enough, unless either holds a star without a step."""
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


STAR = 1 << 63
MONTH_DAYS = (
    "*",
    "?",
    "*/1",
    "*/2",
    "*/10",
    "1-31",
    "13",
    "1,15",
    "1-7",
    "31",
    "1,*",
    "*/2,*",
    "5/9",
    "*-3",
    "2-20/4",
)
WEEK_DAYS = ("*", "?", "*/1", "*/2", "0-6", "1", "fri", "1-5", "1,3/2", "mon,*", "5/2", "sun,sat")


def bits(field: str, least: int, most: int, names: tuple[str, ...] = ()) -> int:
    """A field as robfig/cron v3 keeps it: a bit for each number, and the highest for a star that no step takes away."""
    kept = 0
    for part in field.split(","):
        span, *step = part.split("/")
        ends = [names.index(end) if end in names else end for end in span.split("-")]
        if ends[0] in ("*", "?"):
            low, high, star = least, most, STAR
        else:
            low = int(ends[0])
            high, star = int(ends[1]) if ends[1:] else most if step else low, 0
        width = int(step[0]) if step else 1
        kept |= sum(1 << number for number in range(low, high + 1, width)) | (star if width == 1 else 0)
    return kept


def on(day: date, month_day: int, week_day: int) -> bool:
    fits = bool(month_day >> day.day & 1), bool(week_day >> day.isoweekday() % 7 & 1)
    return all(fits) if (month_day | week_day) & STAR else any(fits)


@pytest.mark.parametrize("week", WEEK_DAYS)
@pytest.mark.parametrize("month", MONTH_DAYS)
def test_days_are_those_of_the_controller_in_time_and_in_words(month: str, week: str) -> None:
    of_month = bits(month, 1, 31)
    of_week = bits(week, 0, 6, ("sun", "mon", "tue", "wed", "thu", "fri", "sat"))
    days = [date(2026, 1, 1) + timedelta(days=at) for at in range(400)]
    expected = [day for day in days if on(day, of_month, of_week)]
    schedule, at, found = f"0 0 {month} * {week}", datetime(2025, 12, 31, 12, tzinfo=UTC), []
    while (coming := next_run(schedule, None, at)) is not None and coming.date() <= days[-1]:
        found.append(coming.date())
        at = coming
    assert found == expected
    words = schedule_words(schedule)
    assert words.startswith("every day") == (expected == days)
    either = any(not (of_month >> day.day & 1 and of_week >> day.isoweekday() % 7 & 1) for day in expected)
    assert (", or " in words) == (either and expected != days)


@pytest.mark.parametrize("schedule", ["30 2 * * *", "*/20 * * * *", "0 */3 * * *", "15 1-3 * * *"])
@pytest.mark.parametrize("begin", [datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC)])
def test_hours_that_the_clock_leaves_out_or_repeats(schedule: str, begin: datetime) -> None:
    minutes, hours = (
        bits(field, 0, most) for field, most in zip(schedule.split()[:2], (59, 23), strict=True)
    )
    every = (begin + timedelta(minutes=at) for at in range(1, 3 * 24 * 60))
    local = [(one, one.astimezone(ZoneInfo("Europe/Berlin"))) for one in every]
    expected = [one for one, there in local if minutes >> there.minute & 1 and hours >> there.hour & 1]
    found, at = [], begin
    while (coming := next_run(schedule, "Europe/Berlin", at)) is not None and coming < begin + timedelta(
        days=3
    ):
        found.append(coming)
        at = coming
    assert found == expected


def test_it_is_looked_for_as_far_ahead_as_by_the_controller() -> None:
    leap = "0 0 29 2 *"
    assert next_run(leap, None, datetime(2097, 3, 1, tzinfo=UTC)) is None
    assert next_run(leap, None, datetime(2099, 3, 1, tzinfo=UTC)) == datetime(2104, 2, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "never"),
    [
        ("0 3 30 2 *", True),
        ("0 0 31 4,6 *", True),
        ("0 0 30,31 feb *", True),
        ("0 0 29 2 *", False),  # in leap years
        ("0 0 31 4,5 *", False),
        ("0 0 30 2 1", False),  # either kind of day is enough
        ("@yearly", False),
        ("@every 1h", False),
        ("nonsense", False),
    ],
)
def test_a_schedule_that_no_day_fits_never_runs(schedule: str, never: bool) -> None:
    assert never_runs(schedule) is never
    assert not never or next_run(schedule, None, datetime(2026, 3, 1, tzinfo=UTC)) is None
