"""When versions of ConfigMaps were first seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from dashboard.actions import configmap_history
from dashboard.cache.cluster import ClusterCache
from dashboard.cache.store import Store
from dashboard.kinds.configmaps import CONFIGMAPS
from dashboard.live import sightings
from dashboard.live.sightings import Sightings


class Heard:
    """A store that is told of versions by a clock of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.store: Store[Any] = Store(CONFIGMAPS)
        cache = cast(ClusterCache, SimpleNamespace(store=lambda plural: self.store))
        self.sightings = Sightings(cache, clock=lambda: self.now)

    def hear(self, at: float, version: str, name: str = "settings") -> None:
        self.now = at
        metadata = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "resourceVersion": version}
        manifest = msgspec.json.encode({"metadata": metadata, "data": {"a": "x" * int(version)}})
        self.store.add([CONFIGMAPS.decode_object(manifest)])


def test_the_first_sight_of_each_version_is_kept_while_the_store_is_emptied_and_filled() -> None:
    heard = Heard()
    heard.hear(1, "1")
    heard.store.replace([], "2")  # nobody looks: the watch ends
    heard.hear(5, "1")
    heard.hear(9, "2")
    assert heard.sightings.of("uid-settings") == (("1", 1.0), ("2", 9.0))
    assert heard.sightings.of("uid-other") == ()


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sightings, "MAX_OBJECTS", 2)
    heard = Heard()
    for version in range(1, 2 * sightings.MAX_VERSIONS):
        heard.hear(version, str(version))
    assert len(heard.sightings.of("uid-settings")) == sightings.MAX_VERSIONS
    heard.hear(50, "1", "one")
    heard.hear(51, "99")
    heard.hear(52, "1", "two")
    assert heard.sightings.of("uid-one") == (), "the one that was heard of the longest ago"
    assert heard.sightings.of("uid-settings")[-1] == ("99", 51.0)


def test_a_sighting_is_told_by_the_clock_of_the_api_server_and_never_too_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(configmap_history.time, "monotonic", lambda: 100.0)
    told = configmap_history._by_its_clock([("7", 40.0)], "Sat, 28 Nov 2026 12:00:00 GMT")
    assert told == {"7": datetime(2026, 11, 28, 11, 59, tzinfo=UTC) + timedelta(seconds=1)}
    assert configmap_history._by_its_clock([("7", 40.0)], "") == {}
