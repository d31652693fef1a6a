"""A CronJob's schedule in words (``0 6 31 12 *`` runs "on 31 December at 06:00"), and when it is next.

Fields are read as robfig/cron v3 reads them, with which the CronJob controller does.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cron_descriptor import ExpressionDescriptor, FormatError, MissingFieldError, Options, WrongArgumentError

# The descriptors of robfig/cron.
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
_NUMBER = re.compile(r"\+?[0-9]+")
LONGEST = 100  # characters of a schedule that is put into words
LISTED_DAYS = 6  # days of the month that are told one by one
_MONTHS = {name.lower(): at for at, name in enumerate(calendar.month_abbr) if name}
_WEEKDAYS = {name[:3].lower(): at for at, name in enumerate(_DAYS)}
YEARS_SEARCHED = 5  # after this one, as robfig/cron does


class _Field(NamedTuple):
    """The numbers that a field means, and whether it holds a star, which a step of more than 1 takes from it."""

    values: frozenset[int]
    star: bool
    full: bool


class _Schedule(NamedTuple):
    minute: _Field
    hour: _Field
    day: _Field
    month: _Field
    weekday: _Field

    def on(self, day: int, weekday: int) -> bool:
        """Whether it runs on such a day. Where both kinds of days are given, one of them is enough."""
        of_month, of_week = day in self.day.values, weekday in self.weekday.values
        if self.day.star or self.weekday.star:
            return of_month and of_week
        return of_month or of_week


# minute, hour, day of the month, month, day of the week: least, most, names
_BOUNDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}), (0, 23, {}), (1, 31, {}), (1, 12, _MONTHS), (0, 6, _WEEKDAYS),
)  # fmt: skip


@lru_cache(maxsize=1024)
def schedule_words(schedule: str) -> str:
    """When it runs, to follow "Runs": ``every 5 minutes``, ``every Monday at 03:00``; "" for what is no schedule."""
    zone = _ZONE.match(schedule)
    text = schedule[zone.end() :] if zone else schedule
    words = _words(" ".join(text.split()))
    if not zone or not words:
        return words
    try:
        return f"{words} ({ZoneInfo(zone[1]).key} time)"
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return ""  # the controller refuses it


def _words(text: str) -> str:
    if text.startswith("@every "):
        return f"every {text.removeprefix('@every ')}"
    if len(text) > LONGEST:
        return ""
    fields = _NAMED.get(text, text).split(" ")
    try:
        schedule = _read(fields)
    except ValueError:
        return ""
    if not all(field.values for field in schedule):  # only a comma: it never comes
        return ""
    minute, hour = _plain(schedule.minute, fields[0], 60), _plain(schedule.hour, fields[1], 24)
    at = _described(f"{minute} {hour} * * *")
    return at and (_on_one_day(schedule, at) or at + "".join(f", {words}" for words in _on_days(schedule)))


def _plain(field: _Field, text: str, size: int) -> str:
    """The field as the library reads it rightly. It takes a step for a period, but one that does not divide the hour or
    the day begins again with the next: ``*/45`` is at :00 and :45.
    """
    if field.full:
        return "*"
    begins, _, step = text.partition("/")
    if not step:
        return text
    fits = "," not in text and size % int(step) == 0 and len(field.values) > 1
    if fits and ("-" in begins or min(field.values) < int(step)):
        return text
    return ",".join(map(str, sorted(field.values)))


def _on_one_day(schedule: _Schedule, at: str) -> str:
    """The usual schedules, which run once on a day; "" for others."""
    if len(schedule.minute.values) != 1 or len(schedule.hour.values) != 1:
        return ""
    _, _, day, month, weekday = schedule
    either = not (day.star or weekday.star)
    if month.full and ((day.full and weekday.full) or (either and (day.full or weekday.full))):
        return f"every day {at}"
    if month.full and day.star and len(weekday.values) == 1:
        return f"every {_DAYS[min(weekday.values)]} {at}"
    if month.full and day.star and weekday.values == frozenset(range(1, 6)):
        return f"Monday to Friday {at}"
    if weekday.star and len(day.values) == 1:
        if month.full:
            return f"on day {min(day.values)} of every month {at}"
        if len(month.values) == 1:
            return f"on {min(day.values)} {calendar.month_name[min(month.values)]} {at}"
    return ""


def _on_days(schedule: _Schedule) -> Iterator[str]:
    """Which days it runs on, unless on all."""
    _, _, day, month, weekday = schedule
    if day.star or weekday.star:
        if not day.full:
            yield _month_days(day.values)
        if not weekday.full:
            yield _spans(weekday.values, _DAYS, "only on", "")
    elif not (day.full or weekday.full):
        yield _month_days(day.values)
        yield _spans(weekday.values, _DAYS, "or on", "or ")
    if not month.full:
        yield _spans(month.values, calendar.month_name, "only in", "only ")


def _month_days(days: frozenset[int]) -> str:
    """``on day 13 of the month``, ``on every 2nd day of the month from day 1``."""
    every = sorted(days)
    if len(every) == 1:
        return f"on day {every[0]} of the month"
    steps = {later - one for one, later in pairwise(every)}
    if steps == {1}:
        return f"from day {every[0]} to day {every[-1]} of the month"
    if len(every) > LISTED_DAYS and len(steps) == 1:
        step = steps.pop()
        end = "" if every[-1] + step > 31 else f" to day {every[-1]}"
        ordinal = {2: "2nd", 3: "3rd"}.get(step, f"{step}th")
        return f"on every {ordinal} day of the month from day {every[0]}{end}"
    return f"on days {_joined(map(str, every))} of the month"


def _spans(values: frozenset[int], names: Sequence[str], single: str, span: str) -> str:
    """``only on Monday and Friday``, ``only in May``, or ``Monday to Friday`` for three or more in a row."""
    every = sorted(values)
    if len(every) > 2 and every[-1] - every[0] == len(every) - 1:
        return f"{span}from {names[every[0]]} to {names[every[-1]]}"
    return f"{single} {_joined(names[one] for one in every)}"


def _joined(words: Iterable[str]) -> str:
    *rest, last = words
    return f"{', '.join(rest)} and {last}" if rest else last


def _described(text: str) -> str:
    options = Options()
    options.use_24hour_time_format = True
    try:
        words = str(ExpressionDescriptor(text, options).get_description())
    except (FormatError, MissingFieldError, WrongArgumentError, ValueError, IndexError, KeyError):
        return ""  # robfig/cron reads more than the library
    return words[:1].lower() + words[1:]


def next_run(schedule: str, zone: str | None, after: datetime) -> datetime | None:
    """When a schedule starts next after an aware moment, by the rules of robfig/cron; None for what is no schedule, for
    one that never comes, and for ``@every``, which counts from a start that nobody records.

    Without a time zone of its own it is read in UTC, which control planes usually run in.
    """
    prefix = _ZONE.match(schedule)
    text = schedule[prefix.end() :] if prefix else schedule
    try:
        tz = ZoneInfo((prefix[1] if prefix else zone) or "UTC")
        found = _read(_NAMED.get(" ".join(text.split()), text).split())
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return None
    day = after.astimezone(tz).date()
    last = day.year + YEARS_SEARCHED
    while day.year <= last:
        if day.month in found.month.values and found.on(day.day, day.isoweekday() % 7):
            moments = _moments(day, found, tz)
            if coming := [each for each in moments if each > after]:
                return min(coming)
        day += timedelta(days=1)
    return None


@lru_cache(maxsize=1024)
def never_runs(schedule: str) -> bool:
    """Whether it can be read, and no day fits it: 30 February. The controller refuses it."""
    prefix = _ZONE.match(schedule)
    text = schedule[prefix.end() :] if prefix else schedule
    try:
        found = _read(_NAMED.get(" ".join(text.split()), text).split())
    except ValueError:
        return False
    longest = max((calendar.monthrange(2024, month)[1] for month in found.month.values), default=31)
    return found.weekday.star and min(found.day.values, default=0) > longest


def _moments(day: date, schedule: _Schedule, tz: ZoneInfo) -> Iterator[datetime]:
    """When it runs on a day. Hours that the clock leaves out have none, and those that it repeats have two."""
    for hour in schedule.hour.values:
        for minute in schedule.minute.values:
            for fold in (0, 1):
                local = datetime.combine(day, time(hour, minute, fold=fold), tz)
                moment = local.astimezone(UTC)
                if moment.astimezone(tz).replace(tzinfo=None) == local.replace(tzinfo=None):
                    yield moment


def _read(fields: Sequence[str]) -> _Schedule:
    """The five fields of a schedule. Raises ValueError for what the controller refuses."""
    pairs = zip(fields, _BOUNDS, strict=True)
    return _Schedule(*(_field(text, *bounds) for text, bounds in pairs))


def _field(field: str, least: int, most: int, names: dict[str, int]) -> _Field:
    found: set[int] = set()
    star = False
    for part in filter(None, field.lower().split(",")):
        span, slash, stepped = part.partition("/")
        step = _number(stepped, {}) if slash else 1
        first, dash, last = span.partition("-")
        if first in ("*", "?"):
            start, end = least, most
            star = star or step == 1
        else:
            start = _number(first, names)
            end = _number(last, names) if dash else most if slash else start
        # Sunday is 0, and 7 in crontabs that robfig/cron refuses.
        if not least <= start <= end <= most or step < 1:
            raise ValueError(field)
        found.update(range(start, end + 1, step))
    return _Field(frozenset(found), star, len(found) == most - least + 1)


def _number(text: str, names: dict[str, int]) -> int:
    if text in names:
        return names[text]
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return int(text)
