"""A CronJob's schedule in words (``0 6 31 12 *`` runs "on 31 December at 06:00"), and when it is next."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cron_descriptor import ExpressionDescriptor, FormatError, MissingFieldError, Options, WrongArgumentError

# The descriptors of robfig/cron, which the CronJob controller reads schedules with.
_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_ZONE = re.compile(r"(?:CRON_)?TZ=(\S+)\s+")
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_FIELD = re.compile(r"[0-9A-Za-z*/,-]+")
LONGEST = 100  # characters of a schedule that is put into words
_MONTHS = {name.lower(): at for at, name in enumerate(calendar.month_abbr) if name}
_WEEKDAYS = {name[:3].lower(): at for at, name in enumerate(_DAYS)}
# minute, hour, day of the month, month, day of the week: least, most, names
_BOUNDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}), (0, 23, {}), (1, 31, {}), (1, 12, _MONTHS), (0, 6, _WEEKDAYS),
)  # fmt: skip
_SEARCHED = timedelta(days=366 * 5)  # as far as robfig/cron looks


@lru_cache(maxsize=1024)
def schedule_words(schedule: str) -> str:
    """When it runs, to follow "Runs": ``every 5 minutes``, ``every Monday at 03:00``; "" for what is no schedule."""
    zone = _ZONE.match(schedule)
    text = schedule[zone.end() :] if zone else schedule
    words = _words(" ".join(text.split()))
    return f"{words} ({zone[1]} time)" if zone and words else words


def _words(text: str) -> str:
    if text.startswith("@every "):
        return f"every {text.removeprefix('@every ')}"
    fields = _NAMED.get(text, text).replace("?", "*").split(" ")
    if len(fields) != 5 or len(text) > LONGEST or not all(map(_FIELD.fullmatch, fields)):
        return ""
    return _at_one_time(*fields) or _described(" ".join(fields))


def _at_one_time(minute: str, hour: str, day: str, month: str, weekday: str) -> str:
    """The usual schedules, which run once on a day; "" for others."""
    if not (_within(minute, 0, 59) and _within(hour, 0, 23)):
        return ""
    at = f"at {int(hour):02}:{int(minute):02}"
    match day, month, weekday:
        case "*", "*", "*":
            return f"every day {at}"
        case "*", "*", "1-5":
            return f"Monday to Friday {at}"
        case "*", "*", _ if _within(weekday, 0, 6):
            return f"every {_DAYS[int(weekday)]} {at}"
        case _, "*", "*" if _within(day, 1, 31):
            return f"on day {int(day)} of every month {at}"
        case _, _, "*" if _within(day, 1, 31) and _within(month, 1, 12):
            return f"on {int(day)} {calendar.month_name[int(month)]} {at}"
    return ""


def _within(field: str, least: int, most: int) -> bool:
    return field.isascii() and field.isdigit() and len(field) <= 2 and least <= int(field) <= most


def _described(text: str) -> str:
    options = Options()
    options.use_24hour_time_format = True
    try:
        words = str(ExpressionDescriptor(text, options).get_description())
    except (FormatError, MissingFieldError, WrongArgumentError, ValueError, IndexError, KeyError):
        return ""  # the API server has refused it, or reads more than the library
    return words[:1].lower() + words[1:]


def next_run(schedule: str, zone: str | None, after: datetime) -> datetime | None:
    """When a schedule starts next after an aware moment, by the rules of robfig/cron; None for what is no schedule, for
    one that never comes, and for ``@every``, which counts from a start that nobody records.

    Without a time zone of its own it is read in UTC, which control planes usually run in.
    """
    prefix = _ZONE.match(schedule)
    text = schedule[prefix.end() :] if prefix else schedule
    fields = _NAMED.get(" ".join(text.split()), text).split()
    try:
        tz = ZoneInfo((prefix[1] if prefix else zone) or "UTC")
        minutes, hours, days, months, weekdays = (
            _values(field, *bounds) for field, bounds in zip(fields, _BOUNDS, strict=True)
        )
    except (ValueError, KeyError, ZoneInfoNotFoundError):
        return None
    either = not (_any(fields[2]) or _any(fields[4]))  # both are restricted: one of them is enough
    begin = after.astimezone(tz)
    day = begin.date()
    while day <= (begin + _SEARCHED).date():
        in_month, on_weekday = day.day in days, (day.isoweekday() % 7) in weekdays
        if day.month in months and (in_month or on_weekday if either else in_month and on_weekday):
            for hour in sorted(hours):
                for minute in sorted(minutes):
                    found = datetime.combine(day, time(hour, minute), tz).astimezone(UTC)
                    if found > after:
                        return found
        day += timedelta(days=1)
    return None


def _any(field: str) -> bool:
    return field.startswith(("*", "?"))


def _values(field: str, least: int, most: int, names: dict[str, int]) -> frozenset[int]:
    """The numbers that a field means. Raises ValueError or KeyError for what it cannot mean."""
    found: set[int] = set()
    for part in field.lower().split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        if first in ("*", "?"):
            start, end = least, most
        else:
            start = _number(first, names)
            end = _number(last, names) if dash else most if slash else start
        # Sunday is 0, and 7 in crontabs that robfig/cron refuses.
        if not least <= start <= end <= most or (slash and int(step) < 1):
            raise ValueError(field)
        found.update(range(start, end + 1, int(step) if slash else 1))
    return frozenset(found)


def _number(text: str, names: dict[str, int]) -> int:
    return names[text] if text in names else int(text)
