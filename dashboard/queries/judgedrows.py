"""Rows with the state that objects of other kinds give them, kept up to date by what is found out about those."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from dashboard.cache.store import Store
from dashboard.insight import Finding
from dashboard.kinds.base import Row
from dashboard.kinds.rows import shorten

from .kindrows import KindRows

Verdicts = dict[tuple[str, str, str], Finding]  # by plural, namespace and name

# A rollout or scaling whose pods fail is no change that comes to its end by itself: only the pods tell.
WORKLOADS = frozenset({"deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "cronjobs"})


COUNTED = re.compile(r"has \d+ of \d+ pods? ready: ")


class JudgedRows:
    """The rows of one kind as some objects judge them. A new judgement costs what it judges in another way."""

    def __init__(self, plain: KindRows, store: Store[Any]) -> None:
        self._plain = plain
        self._plural = plain.kind.plural
        self._verdicts: Verdicts = {}
        self.kind = plain.kind
        self.rows = KindRows(plain.kind, store, make=self._make)

    def follow(self, verdicts: Verdicts) -> KindRows:
        """The rows by this judgement."""
        if verdicts is not self._verdicts:
            before, self._verdicts = self._verdicts, verdicts
            self.rows.make_anew(
                (namespace, name)
                for plural, namespace, name in before.keys() | verdicts.keys()
                if plural == self._plural
                and before.get((plural, namespace, name)) != verdicts.get((plural, namespace, name))
            )
        return self.rows

    def _make(self, obj: Any) -> Row:
        row = self._plain.row(obj)
        finding = self._verdicts.get((self._plural, row.namespace, row.name))
        if finding is None or (self._plural in WORKLOADS and row.state not in ("info", finding.severity)):
            return row  # it tells itself how it is
        # The row names the object already, and counts its pods.
        said = "".join(text for text, _ in finding.text[1:]).strip().removeprefix(f"in {row.namespace} ")
        said = COUNTED.sub("", said)
        state = row.state if finding.severity == "note" else finding.severity
        return msgspec.structs.replace(row, state=state, reason=shorten(said, 160))
