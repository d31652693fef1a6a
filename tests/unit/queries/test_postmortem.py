"""What happened in a span, in order, as far as somebody may see it; and as Markdown that nobody else's words break."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict

from dashboard.errors import BadInput
from dashboard.models import AuditEntry, Change, ProblemSpan, TimelineEvent
from dashboard.queries.access import Visible
from dashboard.queries.postmortem import NEVER, Happened, as_markdown, happened, span_in, summary, unknown
from dashboard.queries.recordings import Span

from ..live.seen import everything, nothing

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime.now(UTC).replace(microsecond=0)
BEGAN = NOW - timedelta(hours=1)
SPAN = Span(BEGAN, NOW)
# Written by whatever manages the pods of a workload.
MANAGED = {"owner_plural": "deployments", "owner_name": "web"}


def at(minute: float) -> datetime:
    return BEGAN + timedelta(minutes=minute)


def event(minute: float, type_: str, plural: str, name: str, namespace: str = "shop", **more: Any) -> None:
    what = more.pop("what", {})
    TimelineEvent.objects.create(
        context="prod", key=f"{plural}-{name}-{minute}", at=at(minute), type=type_, plural=plural, namespace=namespace,
        name=name, what=what, **more,
    )  # fmt: skip


def fill() -> None:
    image = [["spec.template.spec.containers[web].image", "shop/web:2.13", "shop/web:2.14"]]
    event(5, "changed", "deployments", "web", what={"fields": image})
    event(
        6,
        "event",
        "pods",
        "web-1",
        what={"reason": "Unhealthy", "message": "a|b `c`\n# d", "warning": True, "times": 3},
    )
    restarts = [
        ["status.containerStatuses[web].restartCount", "0", "1"],
        ["status.containerStatuses[log].restartCount", "2", "0"],  # created anew
        ["status.containerStatuses[proxy].restartCount", "3", "4"],
    ]
    event(7, "changed", "pods", "web-1", notable=False, what={"fields": restarts})
    event(
        8,
        "changed",
        "pods",
        "web-2",
        notable=False,
        what={"fields": [["status.phase", "Pending", "Running"]]},
    )
    event(8.5, "changed", "pods", "web-2", **MANAGED, what={"fields": [["metadata.labels[a]", "1", "2"]]})
    event(9, "deleted", "configmaps", "ledger", namespace="bank")
    event(-5, "deleted", "configmaps", "before")
    mara = User.objects.create(username="mara")
    about = {
        "context": "prod",
        "action": "scale",
        "plural": "deployments",
        "namespace": "shop",
        "name": "web",
    }
    change = Change.objects.create(nonce="n", user=mara, uid="u", state="done", **about)
    entry = about | {"user_name": "mara", "reason": "500s after 2.14"}
    AuditEntry.objects.create(at=at(10), result="done", change=change, **entry)
    # What was refused before anything was begun is for who tried and for administrators, in the list of changes.
    AuditEntry.objects.create(at=at(10), result="refused", **entry)
    AuditEntry.objects.create(
        at=at(11), user_name="jon", context="prod", action="reveal", plural="secrets", result="done"
    )
    ProblemSpan.objects.create(
        context="prod", key="a", severity="bad", plural="deployments", namespace="shop", name="web",
        text="Deployment web has 2 of 4 pods ready", began_at=at(5.5), ended_at=at(12),
    )  # fmt: skip


def told(visible: dict[str, Visible] | None = None) -> list[tuple[str, str, str]]:
    found = happened("prod", SPAN, visible or everything(), done_after=NEVER)
    return [(each.sort, each.name, each.words) for each in found.entries]


def test_everything_in_its_order() -> None:
    fill()
    assert told() == [
        ("deployment", "web", "updated to web:2.14"),
        ("problem", "web", "Deployment web has 2 of 4 pods ready"),
        ("warning", "web-1", "Unhealthy: a|b `c`\n# d (3 times)"),
        ("restart", "web-1", "container web restarted; container proxy restarted (4 times so far)"),
        ("change", "ledger", "deleted"),
        ("done", "web", "scale"),
    ]
    found = happened("prod", SPAN, everything(), done_after=NEVER)
    (problem,) = [each for each in found.entries if each.sort == "problem"]
    assert (problem.at, problem.until) == (at(5.5), at(12)), "its end is in its row"
    assert {"1 problem began", "1 problem was resolved"} <= set(summary(found))
    assert found.people == [("mara", 1)]
    assert "1 rollout" in summary(found)
    (gap,) = unknown(SPAN, found)
    assert gap.startswith(f"Not recorded: {BEGAN:%Y-%m-%d %H:%M:%S} – ") and gap.endswith(
        f"{NOW:%H:%M:%S} UTC."
    )


def test_somebody_sees_what_they_may_see() -> None:
    fill()
    shop = Visible(frozenset({"shop"}))
    assert not [each for each in told(dict.fromkeys(everything(), shop)) if each[1] == "ledger"]
    hidden = told(everything(deployments=nothing("deployments"), events=nothing("events")))
    assert [each[:2] for each in hidden] == [("restart", "web-1"), ("change", "ledger")]


def test_of_namespaces_that_were_chosen_nothing_else_is_told_or_counted() -> None:
    fill()
    within = happened("prod", SPAN, everything(), done_after=NEVER, namespaces=("blog",))
    assert {each.namespace for each in within.entries} <= {"blog"}
    assert within.counts.total() == len(within.entries)
    shop = happened("prod", SPAN, everything(), done_after=NEVER, namespaces=("shop",))
    assert {each.namespace for each in shop.entries} == {"shop"} and shop.people == [("mara", 1)]
    assert next(each for each in shop.entries if each.sort == "problem").words.startswith(
        "Deployment web has"
    )


def test_over_midnight_a_time_has_its_day() -> None:
    midnight = datetime(2026, 11, 30, tzinfo=UTC)
    before, after = midnight - timedelta(minutes=5), midnight + timedelta(minutes=5)
    ProblemSpan.objects.create(
        context="prod", key="k", severity="bad", plural="deployments", namespace="shop", name="web", text="Wrong.",
        began_at=before, ended_at=after,
    )  # fmt: skip
    for hours, when, gap in (
        (1, "2026-11-29 23:55:00–2026-11-30 00:05:00", "2026-11-29 23:00:00 – 2026-11-30 01:00:00 UTC"),
        (0, "00:00:00–00:05:00", "2026-11-30 00:00:00 – 01:00:00 UTC"),
    ):
        span = Span(midnight - timedelta(hours=hours), midnight + timedelta(hours=1))
        text = as_markdown("prod", span, happened("prod", span, everything(), done_after=NEVER))
        assert f"| {when} | Deployment web |" in text
        assert f"- Not recorded: {gap}." in text


def test_markdown_holds_its_table_whatever_others_wrote() -> None:
    fill()
    turned = as_markdown("a\u202eb\x1b[2J\udc00", SPAN, Happened())
    assert turned.startswith("# Post-mortem: a⟨U+202E⟩b⟨U+001B⟩\\[2J⟨U+DC00⟩") and turned.encode()
    text = as_markdown("prod|1", SPAN, happened("prod", SPAN, everything(), done_after=NEVER))
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 7
    assert f"{at(5.5):%H:%M:%S}–" in text and f"{at(12):%H:%M:%S} | Deployment web |" in text
    assert all(line.replace("\\|", "").count("|") == 7 for line in rows)
    assert "a\\|b \\`c\\` \\# d (3 times)" in text
    assert text.startswith("# Post-mortem: prod\\|1, ")
    assert "mara" in text and "500s after 2.14" in text and "- mara: 1" in text


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=nonsense", "from"), ("to=2999-01-01T00:00:00Z", "to"), ("to=2026-02-30T00:00:00Z", "to"),
        ("from=2026-11-28T10:00:00Z&to=2026-11-28T09:00:00Z", "from"),
        ("from=2026-11-01T10:00:00Z&to=2026-11-28T09:00:00Z", "from"),
    ],
)  # fmt: skip
def test_what_is_no_span_is_refused(query: str, field: str) -> None:
    with pytest.raises(BadInput) as refused:
        span_in(QueryDict(query), datetime(2026, 11, 29, tzinfo=UTC))
    assert refused.value.field == field


def test_without_a_span_it_is_the_last_hour() -> None:
    assert span_in(QueryDict(""), NOW) == SPAN


def test_a_problem_that_goes_on_says_so() -> None:
    about = {
        "plural": "deployments",
        "namespace": "shop",
        "severity": "bad",
        "text": "Deployment has no ready pod",
    }
    ProblemSpan.objects.create(context="prod", key="on", name="on", began_at=at(1), **about)
    ProblemSpan.objects.create(
        context="prod", key="long", name="long", began_at=at(-30), ended_at=at(90), **about
    )
    found = {each.name: each for each in happened("prod", SPAN, everything(), done_after=NEVER).entries}
    assert (found["on"].until, found["on"].words) == (None, "Deployment has no ready pod, ongoing")
    assert found["long"].until is None and found["long"].words.endswith("(since before), ongoing")
