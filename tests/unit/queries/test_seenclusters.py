"""A name that leads to another cluster shows nothing that was recorded of the former one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.apps import apps
from django.utils import timezone

from dashboard.models import (
    AccountMapping,
    AuditEntry,
    Backup,
    Change,
    ClusterPermit,
    ConfigMapVersion,
    HourlyFigures,
    ProblemSpan,
    Recording,
    SeenCluster,
    TimelineEvent,
)
from dashboard.queries.recordings import contexts_recorded
from dashboard.queries.seenclusters import EVER, Recognised, context_in, recognise

pytestmark = pytest.mark.django_db

NOW = timezone.now()
HERE, THERE = "https://10.0.0.1:6443", "https://10.0.0.2:6443"


def seen(uid: str | None, server: str = HERE, *, hours: int = 0, context: str = "prod") -> Recognised:
    return recognise(context, server, uid, NOW + timedelta(hours=hours))


def test_another_cluster_begins_anew_and_the_former_one_goes_on_when_the_name_leads_back() -> None:
    first = seen("u-1")
    assert first == Recognised("u-1", "prod", EVER), "what was recorded before there were uids is its own"
    other = seen("u-2", hours=1)
    assert other.records != first.records
    assert context_in(other.records) == "prod"
    assert other.since == NOW + timedelta(hours=1), "what was done here before was done in the former one"
    assert seen("u-2", hours=2) == other
    back = seen("u-1", hours=3)
    assert (back.records, back.since) == ("prod", NOW + timedelta(hours=3))
    assert seen("u-1", context="dev").records == "dev", "each name by itself"


def test_a_cluster_that_got_another_address_is_the_same() -> None:
    first = seen("u-1")
    assert seen("u-1", THERE, hours=1) == first
    assert seen("u-3", HERE, hours=2).records != first.records, "a cluster made anew at the former address"


def test_one_whose_uid_may_not_be_read_is_known_by_its_server() -> None:
    first = seen("")
    assert seen("", hours=1) == first
    assert seen("", THERE, hours=1).records != first.records
    assert seen("", hours=2).records == first.records
    assert seen("u-1", hours=3).records == first.records, "now it may be read"
    assert seen("", hours=4).records == first.records, "and now not any more"


def test_one_that_does_not_answer_is_the_one_that_was_at_its_server_and_nothing_is_noted_of_it() -> None:
    assert seen(None).records == "prod", "of this name nothing else is known"
    first, other = seen("u-1"), seen("u-2", THERE, hours=1)
    assert seen(None, THERE, hours=2) == other
    assert seen(None, HERE, hours=2).records == first.records
    strange = seen(None, "https://10.0.0.9:6443", hours=2)
    assert strange.records not in (first.records, other.records)
    assert seen("u-2", THERE, hours=3).since == other.since, "the name led there all the time"
    assert SeenCluster.objects.count() == 2


def test_a_long_name_has_room_for_what_tells_its_clusters_apart() -> None:
    name = "n" * 500
    assert {len(seen(uid, context=name).records) for uid in ("u-1", "u-2")} == {497, 500}


def test_what_was_recorded_of_either_is_taken_up_again_by_the_name() -> None:
    for uid in ("u-1", "u-2"):
        Recording.objects.create(context=seen(uid).records, began_at=NOW, until=NOW)
    TimelineEvent.objects.create(context=seen("u-9", context="dev").records, key="k", at=NOW, type="watching")
    assert contexts_recorded(NOW - timedelta(hours=1)) == {"prod", "dev"}


def test_it_is_known_of_every_table_why_it_shows_nothing_of_a_former_cluster() -> None:
    """By the name of its records; by uids of objects (versions), as somebody's own and from when on the name led here
    (changes, the audit), by the uid of the cluster (backups), by the server (permissions) or by hand (mappings).
    """
    named = {
        each for each in apps.get_app_config("dashboard").get_models()
        if any(field.name == "context" for field in each._meta.get_fields())
    }  # fmt: skip
    records = {Recording, TimelineEvent, ProblemSpan, HourlyFigures, SeenCluster}
    assert named == records | {ConfigMapVersion, Change, AuditEntry, Backup, ClusterPermit, AccountMapping}
