"""The container image as it is built and run: `tools/image.py` does both, and says what it saw."""

from __future__ import annotations

import pytest

from tools.image import Engine, image_check, impossible, say

pytestmark = [
    pytest.mark.image,
    pytest.mark.skipif(bool(impossible()), reason=impossible() or "it can be built"),
]


def test_it_is_small_and_starts_serves_and_stops_without_rights(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():  # how large it is, and how quick, is told by every run
        say("")
        image_check(engine)
