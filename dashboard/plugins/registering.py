"""Checks what plugins bring, and puts it into the registries."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pluggy
from django.template import engines
from django.template.backends.django import DjangoTemplates

from dashboard.actions.action import Action
from dashboard.actions.registry import ACTIONS, action_names
from dashboard.guard import Guard
from dashboard.insight import names
from dashboard.insight.declared import DECLARED as RULES
from dashboard.insight.declared import DeclaredRule
from dashboard.kinds import CUSTOM
from dashboard.kinds.catalogue import BUILT_IN
from dashboard.kinds.custom import CustomKind
from dashboard.live.screens.declared import PAGES, DeclaredPage
from dashboard.live.screens.detail.cards import DECLARED as CARDS
from dashboard.live.screens.detail.cards.declared import DeclaredCard, card_of
from dashboard.live.screens.detail.tabs import TABS

from . import interface
from .guarded import guarded_action, guarded_kind, guarded_rule
from .host import NAME, Plugin, Refused

# Parts of an object's address that are no action's.
TAKEN = frozenset({"reveal", "values", "value", "offers", "columns", "logs", "shell", "download"})


class Registering:
    """Registers one plugin after the other; each as a whole, or not at all."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(interface.PROJECT)
        self._manager.add_hookspecs(interface)

    def add(self, plugin: Plugin, module: ModuleType) -> None:
        """Raises Refused, or whatever the plugin raises: nothing of it is registered then."""
        _check_interface(module)
        try:
            self._manager.register(module, plugin.name)
            steps = self._steps(plugin, module)
        except BaseException:
            if self._manager.is_registered(module):
                self._manager.unregister(module)
            raise
        for _, step in steps:
            step()
        plugin.brings = dict(Counter(what for what, _ in steps))

    def _steps(self, plugin: Plugin, module: ModuleType) -> list[tuple[str, Callable[[], None]]]:
        """What puts all that it brings into the registries, each with what it is; all of it is checked."""
        callers = self._manager.get_hookcallers(module) or ()
        unknown = sorted(each.name for each in callers if not each.has_spec())
        if unknown:
            raise Refused(f"It implements {', '.join(unknown)}, and there is no such hook.")
        _add_templates(plugin, module)
        brought = Brought(plugin, Guard(plugin.name, plugin.noted))
        others = [each for each in self._manager.get_plugins() if each is not module]
        return [
            (what, check(each))
            for what, check in brought.checks.items()
            for answer in self._manager.subset_hook_caller(f"cluster_ui_{what}s", others)()
            for each in answer
        ]


def _check_interface(module: ModuleType) -> None:
    ours = ".".join(map(str, interface.INTERFACE))
    said = getattr(module, "CLUSTER_UI_INTERFACE", None)
    if not isinstance(said, str) or not re.fullmatch(r"\d{1,4}\.\d{1,4}", said):
        raise Refused(
            "It does not say which version of the plugin interface it was made for: its module needs "
            f'CLUSTER_UI_INTERFACE = "{ours}".'
        )
    major, minor = map(int, said.split("."))
    if major != interface.INTERFACE[0]:
        way = "a newer dashboard" if major > interface.INTERFACE[0] else "a newer version of the plugin"
        raise Refused(
            f"It was made for version {said} of the plugin interface; this is {ours}. It needs {way}."
        )
    if minor > interface.INTERFACE[1]:
        raise Refused(
            f"It needs version {said} of the plugin interface, and this is {ours}: update the dashboard."
        )


def _add_templates(plugin: Plugin, module: ModuleType) -> None:
    """Its folder ``templates`` comes after all others, so that it replaces nothing."""
    folder = Path(module.__file__ or "").parent / "templates"
    if not folder.is_dir():
        return
    strange = sorted(each.name for each in folder.iterdir() if each.name != plugin.name)
    if strange:
        raise Refused(
            f"Its templates belong into templates/{plugin.name}/, and there is {strange[0]} beside that."
        )
    engine = engines["django"]
    assert isinstance(engine, DjangoTemplates)  # noqa: S101 # the settings have no other
    engine.engine.dirs.append(str(folder))


class Brought:
    """Checks what a plugin brings, one thing after the other, and gives what puts it into its registry. Each raises
    Refused.
    """

    def __init__(self, plugin: Plugin, guard: Guard) -> None:
        self.plugin = plugin
        self.guard = guard
        self._names: set[tuple[str, str]] = set()
        # By the word in the hook's name, in the order in which things are registered.
        self.checks: Mapping[str, Callable[[Any], Callable[[], None]]] = {
            "kind": self.kind,
            "rule": self.rule,
            "action": self.action,
            "card": self.card,
            "page": self.page,
        }

    def kind(self, kind: Any) -> Callable[[], None]:
        _is(kind, CustomKind)
        if kind.gvr.group in BUILT_IN:
            raise Refused(
                f"Its kind {kind.kind} is of Kubernetes' own API group {kind.gvr.group or 'core'!r}."
            )
        self._once("kind", kind.plural, CUSTOM)
        if not kind.columns or kind.columns[0].key != "name":
            raise Refused(f"The first column of its kind {kind.kind} must be the name.")
        return lambda: CUSTOM.update({kind.plural: guarded_kind(kind, self.guard)})

    def rule(self, rule: Any) -> Callable[[], None]:
        _is(rule, DeclaredRule)
        own = {each for part in get_args(names.BuiltInRule) for each in get_args(part)}
        taken = own.union(*(each.names for each in RULES))
        if not rule.names:
            raise Refused("One of its rules names nothing that it may find.")
        for name in sorted(rule.names):
            self._own("rule", name)
            self._once("rule", name, taken)
        return lambda: RULES.append(guarded_rule(rule, self.guard))

    def action(self, action: Any) -> Callable[[], None]:
        _is(action, Action)
        _named("action", getattr(action, "name", ""))
        missing = [each for each in ("title", "icon") if not isinstance(getattr(action, each, None), str)]
        if missing:
            raise Refused(f"Its action {action.name} has no {missing[0]}.")
        self._once("action", action.name, {*action_names(), *TABS, *TAKEN})
        if "secrets" in action.kinds:
            raise Refused(f"Its action {action.name} is for Secrets, which no plugin may touch.")
        return lambda: ACTIONS.append(guarded_action(action, self.guard))

    def card(self, card: Any) -> Callable[[], None]:
        _is(card, DeclaredCard)
        _named("card", card.name)
        self._once("card", card.name, ())
        self._template(card.template)
        return lambda: CARDS.append(card_of(card, self.guard))

    def page(self, page: Any) -> Callable[[], None]:
        _is(page, DeclaredPage)
        _named("page", page.name)
        if page.name != self.plugin.name:
            self._own("page", page.name)
        self._once("page", page.name, PAGES)
        self._template(page.template)
        return lambda: PAGES.update({page.name: (page, self.guard)})

    def _own(self, what: str, name: str) -> None:
        if not name.startswith(f"{self.plugin.name}-"):
            raise Refused(f"The name of its {what} {name} must begin with {self.plugin.name}-.")

    def _once(self, what: str, name: str, taken: Iterable[str]) -> None:
        if name in taken or (what, name) in self._names:
            raise Refused(f"There is a {what} {name} already.")
        self._names.add((what, name))

    def _template(self, name: str) -> None:
        """One that cannot be read is found now, not when somebody looks. Raises what Django says of it."""
        if not name.startswith(f"{self.plugin.name}/"):
            raise Refused(f"Its template {name} must lie in templates/{self.plugin.name}/.")
        engines["django"].get_template(name)


def _is(found: object, type_: type[Any]) -> None:
    if not isinstance(found, type_):
        raise Refused(f"It brings a {type(found).__name__} where a {type_.__name__} is expected.")


def _named(what: str, name: object) -> None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise Refused(
            f"{name!r} is not a valid name for its {what}: use lower-case letters, digits and hyphens."
        )
