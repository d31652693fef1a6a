"""The image, built once for the tests of this folder."""

from __future__ import annotations

import pytest

from tools.image import Engine, image_build, programs_install


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The engine that has just built the image from this checkout."""
    assert programs_install() == 0
    engine = Engine()
    image_build(engine)
    return engine
