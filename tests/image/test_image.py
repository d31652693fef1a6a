"""The container image as it is built and run: `tools/image.py` does both, and says what it saw."""

from __future__ import annotations

import pytest

from tools.image import MAX_MB, Engine, image_check, image_megabytes, impossible, registry_answers

pytestmark = [
    pytest.mark.image,
    pytest.mark.skipif(bool(impossible()), reason=impossible() or "it can be built"),
]


def test_it_is_small_and_starts_serves_and_stops_without_rights(engine: Engine) -> None:
    assert image_megabytes(engine) <= MAX_MB or registry_answers()  # another base has another size
    image_check(engine)
