"""The one list of tabs, in their order on the page."""

from __future__ import annotations

from .events import EventsTab
from .logs import LogsTab
from .overview import OverviewTab
from .piece import Tab
from .shell import ShellTab
from .timeline import TimelineTab
from .yaml import YamlTab

TABS: dict[str, type[Tab]] = {
    tab.id: tab for tab in (OverviewTab, TimelineTab, EventsTab, LogsTab, ShellTab, YamlTab)
}
