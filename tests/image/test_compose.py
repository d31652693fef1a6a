"""The compose file as podman-compose runs it here: `tools/compose` says which services are replaced, and how."""

from __future__ import annotations

import pytest

from tools.compose.__main__ import compose_check, leftovers
from tools.image import Engine, impossible

pytestmark = [
    pytest.mark.image,
    pytest.mark.skipif(bool(impossible()), reason=impossible() or "it can be run"),
]


def test_everything_comes_up_by_the_documented_commands_and_goes_without_a_trace(engine: Engine) -> None:
    engine.podman("volume", "create", "cluster-ui_k3s")  # a run that was killed left it
    compose_check(engine)
    assert leftovers(engine) == []
