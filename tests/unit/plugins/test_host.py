"""What the host of plugins takes, refuses, and keeps from harm."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import distributions, entry_points
from pathlib import Path
from typing import Any

import pytest
from django.template import engines

from cluster_ui.settings import _plugins
from dashboard.actions.registry import ACTIONS, action_names
from dashboard.errors import ClusterError
from dashboard.guard import PluginFailed
from dashboard.insight import findings
from dashboard.insight.declared import DECLARED as RULES
from dashboard.kinds import CUSTOM, KINDS
from dashboard.kinds.base import Cell
from dashboard.kinds.catalogue import Kinds
from dashboard.kinds.custom import CustomKind
from dashboard.kinds.tablekinds import Resource, TableKind
from dashboard.live.screens.declared import PAGES
from dashboard.live.screens.detail.cards import DECLARED as CARDS
from dashboard.plugins.host import PLUGINS, Plugin, load
from tests.plugins.installed import HERE, install, write
from tests.unit.insight.world import NOW, World

PLURAL = "backups.demo.example.com"
HEAD = 'import dashboard.plugins.interface as ui\nCLUSTER_UI_INTERFACE = "1.0"\n'


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the path; what plugins of it bring goes after the test."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(HERE))
    dirs: list[Any] = engines["django"].engine.dirs  # type: ignore[attr-defined]
    registries: tuple[Any, ...] = (CUSTOM, RULES, ACTIONS, CARDS, PAGES, PLUGINS, dirs)
    kept = [each.copy() for each in registries]
    modules = set(sys.modules)
    yield tmp_path
    for each, before in zip(registries, kept, strict=True):
        each.clear()
        each.update(before) if isinstance(each, dict) else each.extend(before)
    for name in set(sys.modules) - modules:
        if name.startswith(("plugin_", "cluster_ui_backups")):
            del sys.modules[name]


def loaded(path: Path) -> list[Plugin]:
    """The plugins of the folder, loaded."""
    importlib.invalidate_caches()
    found = [
        each
        for dist in distributions(path=[str(path)])
        for each in dist.entry_points.select(group="cluster_ui")
    ]
    load(found)
    return PLUGINS[-len(found) :]


def one(path: Path, source: str, **templates: str) -> Plugin:
    write(path, "mine", source, **templates)
    (plugin,) = loaded(path)
    return plugin


def test_none_are_installed_where_the_tests_run() -> None:
    assert not entry_points(group="cluster_ui")


def test_the_example_is_short_and_brings_what_it_says(path: Path) -> None:
    install(path, "backups", "cluster_ui_backups", "2.1")
    (plugin,) = loaded(path)
    assert (plugin.state, plugin.version) == ("on", "2.1")
    assert plugin.brings == {"kind": 1, "rule": 1, "action": 1, "card": 1}
    assert len((HERE / "cluster_ui_backups/__init__.py").read_text().splitlines()) < 200
    offered = Kinds()
    gvr = CUSTOM[PLURAL].gvr

    def offers() -> set[str]:
        return {action.name for action in ACTIONS if action.fits(offered[PLURAL])}

    assert offered.learn([Resource(gvr, "Backup")])
    assert isinstance(offered[PLURAL], CustomKind)
    assert offered.served == (offered[PLURAL],)
    assert offers() >= {"delete", "retention"} and "scale" not in offers()
    assert not offered.learn([Resource(gvr, "Backup")])
    assert offered.learn([Resource(gvr, "Backup", scales=True)])  # what the API server offers now
    assert "scale" in offers()
    assert not CUSTOM[PLURAL].scales  # another cluster's is another kind


def test_of_another_version_of_its_api_the_table_is_shown(path: Path) -> None:
    install(path, "backups", "cluster_ui_backups")
    loaded(path)
    offered = Kinds()
    gvr = CUSTOM[PLURAL].gvr
    offered.learn([Resource(type(gvr)(gvr.group, "v2", gvr.plural), "Backup")])
    assert isinstance(offered[PLURAL], TableKind)
    assert offered[PLURAL].gvr.version == "v2"


@pytest.mark.parametrize(
    ("source", "state", "problem"),
    [
        ("raise OSError('no disk')", "failed", "OSError: no disk"),
        ("raise SystemExit(3)", "failed", "SystemExit"),
        ("import nothing_of_that_name", "failed", "nothing_of_that_name"),
        ("", "refused", "does not say which version"),
        ("CLUSTER_UI_INTERFACE = 1", "refused", "does not say which version"),
        ('CLUSTER_UI_INTERFACE = "0.3"', "refused", "version 0.3 of the plugin interface; this is 1.0"),
        ('CLUSTER_UI_INTERFACE = "2.0"', "refused", "It needs a newer dashboard"),
        ('CLUSTER_UI_INTERFACE = "1.7"', "refused", "update the dashboard"),
        (f"{HEAD}@ui.hook\ndef cluster_ui_menus(): return []", "refused", "no such hook"),
        (f"{HEAD}@ui.hook\ndef cluster_ui_rules(colour): return []", "failed", "colour"),
        (f"{HEAD}@ui.hook\ndef cluster_ui_rules(): raise KeyError('lost')", "failed", "KeyError: 'lost'"),
        (f"{HEAD}@ui.hook\ndef cluster_ui_kinds(): return ['pods']", "refused", "a str where a CustomKind"),
        (
            f"{HEAD}@ui.hook\ndef cluster_ui_rules():\n"
            "    return [ui.DeclaredRule(names=frozenset({'pod-evicted'}), find=len)]",
            "refused",
            "pod-evicted must begin with mine-",
        ),
        (
            f"{HEAD}class A(ui.Action):\n    name, title, icon = 'scale', 'Scale', 'x'\n"
            "@ui.hook\ndef cluster_ui_actions(): return [A()]",
            "refused",
            "There is a action scale already",
        ),
        (
            f"{HEAD}class A(ui.Action):\n    name, title, icon = 'peek', 'Peek', 'x'\n    kinds = {{'secrets'}}\n"
            "@ui.hook\ndef cluster_ui_actions(): return [A()]",
            "refused",
            "for Secrets, which no plugin may touch",
        ),
        (
            f"{HEAD}@ui.hook\ndef cluster_ui_pages():\n    return [ui.DeclaredPage(name='map', title='Map', "
            "template='mine/map.html', facts=dict, reads=frozenset())]",
            "refused",
            "map must begin with mine-",
        ),
        (
            f"{HEAD}@ui.hook\ndef cluster_ui_pages():\n    return [ui.DeclaredPage(name='mine', title='Mine', "
            "template='base.html', facts=dict, reads=frozenset())]",
            "refused",
            "must lie in templates/mine/",
        ),
    ],
)
def test_what_is_not_registered_says_why_and_registers_nothing(
    path: Path, source: str, state: str, problem: str
) -> None:
    before = (dict(CUSTOM), list(RULES), list(ACTIONS), list(CARDS), dict(PAGES))
    plugin = one(path, source)
    assert plugin.state == state
    assert problem in plugin.problem
    assert (dict(CUSTOM), list(RULES), list(ACTIONS), list(CARDS), dict(PAGES)) == before


def test_a_plugin_that_fails_at_its_last_hook_has_registered_nothing_of_the_first(path: Path) -> None:
    source = (HERE / "cluster_ui_backups/__init__.py").read_text().replace("backups-keeps", "mine-keeps")
    plugin = one(path, source)  # its template lies in the folder of another one
    assert plugin.state == "refused" and "templates/mine/" in plugin.problem
    assert PLURAL not in CUSTOM and "retention" not in action_names()


def test_a_template_that_cannot_be_read_is_found_at_the_start(path: Path) -> None:
    page = (
        "ui.DeclaredPage(name='mine', title='Mine', template='mine/page.html', facts=dict, reads=frozenset())"
    )
    plugin = one(path, f"{HEAD}@ui.hook\ndef cluster_ui_pages(): return [{page}]", page="{% if %}")
    assert plugin.state == "failed" and "TemplateSyntaxError" in plugin.problem


def test_two_of_one_name_and_what_both_bring(path: Path) -> None:
    install(path, "backups", "cluster_ui_backups", "1.0")
    second = path / "second"
    second.mkdir()
    install(second, "backups", "cluster_ui_backups", "1.1")
    write(path, "others", (HERE / "cluster_ui_backups/__init__.py").read_text())
    found = [
        each
        for folder in (path, second)
        for dist in distributions(path=[str(folder)])
        for each in dist.entry_points.select(group="cluster_ui")
    ]
    load(found)
    assert [(each.name, each.state) for each in PLUGINS] == [
        ("backups", "on"),
        ("backups", "refused"),
        ("others", "refused"),
    ]
    assert "uninstall one of them" in PLUGINS[1].problem
    assert f"There is a kind {PLURAL} already" in PLUGINS[2].problem


@pytest.mark.parametrize(
    ("chosen", "on"), [(None, True), (frozenset(), False), ({"backups"}, True), ({"others"}, False)]
)
def test_plugins_are_switched_off_by_the_setting(path: Path, settings: Any, chosen: Any, on: bool) -> None:
    settings.CLUSTER_UI_PLUGINS = chosen
    install(path, "backups", "cluster_ui_backups")
    (plugin,) = loaded(path)
    assert plugin.state == ("on" if on else "off")
    assert (PLURAL in CUSTOM) is on
    assert ("cluster_ui_backups" in sys.modules) is on  # nothing of it is even imported


@pytest.mark.parametrize(
    ("text", "found"), [("", None), ("on", None), ("off", frozenset()), ("a, b", frozenset({"a", "b"}))]
)
def test_the_setting_is_on_off_or_names(monkeypatch: pytest.MonkeyPatch, text: str, found: Any) -> None:
    monkeypatch.setenv("CLUSTER_UI_PLUGINS", text)
    assert _plugins("CLUSTER_UI_PLUGINS") == found


# ---- While it runs


RAW = b'{"apiVersion": "demo.example.com/v1", "kind": "Backup", "metadata": {"name": "a", "namespace": "n", "uid": "u"}}'


def broken(path: Path, **replaced: str) -> tuple[CustomKind[Any], Plugin]:
    """The example with pieces of its source replaced."""
    source = (HERE / "cluster_ui_backups/__init__.py").read_text()
    source = source.replace("backups-keeps", "mine-keeps").replace("backups/kept", "mine/kept")
    for old, new in replaced.items():
        assert f"def {old}(" in source
        source = source.replace(f"def {old}(", f"def {old}(*_): {new}\ndef _{old}(")
    plugin = one(path, source, kept="{{ kept }}")
    assert plugin.state == "on", plugin.problem
    return CUSTOM[PLURAL], plugin


def test_rows_and_facts_that_fail_are_told_by_the_metadata(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kind, plugin = broken(path, row="raise KeyError('spec')", detail="return 'nothing'")
    obj = kind.decode_object(RAW)
    with caplog.at_level(logging.ERROR):
        row, *_ = [kind.row(obj) for _ in range(3)]
    assert (row.name, row.state, row.reason) == ("a", "warn", "plugin mine failed")
    assert row.cells[0] == Cell("a") and len(row.cells) == len(kind.columns)
    assert plugin.failures["the row of a Backup"].count == 3
    assert plugin.failures["the row of a Backup"].text == "KeyError: 'spec'"
    assert [each.message for each in caplog.records] == [
        "plugin mine failed in the row of a Backup: KeyError: 'spec'"
    ]
    assert "the plugin mine failed to describe it further" in kind.detail(obj).sentence


def test_a_row_with_too_few_cells_is_a_failure(path: Path) -> None:
    kind, plugin = broken(path, often="return None")
    kind.row(kind.decode_object(RAW))
    assert "the row of a Backup" in plugin.failures


def test_an_answer_that_cannot_be_decoded_is_noted_and_raised(path: Path) -> None:
    kind, plugin = broken(path)
    with pytest.raises(ValueError, match="everyHours"):
        kind.decode_object(RAW.replace(b'"metadata"', b'"spec": {"everyHours": "daily"}, "metadata"'))
    assert "reading a Backup" in plugin.failures


def test_keys_of_several_types_sort(path: Path) -> None:
    kind, _ = broken(path)
    with_time = RAW.replace(b'"metadata"', b'"status": {"lastSuccess": "2026-01-01T00:00:00Z"}, "metadata"')
    rows = [kind.row(kind.decode_object(raw)) for raw in (RAW, with_time)]
    column = next(each for each in kind.columns if each.key == "last-success")
    assert sorted(row.sort[column.order] for row in rows)


@pytest.mark.parametrize(
    "keeps_nothing",
    [
        "raise RuntimeError('gone sour')",
        "return [1]",
        "return [ui.Finding(ui.PluginName('pod-evicted'), 'bad', 1, ui.Ref('Pod', 'n', 'p', 'pods'), ())]",
    ],
)
def test_a_rule_that_fails_leaves_the_others_alone(path: Path, keeps_nothing: str) -> None:
    world = World()
    before = findings(world, NOW)
    _, plugin = broken(path, keeps_nothing=keeps_nothing)
    assert findings(world, NOW) == before
    assert "the rule mine-keeps-nothing" in plugin.failures


def test_an_action_that_fails_is_not_offered_or_says_so_and_never_is_for_secrets(path: Path) -> None:
    plugin = one(
        path,
        f"""{HEAD}
class Failing(ui.Action):
    name, title, icon = "failing", "Fail", "x"
    def fits(self, kind):
        return True
    def applies(self, obj):
        raise RuntimeError("gone sour")
    def words(self, touched):
        return touched["nothing"]
    @property
    def rights(self):
        raise RuntimeError("gone sour")
    def check(self, manifest, wanted):
        raise ui.Invalid("Not so.")
    async def decide(self, order, manifest, objects):
        raise RuntimeError("gone sour")
    def on(self, wanted):
        return Failing()
@ui.hook
def cluster_ui_actions(): return [Failing()]
""",
    )
    action = ACTIONS[-1]
    assert action.fits(KINDS["pods"]) and not action.fits(KINDS["secrets"])
    assert action.applies(None) is False
    calls: list[Callable[[], Any]] = [
        lambda: action.words({}),
        lambda: action.rights,
        lambda: action.on({}).words({}),
    ]
    for call in calls:
        with pytest.raises(PluginFailed, match="The plugin mine failed"):
            call()
    with pytest.raises(ClusterError, match=r"Not so\."):  # an answer, not a failure
        action.check({}, {})
    assert {
        "applies of the action failing",
        "words of the action failing",
        "rights of the action failing",
    } == set(plugin.failures)
