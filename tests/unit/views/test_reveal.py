"""What a revealed value leaves behind in the log, at its most talkative."""

from __future__ import annotations

import logging
import logging.config
from typing import Any

import pytest
from django.conf import settings
from django.template.loader import render_to_string

VALUE = "s3cret-revealed-value"


@pytest.mark.parametrize("facts", [{"key": "k"}, {"key": "k", "text": VALUE, "binary": False, "bytes": 1}])
def test_at_debug_level_the_log_holds_nothing_of_a_templates_context(
    facts: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("django.template")
    before = logger.level
    try:
        loud = {**settings.LOGGING, "root": {"handlers": [], "level": "DEBUG"}, "handlers": {}}
        logging.config.dictConfig(loud)
        caplog.handler.setLevel(logging.DEBUG)
        logging.getLogger().addHandler(caplog.handler)
        render_to_string("partials/revealed.html", {**facts, "text": VALUE})
        assert VALUE not in caplog.text
        logger.setLevel(logging.DEBUG)
        render_to_string("partials/revealed.html", {**facts, "text": VALUE})
        assert VALUE in caplog.text, "what this guards against is real"
    finally:
        logging.getLogger().removeHandler(caplog.handler)
        logger.setLevel(before)
        logging.config.dictConfig(settings.LOGGING)
