"""A namespace may be called like a word that names of backups, pages and sentences give a meaning of their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from dashboard.actions.cluster_backup import Asked
from dashboard.live.screens.recovery import _namespaces_told
from dashboard.queries.seenclusters import EVER, Recognised
from dashboard.recovery.archive import ClusterRecord, Header
from dashboard.recovery.choice import named
from dashboard.recovery.create import BackupRequest, scope_of
from dashboard.recovery.readiness import backup_badge, is_whole, readiness
from dashboard.recovery.shelf import Shelf
from dashboard.recovery.storage import Stored

NOW = datetime(2026, 11, 28, tzinfo=UTC)
PROD = Recognised("", "prod", EVER)


def stored(scope: str) -> Stored:
    return Stored(name=scope, url="", slug="prod", scope=scope, at=NOW, encrypted=False, size_bytes=1)


def header(*namespaces: str) -> Header:
    return Header(cluster=ClusterRecord(context="prod"), at="", id="1", namespaces=namespaces)


def scope(*namespaces: str, labels: str = "") -> str:
    return scope_of(BackupRequest(namespaces=namespaces, labels=labels))


@pytest.mark.parametrize(
    "name",
    [
        "all", "2-namespaces", "12-namespaces-012345", "all-abcdef", "shop", "new", "none", "cluster", "pr-123456",
        "shop-1a2b3c",
    ],
)  # fmt: skip
def test_the_scope_of_one_namespace_is_never_that_of_others(name: str) -> None:
    of = scope(name)
    assert of != scope() and of != scope("a", "b") and of != scope(labels="a=b")
    assert not is_whole(stored(of), None) and not is_whole(stored(of), header(name))
    # Where no header can be read, its name tells either nothing of it, or the namespace.
    assert _namespaces_told(stored(of), None) in ((), (of,), (of, of))
    assert len({scope(each) for each in ("all", "2-namespaces", name)}) == (
        2 if name in ("all", "2-namespaces") else 3
    )


def test_a_namespace_is_never_taken_for_another_one_with_labels() -> None:
    """They would be pruned together: by chance, or as somebody may call a namespace as they like."""
    of_labels = scope("shop", labels="app=web")
    assert of_labels.startswith("shop-") and scope(of_labels) != of_labels
    assert scope(of_labels) not in (of_labels, scope(of_labels, labels="app=web"))
    assert _namespaces_told(stored(of_labels), None)[-1:] and "shop" in _namespaces_told(
        stored(of_labels), None
    )


def test_others_are_called_as_before() -> None:
    assert (scope(), scope("shop")) == ("all", "shop")
    assert scope("a", "b").startswith("2-namespaces-") and scope(labels="a=b").startswith("all-")


def test_an_older_backup_of_a_namespace_all_is_none_of_the_cluster() -> None:
    old = stored("all")
    assert is_whole(old, None) and is_whole(old, header()) and not is_whole(old, header("all"))
    names = {"all": None, "shop": None}
    found = readiness([old], {"all": header("all")}, namespaces=names, claims=0, now=NOW)
    assert (found.covered, found.uncovered) == (1, ("shop",))
    assert readiness([old], {}, namespaces=names, claims=0, now=NOW).uncovered == ()


def test_a_backup_of_what_has_some_labels_is_no_good_backup_of_anything() -> None:
    names = {name: scope(*of, labels=labels) for name, of, labels in (
        ("all", (), ""), ("some", (), "app=web"), ("shop", ("shop",), ""), ("some-shop", ("shop",), "app=web"),
    )}  # fmt: skip
    archives = [stored(each) for each in names.values()]
    headers = {
        names["all"]: header(), names["shop"]: header("shop"),
        names["some"]: msgspec.structs.replace(header(), labels="app=web"),
        names["some-shop"]: msgspec.structs.replace(header("shop"), labels="app=web"),
    }  # fmt: skip
    shelf = Shelf(configured=True, stored=archives, headers=headers)
    assert [each.name for each in shelf.good("prod", PROD)] == [names["all"], names["shop"]]
    assert [is_whole(each, headers[each.name]) for each in archives] == [True, False, False, False]
    unread = Shelf(configured=True, stored=archives)
    assert names["some"] not in [each.name for each in unread.good("prod", PROD)]
    chosen = readiness([archives[1]], headers, namespaces={"shop": None}, claims=0, now=NOW)
    assert chosen.uncovered == ("shop",)


def test_an_archive_that_cant_be_read_and_is_older_than_the_cluster_is_not_of_it() -> None:
    """As after a disaster: a new cluster, a new database, the old storage, and the key somewhere safe."""
    before, after, ours = aged("all", 9), aged("all", 1), aged("all", 8)
    shelf = Shelf(configured=True, stored=[after, ours, before], uids={ours.name: "u"})
    made = NOW - timedelta(hours=2)
    assert shelf.good("prod", Recognised("u", "prod", made)) == [after, ours]
    assert shelf.good("prod", Recognised("new", "prod", made)) == [after]
    assert shelf.good("prod", Recognised("u", "prod", EVER)) == [after, ours, before]
    assert shelf.good("prod", Recognised("", "prod", made)) == [after, ours, before]  # it may not be asked


def aged(scope: str, hours: int) -> Stored:
    """An archive that is so old."""
    at = NOW - timedelta(hours=hours)
    return Stored(
        name=f"{scope}-{hours}", url="", slug="prod", scope=scope, at=at, encrypted=False, size_bytes=1
    )


@pytest.mark.parametrize(
    ("later", "claims", "said"),
    [
        (0, 0, ""),
        (1, 0, " 1 namespace is not in it."),
        (2, 0, " 2 namespaces are not in it."),
        (0, 1, " The data of 1 volume is not in it."),
        (0, 6, " The data of 6 volumes is not in it."),
        (1, 6, " 1 namespace and the data of 6 volumes are not in it."),
    ],
)
def test_what_is_missing_is_told_in_good_english(later: int, claims: int, said: str) -> None:
    whole = aged("all", 1)
    names = {f"new-{number}": NOW for number in range(later)}
    found = readiness([whole], {whole.name: header()}, namespaces=names, claims=claims, now=NOW)
    assert found.headline == f"The last good backup of the cluster is 60 minutes old.{said}"


def test_a_backup_of_one_namespace_makes_that_of_the_cluster_no_younger() -> None:
    shop, whole = aged("shop", 1), aged("all", 240)
    headers = {shop.name: header("shop"), whole.name: header()}
    names = {
        "shop": NOW - timedelta(days=30),
        "blog": NOW - timedelta(days=30),
        "new": NOW - timedelta(days=1),
    }
    found = readiness([shop, whole], headers, namespaces=names, claims=0, now=NOW)
    assert (found.last, found.age, found.state) == (whole, timedelta(days=10), "bad")
    assert found.headline == "The last good backup of the cluster is 10 days old. 1 namespace is not in it."
    assert "Since then backed up on their own: shop." in found.text and "In no backup: new." in found.text
    assert (found.covered, found.uncovered) == (2, ("new",))
    assert backup_badge([shop, whole], headers, NOW) == ("warn", "Last good backup 10 days ago")
    # Nothing but that of the namespace: also where no header can be read.
    for known in (headers, {}):
        assert backup_badge([shop], known, NOW) == ("warn", "No backup of the whole cluster")
        alone = readiness([shop], known, namespaces=names, claims=0, now=NOW)
        assert (alone.last, alone.age, alone.state) == (None, None, "warn")
        assert alone.headline == "No backup of the whole cluster"
    assert readiness([shop], headers, namespaces=names, claims=0, now=NOW).uncovered == ("blog", "new")


def test_a_namespace_that_was_created_again_is_in_no_backup_of_the_former_one() -> None:
    whole = aged("all", 5)
    for made, uncovered in ((6, ()), (4, ("shop",))):
        names = {"shop": NOW - timedelta(hours=made)}
        found = readiness([whole], {whole.name: header()}, namespaces=names, claims=0, now=NOW)
        assert found.uncovered == uncovered


def test_in_a_sentence_it_is_said_to_be_a_namespace() -> None:
    assert named(["all", "shop"]) == ["namespace all", "shop"]
    assert Asked(namespaces=("all",)).words == "namespace all"
    assert Asked().words == "the whole cluster"
