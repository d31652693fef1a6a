"""What Prometheus answered to the charts' questions: kept while it is fresh, asked once for all who look."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from dashboard.kube.prometheus import Prometheus, PrometheusError
from dashboard.queries.prometheus import History, Question, history

logger = logging.getLogger(__name__)

MAX_QUESTIONS = 64
FRESH_SECONDS = 15.0
RETRY_SECONDS = 15.0


@dataclass(slots=True)
class Known:
    """The latest answer and the latest failure, None when there is none; a failure leaves the answer before it."""

    answer: History | None = None
    error: PrometheusError | None = None
    asked_at: float = float("-inf")
    task: asyncio.Task[None] | None = None


class Longer:
    """The questions to one Prometheus. ``tell`` is called when an answer has come."""

    def __init__(
        self, prometheus: Prometheus, tell: Callable[[], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.prometheus = prometheus
        self._tell = tell
        self._clock = clock
        self._known: dict[Question, Known] = {}

    def known(self, question: Question) -> Known:
        """What is known now, without asking."""
        return self._known.get(question) or Known()

    async def ask(self, question: Question, *, wait: float) -> None:
        """Asks unless what is known is fresh, and waits for it at most ``wait`` seconds; the asking goes on then.

        While as many are being asked as may be, no other is: it is asked when somebody looks again.
        """
        known = self._known.pop(question, None) or Known()
        self._known[question] = known  # the latest asked stand last
        self._forget()
        fresh = RETRY_SECONDS if known.error else max(FRESH_SECONDS, question.step / 2)
        if known.task is None and self._clock() - known.asked_at >= fresh and not self._busy:
            known.asked_at = self._clock()
            known.task = asyncio.create_task(self._asked(question, known))
        if known.task is not None:
            await asyncio.wait({known.task}, timeout=wait)

    @property
    def _busy(self) -> bool:
        return sum(known.task is not None for known in self._known.values()) >= MAX_QUESTIONS

    async def _asked(self, question: Question, known: Known) -> None:
        try:
            known.answer, known.error = await history(self.prometheus, question), None
        except PrometheusError as error:
            known.error = error
        except Exception:
            logger.exception("asking Prometheus")
            known.error = PrometheusError("What Prometheus answered could not be read.")
        finally:
            known.task = None
            self._tell()

    def _forget(self) -> None:
        for question in list(self._known)[:-MAX_QUESTIONS]:
            if self._known[question].task is None:
                del self._known[question]

    async def close(self) -> None:
        tasks = [known.task for known in self._known.values() if known.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
