"""Contexts that were added: what is kept of them and how, what their rules change, and what is forgotten with them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from dashboard.actions.confirmation import is_production
from dashboard.actions.permits import changes_states
from dashboard.clusters import keeping
from dashboard.clusters.keeping import added_clusters, cluster_add, cluster_remove, clusters_seal_anew
from dashboard.clusters.rules import Rules, every_rule, past_holds, rules_hold
from dashboard.credentials import is_shown_issuers
from dashboard.errors import BadInput, Conflict, NotFound
from dashboard.kube.config import NoKubeconfig
from dashboard.kube.kubeconfig_text import read_kubeconfig
from dashboard.live.acting import mode_of, own_past
from dashboard.live.added import AddedContexts
from dashboard.live.runtime import Runtime
from dashboard.models import AccountMapping, AddedCluster, AuditEntry, ClusterPermit
from tests.kubeconfigs import TOKEN, kubeconfig

pytestmark = pytest.mark.django_db(transaction=True)
OWN = Rules("user", production=True, read_only=True)


@pytest.fixture(autouse=True)
def no_rules() -> Any:
    yield
    rules_hold({})
    past_holds({})


def add(name: str = "dev", *, rules: Rules = OWN, taken: tuple[str, ...] = (), **more: Any) -> AddedCluster:
    (offered,) = read_kubeconfig(kubeconfig(name, **more))
    return cluster_add(by="mara", offered=offered, rules=rules, taken=taken)


def whole_table() -> str:
    with connection.cursor() as cursor:
        found = ""
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            found += repr(cursor.fetchall())
    return found


def test_a_context_is_kept_sealed_and_the_audit_tells_whose_it_is() -> None:
    add()
    (kept,) = added_clusters()
    assert kept.cluster is not None and kept.cluster.connection.user == {"token": TOKEN}
    assert (kept.name, kept.server, kept.rules, kept.by) == ("dev", "https://10.0.0.1:6443", OWN, "mara")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.context, entry.user_name) == ("add cluster", "dev", "mara")
    assert "https://10.0.0.1:6443" in entry.detail and "act as user, production, read-only" in entry.detail
    assert TOKEN not in whole_table() and TOKEN not in repr(kept)


def test_names_that_are_taken_and_what_was_refused_are_not_added(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Conflict, match="called dev already"):
        add(taken=("dev",))
    add()
    with pytest.raises(Conflict, match="just now"):
        add()  # two administrators at once
    with pytest.raises(BadInput, match="exec"):
        add("other", user={"exec": {"command": "aws"}})
    with pytest.raises(BadInput, match="impersonates somebody itself"):
        add("other", user={"token": TOKEN, "as": "root"}, rules=Rules("impersonate"))
    with pytest.raises(BadInput, match="how people act"):
        add("other", rules=Rules("root"))
    monkeypatch.setattr(keeping, "MAX_ADDED", 1)
    with pytest.raises(BadInput, match="added already"):
        add("other")
    assert [each.name for each in added_clusters()] == ["dev"]


def test_what_was_said_of_a_removed_context_is_forgotten_with_its_credentials() -> None:
    owner = User.objects.create(username="owner")
    add()
    for server in ("https://10.0.0.1:6443", "https://other"):
        ClusterPermit.objects.create(context="dev", server=server, allowed_by=owner)
    for context in ("dev", "prod", ""):
        AccountMapping.objects.create(subject="user", name="m", context=context, cluster_user="m", by="m")
    sealed = AddedCluster.objects.get().sealed
    cluster_remove(by="jon", name="dev")
    assert added_clusters() == () and sealed not in whole_table()
    assert [each.server for each in ClusterPermit.objects.all()] == ["https://other"]
    assert sorted(each.context for each in AccountMapping.objects.all()) == ["", "prod"]
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.user_name) == ("remove cluster", "jon")
    assert "1 mapping of people and the permission" in entry.detail
    with pytest.raises(NotFound):
        cluster_remove(by="jon", name="dev")
    add()  # its name is free again


def test_the_mappings_of_the_installations_own_context_of_that_name_stay() -> None:
    add()
    AccountMapping.objects.create(subject="user", name="m", context="dev", cluster_user="m", by="m")
    cluster_remove(by="jon", name="dev", taken=["dev"])
    assert AccountMapping.objects.count() == 1 and "mapping" not in AuditEntry.objects.latest("pk").detail


def test_a_row_that_was_altered_or_whose_key_is_lost_leads_nowhere_and_can_be_removed(settings: Any) -> None:
    add()
    AddedCluster.objects.update(server="https://evil.example")
    (kept,) = added_clusters()
    assert kept.cluster is None and "altered" in kept.trouble
    AddedCluster.objects.update(server="https://10.0.0.1:6443", name="prod")
    assert added_clusters()[0].cluster is None
    AddedCluster.objects.update(name="dev")
    assert added_clusters()[0].cluster is not None
    settings.SECRET_KEY = "another key, long enough for anybody"
    (kept,) = added_clusters()
    assert kept.cluster is None and "CLUSTER_UI_SECRET_KEY_FALLBACKS" in kept.trouble
    assert clusters_seal_anew() == (0, 1)
    cluster_remove(by="mara", name="dev")
    assert added_clusters() == ()


def test_keys_are_rotated(settings: Any) -> None:
    add()
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "the next key of this house"
    assert added_clusters()[0].cluster is not None
    assert clusters_seal_anew() == (1, 0) and clusters_seal_anew() == (0, 0)
    settings.SECRET_KEY_FALLBACKS = []
    assert added_clusters()[0].cluster is not None


async def test_a_process_learns_of_what_others_add_and_remove() -> None:
    known, configured = AddedContexts(), ()
    await known.refresh()
    assert known.beside(configured) == ()
    await sync_to_async(add)()
    assert known.beside(configured) == ()
    await known.refresh()
    (cluster,) = known.beside(configured)
    assert cluster.name == "dev" and cluster is known.beside(configured)[0]
    assert mode_of("dev") == "user" and is_production("dev")
    assert (await changes_states([cluster]))["dev"].state == "off"
    await sync_to_async(cluster_remove)(by="mara", name="dev")
    await known.refresh()
    assert known.beside(configured) == ()
    # What people did there is still told by how they acted.
    assert own_past("dev") > timezone.now() and mode_of("dev") == "installation" and not is_production("dev")


async def test_the_installations_own_contexts_and_settings_stand_above(settings: Any) -> None:
    await sync_to_async(add)()
    known = AddedContexts()
    await known.refresh()
    (own,) = known.beside(())
    settings.CLUSTER_UI_ACT_AS = {"": "installation", "dev": "impersonate"}
    assert mode_of("dev") == "impersonate"
    settings.CLUSTER_UI_ACT_AS = {"": "installation"}
    assert known.beside((own,)) == (own,) and mode_of("dev") == "installation"
    assert known.beside(())[0] is own and mode_of("dev") == "user"


async def test_the_issuers_token_is_shown_to_an_added_context_that_is_named_alone(settings: Any) -> None:
    rules_hold({"dev": OWN})
    settings.CLUSTER_UI_OIDC_CONTEXTS = frozenset({"*"})
    assert is_shown_issuers("prod") and not is_shown_issuers("dev")
    settings.CLUSTER_UI_OIDC_CONTEXTS = frozenset({"dev"})
    assert is_shown_issuers("dev")


async def test_a_removed_context_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Runtime()
    monkeypatch.setattr(runtime, "configured", lambda: ())
    await sync_to_async(add)(rules=Rules("installation"))
    await runtime.refresh()
    opened = runtime.open("dev")
    await sync_to_async(cluster_remove)(by="mara", name="dev")
    await runtime.refresh()
    assert runtime.opened() == ()
    with pytest.raises(NotFound):
        runtime.open("dev")
    await runtime.stop()
    assert opened.closed


async def test_one_that_a_request_opens_while_the_server_stops_is_closed_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runtime = Runtime()
    monkeypatch.setattr(runtime, "configured", lambda: ())
    for name in ("dev", "late"):
        await sync_to_async(add)(name, rules=Rules("installation"))
    await runtime.refresh()
    dev, late = runtime.open("dev"), []
    close = dev.close

    async def slow_close() -> None:
        late.append(runtime.open("late"))
        await close()

    monkeypatch.setattr(dev, "close", slow_close)
    await runtime.stop()
    assert dev.closed and late[0].closed and runtime.opened() == ()


async def test_one_that_was_removed_is_closed_though_the_kubeconfig_is_just_being_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken() -> Any:
        raise BadInput("The kubeconfig is not YAML.")

    runtime = Runtime()
    monkeypatch.setattr(runtime, "configured", lambda: ())
    for name in ("dev", "stays"):
        await sync_to_async(add)(name, rules=Rules("installation"))
    await runtime.refresh()
    dev, stays = runtime.open("dev"), runtime.open("stays")
    monkeypatch.setattr(runtime, "configured", broken)
    await sync_to_async(cluster_remove)(by="mara", name="dev")
    await runtime.refresh()
    assert runtime.opened() == (stays,)
    await runtime.stop()
    assert dev.closed


@pytest.mark.parametrize("error", [BadInput("The kubeconfig is not YAML."), NoKubeconfig("There is none.")])
async def test_a_kubeconfig_that_cannot_be_read_takes_nothing_away_that_was_added(
    monkeypatch: pytest.MonkeyPatch, error: BadInput
) -> None:
    def broken() -> Any:
        raise error

    runtime = Runtime()
    for name in ("dev", "own"):
        await sync_to_async(add)(name, rules=OWN)
    monkeypatch.setattr(runtime, "configured", lambda: ())
    await runtime.refresh()
    own = runtime.named("own")
    monkeypatch.setattr(runtime, "configured", lambda: (own,))
    opened = runtime.open("dev")
    monkeypatch.setattr(runtime, "configured", broken)
    for _ in range(3):
        runtime.sweep()
    assert [each.name for each in runtime.clusters()] == ["dev"], "and none whose name was the installation's"
    assert runtime.opened() == (opened,) and mode_of("dev") == "user" and mode_of("own") == "installation"
    assert runtime.configured_names() == {"own"}
    with pytest.raises(BadInput, match=error.message):
        runtime.named("own")
    await runtime.stop()


def test_rules_are_never_away_while_others_take_their_place() -> None:
    rules_hold({"dev": OWN})
    before = every_rule()
    rules_hold({"prod": OWN})
    assert before == {"dev": OWN} and every_rule() == {"prod": OWN}


def command(*arguments: str) -> str:
    out = io.StringIO()
    call_command("clusters", *arguments, stdout=out)
    return out.getvalue()


def test_the_same_by_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "own"))
    (tmp_path / "own").write_text(kubeconfig("home"))
    path = tmp_path / "config"
    path.write_text(kubeconfig("dev", "prod"))
    assert "dev at https://10.0.0.1:6443 is added." in command(
        "add", str(path), "--context", "dev", "--read-only"
    )
    listed = command("list")
    assert "dev\thttps://10.0.0.1:6443\tact as installation" in listed and "read-only" in listed
    command("rules", "dev", "--no-read-only", "--act-as", "user", "--reason", "people come")
    assert (
        added_clusters()[0].rules == Rules("user") and AuditEntry.objects.latest("pk").reason == "people come"
    )
    for wrong, words in ((["nope"], "No added context"), (["dev"], "Nothing was changed")):
        with pytest.raises(CommandError, match=words):
            command("rules", *wrong)
    with pytest.raises(CommandError, match="called dev already"):
        command("add", str(path))
    assert [each.name for each in added_clusters()] == ["dev"]  # none of them, or all
    path.write_text(kubeconfig("home"))
    with pytest.raises(CommandError, match="called home already"):
        command("add", str(path))
    with pytest.raises(CommandError, match="no context 'nope'"):
        command("add", str(path), "--context", "nope")
    with pytest.raises(CommandError, match="can't be read"):
        command("add", str(tmp_path / "nowhere"))
    assert "Encrypted again: 0" in command("reencrypt")
    assert "credentials are forgotten" in command("remove", "dev")
    with pytest.raises(CommandError, match="No added context"):
        command("remove", "dev")
