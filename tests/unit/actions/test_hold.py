"""How long a process may write for an operation, by whatever clock; and that nothing which ran out comes back."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async

from dashboard.actions import hold
from dashboard.actions.hold import MARGIN_SECONDS, Hold
from dashboard.actions.operation import Lost
from dashboard.actions.operations import LEASE_SECONDS
from dashboard.live import operations as live
from dashboard.models import Operation

from .test_rotation import written

LASTS = LEASE_SECONDS - MARGIN_SECONDS


class Clocks:
    """Both, as the test says."""

    def __init__(self) -> None:
        self.steady, self.wall = 1000.0, 5_000_000.0

    def __call__(self) -> tuple[float, float]:
        return self.steady, self.wall


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    made = Clocks()
    monkeypatch.setattr(hold, "asked", made)
    monkeypatch.setattr(live, "asked", made)
    return made


@pytest.mark.parametrize("clock", ["steady", "wall"])
def test_it_is_over_a_little_before_the_lease_by_either_clock(clocks: Clocks, clock: str) -> None:
    held = Hold(clocks(), LEASE_SECONDS)
    setattr(clocks, clock, getattr(clocks, clock) + LASTS - 0.1)
    held.required()
    held.renew(clocks(), LEASE_SECONDS)
    setattr(clocks, clock, getattr(clocks, clock) + LASTS + 0.1)
    with pytest.raises(Lost):
        held.required()


@pytest.mark.django_db(transaction=True)
async def test_a_move_that_outlived_its_lease_writes_nothing_though_the_next_claim_succeeds(
    clocks: Clocks,
) -> None:
    """Another process may have had the operation in between: what was read before is not what it is now."""
    operation = await Operation.objects.acreate(change=await sync_to_async(written)(), steps=[])
    server = live.Operations(None)  # type: ignore[arg-type]
    assert await server._claim() == [operation]
    mine = server._holds[operation.pk]
    clocks.steady += 5
    await server._claim()
    assert server._holds[operation.pk] is mine, "claimed again in time, it is renewed"
    clocks.steady += LASTS - 1
    mine.required()
    clocks.steady += 2
    assert await server._claim() == [operation]
    server._holds[operation.pk].required()
    with pytest.raises(Lost):
        mine.required()
