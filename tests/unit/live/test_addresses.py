"""Addresses of objects, out of names that whoever writes an Event or a reference may choose."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.live.screens.common import object_url

RUNTIME: Any = SimpleNamespace(cluster=SimpleNamespace(slug="prod"))


@pytest.mark.parametrize("name", ["a/b", "../x", ""])
def test_what_can_be_no_name_has_no_address(name: str) -> None:
    assert object_url(RUNTIME, "pods", "shop", name) == ""
    assert object_url(RUNTIME, "pods", "shop", name, "logs") == ""


def test_an_odd_name_is_quoted() -> None:
    assert object_url(RUNTIME, "pods", "shop", "a b?#", "logs") == "/c/prod/pods/shop/a%20b%3F%23/logs/"
