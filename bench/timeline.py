"""The timeline with a day's rows and at its bound: what its pages cost, and how long a write waits while it is cleaned.

SQLite, in a folder of its own; no sandbox is needed. Yardstick: the same pages of the smallest record.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from .figure import Figure, Place
from .report import Report, Table, spread

CONTEXT, OTHER = "prod", "another"
BATCH = 5_000
WRITE_SECONDS = 0.01  # between two writes while it is cleaned


def _database(place: Place) -> None:
    """Django, upon a database that has nothing in it."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "cluster_ui.settings",
        "CLUSTER_UI_HOME": str(place.home),
        "CLUSTER_UI_SECRET_KEY": "bench",
        "CLUSTER_UI_TIMELINE_DAYS": "7",
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def _fill(count: int, days: float) -> None:
    """One row in ten is notable; of every hour there is a mark."""
    from dashboard.models import TimelineEvent

    now, chance = datetime.now(UTC), random.Random(1)  # made up, and the same each time
    TimelineEvent.objects.all().delete()

    def row(number: int) -> TimelineEvent:
        pod = number % 2000
        return TimelineEvent(
            context=CONTEXT,
            key=f"{number}",
            at=now - timedelta(days=days) * number / count,
            type=chance.choices(("changed", "event", "added"), (7, 2, 1))[0],
            plural="pods",
            namespace=f"team-{pod % 20}",
            name=f"web-{pod}",
            uid=f"{pod}",
            owner_plural="deployments",
            owner_name=f"web-{pod % 200}",
            notable=number % 10 == 0,
            what={"fields": [["status.phase", "Pending", "Running"], ["spec.replicas", "1", "2"]]},
        )

    for start in range(0, count, BATCH):
        TimelineEvent.objects.bulk_create(
            [row(number) for number in range(start, min(start + BATCH, count))], 500
        )
    marks = [now - timedelta(hours=hours) for hours in range(round(days * 24))]
    TimelineEvent.objects.bulk_create(
        TimelineEvent(
            context=CONTEXT, key=f"watching@{at}", at=at, type="watching", what={"since": at.isoformat()}
        )
        for at in marks
    )


def _pages() -> dict[str, Callable[[], Any]]:
    from dashboard.kinds import KINDS
    from dashboard.queries.access import Visible
    from dashboard.queries.timeline import TimelineQuery, timeline_read

    visible = {plural: Visible(None) for plural in KINDS}
    asked = {
        "changes and warnings": TimelineQuery(),
        "everything": TimelineQuery(type="all"),
        "a namespace": TimelineQuery(type="all", namespaces=("team-3",)),
        "a word that is nowhere": TimelineQuery(type="all", q="nowhere"),
        "a Deployment": TimelineQuery(plural="deployments", name="web-7", namespaces=("team-7",)),
    }
    return {
        title: lambda query=query: timeline_read(CONTEXT, query, visible) for title, query in asked.items()
    }  # type: ignore[misc]


def _cleaned() -> tuple[float, list[float]]:
    """Seconds until all of it is gone, as the server cleans; milliseconds that each write of another one took."""
    from django.db import connection

    from dashboard.live.retention import Retention
    from dashboard.models import TimelineEvent

    waits: list[float] = []
    done = threading.Event()

    def write() -> None:
        number = 0
        while not done.wait(WRITE_SECONDS):
            began = time.monotonic()
            TimelineEvent.objects.create(
                context=OTHER, key=f"{number}", at=datetime.now(UTC) + timedelta(days=365), type="changed"
            )
            waits.append((time.monotonic() - began) * 1e3)
            number += 1
        connection.close()

    writer = threading.Thread(target=write)
    began = time.monotonic()
    writer.start()
    asyncio.run(Retention().sweep(datetime.now(UTC) + timedelta(days=30)))
    took = time.monotonic() - began
    done.set()
    writer.join()
    if TimelineEvent.objects.filter(context=CONTEXT).exists():
        raise RuntimeError("not all of it was cleaned")
    return took, waits


def run(place: Place, *, sizes: tuple[tuple[int, float], ...], rounds: int) -> Report:
    _database(place)
    cells: dict[str, list[str]] = {}
    for count, days in sizes:
        _fill(count, days)
        for title, read in _pages().items():
            took = []
            for _ in range(rounds):
                began = time.process_time()
                read()
                took.append((time.process_time() - began) * 1e3)
            cells.setdefault(title, []).append(spread(took, "ms", 1))
        seconds, waits = _cleaned()
        cells.setdefault("cleaned whole", []).append(f"{seconds:.1f} s")
        cells.setdefault("a write meanwhile, by the clock", []).append(spread(waits, "ms", 1))
    return Report(
        f"The timeline with a day's rows and at its bound (made up), CPU time, {rounds} rounds",
        (
            Table(
                columns=("a page of", *(f"{count:,} rows, {days:g} d" for count, days in sizes)),
                rows=[(title, *found) for title, found in cells.items()],
                yardstick=next(iter(cells)),
            ),
        ),
    )


FIGURE = Figure(
    name="timeline",
    run=run,
    full={"sizes": ((20_000, 1), (200_000, 7)), "rounds": 9},
    short={"sizes": ((500, 1), (2_000, 2)), "rounds": 2},
)
