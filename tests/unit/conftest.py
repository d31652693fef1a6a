"""What one test was refused is no refusal of the next one."""

from __future__ import annotations

import pytest
from django.core.cache import caches

from dashboard.audit.refusals import refusals


@pytest.fixture(autouse=True)
def nothing_was_refused() -> None:
    caches["throttle"].clear()
    refusals.counted.clear()
