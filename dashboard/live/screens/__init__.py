"""The screens, and which of them an address shows."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.http import QueryDict
from django.urls import Resolver404, resolve

from dashboard.actions.bulk import BULK
from dashboard.errors import NotFound
from dashboard.live.screen import Screen
from dashboard.live.session import Session

from .access import AccessScreen
from .bulk import BulkFormScreen, BulkScreen
from .capacity import CapacityScreen
from .certificates import CertificatesScreen
from .change import ChangeScreen
from .chrome import ChromeScreen, OthersScreen
from .create import CreateScreen, CreationScreen
from .declared import PluginScreen
from .detail import DetailScreen
from .drain import DrainScreen
from .edit import action_screen
from .listing import ListScreen
from .map import MapScreen
from .newobject import NewObjectScreen
from .operation import OperationScreen
from .overview import OverviewScreen
from .recovery import (
    BackupFormScreen,
    BackupScreen,
    DrillFormScreen,
    RecoveryFormScreen,
    RecoveryScreen,
    RestoreScreen,
    VeleroRestoreScreen,
)
from .replacement import ReplacementScreen
from .resilience import ResilienceScreen
from .rotate import RotationScreen
from .search import SearchScreen
from .timeline import TimelineScreen

__all__ = ["Screen", "chrome_screens", "operation_screen", "plural_of", "screen_for"]

# The screens of operations with parts of their own, by action.
OPERATIONS: dict[str, type[OperationScreen]] = {
    "create-all": CreationScreen,
    "rotate": RotationScreen,
    "drain": DrainScreen,
    "replace": ReplacementScreen,
    "restore": RestoreScreen,
    "drill": RestoreScreen,
    "backup": BackupScreen,
    "velero-restore": VeleroRestoreScreen,
}


def operation_screen(session: Session, params: QueryDict, change: int, action: str) -> OperationScreen:
    """The screen of an operation, which is another one's if its action is not this."""
    made = BulkScreen if action.startswith(BULK) else OPERATIONS.get(action, OperationScreen)
    screen = made(session, params, change)
    screen.named = action
    return screen


# By the name of the URL pattern. Addresses that are not here show nothing that moves.
SCREENS: dict[str, Callable[..., Screen]] = {
    "overview": OverviewScreen,
    "map": MapScreen,
    "timeline": TimelineScreen,
    "capacity": CapacityScreen,
    "certificates": CertificatesScreen,
    "resilience": ResilienceScreen,
    "recovery": RecoveryScreen,
    "restore": RecoveryFormScreen,
    "drill": DrillFormScreen,
    "backup": BackupFormScreen,
    "access": AccessScreen,
    "search": SearchScreen,
    "create": CreateScreen,
    "create_form": NewObjectScreen,
    "plugin": PluginScreen,
    "list": ListScreen,
    "detail": DetailScreen,
    "action": action_screen,
    "bulk": BulkFormScreen,
    "values": DetailScreen,
    "change": ChangeScreen,
    "operation": operation_screen,
}


def plural_of(path: str) -> str:
    """The kind that an address is about; that of pods for one that is about none."""
    parts = urlsplit(path)
    try:
        match = resolve(parts.path)
    except Resolver404:
        return "pods"
    asked = QueryDict(parts.query).get("kind", "") if match.url_name == "search" else ""
    return str(match.kwargs.get("plural", asked or "pods"))


def screen_for(session: Session, path: str) -> Screen | None:
    """The screen of an address, or None when nothing on that page moves. Raises NotFound for no address of ours."""
    parts, slug = urlsplit(path), session.cluster.cluster.slug
    try:
        match = resolve(parts.path)
    except Resolver404 as error:
        raise NotFound(f"There is no page at {parts.path}.") from error
    if match.kwargs.get("context", slug) != slug:
        raise NotFound(f"{parts.path} is a page of another cluster.")
    screen = SCREENS.get(match.url_name or "")
    if screen is None:
        return None
    arguments = {key: value for key, value in match.kwargs.items() if key != "context"}
    return screen(session, params=QueryDict(parts.query), **arguments)


def chrome_screens(session: Session, path: str) -> tuple[ChromeScreen, OthersScreen]:
    """The frame around an address: the kinds at the side with their counts, and those without a module here."""
    params = QueryDict(urlsplit(path).query)
    return ChromeScreen(session, params), OthersScreen(session, params)
