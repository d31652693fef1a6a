"""The screens, and which of them an address shows."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.http import QueryDict
from django.urls import Resolver404, resolve

from dashboard.errors import NotFound
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.screen import Screen

from .action import ObjectActionScreen
from .capacity import CapacityScreen
from .change import ChangeScreen
from .chrome import ChromeScreen
from .detail import DetailScreen
from .edit import EditScreen
from .listing import ListScreen
from .map import MapScreen
from .overview import OverviewScreen
from .rotate import RotateScreen, RotationScreen
from .scale import ScaleScreen
from .search import SearchScreen
from .timeline import TimelineScreen

__all__ = ["Screen", "chrome_screen", "plural_of", "screen_for"]

# By the name of the URL pattern. Addresses that are not here show nothing that moves.
SCREENS: dict[str, type[Screen]] = {
    "overview": OverviewScreen,
    "map": MapScreen,
    "timeline": TimelineScreen,
    "capacity": CapacityScreen,
    "search": SearchScreen,
    "list": ListScreen,
    "detail": DetailScreen,
    "scale": ScaleScreen,
    "restart": ObjectActionScreen,
    "delete": ObjectActionScreen,
    "edit": EditScreen,
    "values": DetailScreen,
    "change": ChangeScreen,
    "rotate": RotateScreen,
    "rotation": RotationScreen,
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


def screen_for(runtime: ClusterRuntime, path: str) -> Screen | None:
    """The screen of an address, or None when nothing on that page moves. Raises NotFound for no address of ours."""
    parts = urlsplit(path)
    try:
        match = resolve(parts.path)
    except Resolver404 as error:
        raise NotFound(f"There is no page at {parts.path}.") from error
    if match.kwargs.get("context", runtime.cluster.slug) != runtime.cluster.slug:
        raise NotFound(f"{parts.path} is a page of another cluster.")
    screen = SCREENS.get(match.url_name or "")
    if screen is None:
        return None
    arguments = {key: value for key, value in match.kwargs.items() if key != "context"}
    make: Callable[..., Screen] = screen
    return make(runtime, params=QueryDict(parts.query), **arguments)


def chrome_screen(runtime: ClusterRuntime, path: str) -> ChromeScreen:
    """The frame around an address: the counts of the kinds at the side."""
    return ChromeScreen(runtime, params=QueryDict(urlsplit(path).query))
