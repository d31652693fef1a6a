"""Certificates by when they expire, and the other Secrets by when their values were last written."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.http import QueryDict

from dashboard import render
from dashboard.errors import ClusterError
from dashboard.insight.rules.certificates import certificate_findings
from dashboard.insight.secretrules import ACCOUNT_KIND, BOOTSTRAP, HELM
from dashboard.insight.words import text_of
from dashboard.kinds.base import Ref
from dashboard.kinds.certificates import Certificate
from dashboard.kinds.duration import long_span
from dashboard.kinds.ingresses import Ingress
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.secrets import BACKUP_OF
from dashboard.live.screen import ViewerScreen
from dashboard.live.session import Session
from dashboard.live.snapshot import Snapshot
from dashboard.queries.bounds import chosen_of
from dashboard.queries.secretages import TLS, Age, Ages, secret_ages

from .common import fresh_part, iso, not_told, object_url
from .common import listed as known

READ_AGAIN_SECONDS = 60.0
MAX_NAMESPACES = 50  # that are asked one after the other, for who may not list all
MAX_ROWS, MAX_INGRESSES = 200, 4
# What is no key that a person rotates: tokens that Kubernetes issues, and what Helm keeps of its releases.
_NOT_KEYS = frozenset({ACCOUNT_KIND, BOOTSTRAP, HELM, TLS})


NOTHING = Ages(secrets=(), certificates={}, cut=False)


class Shown(NamedTuple):
    """Where a certificate is shown: an Ingress, for these hosts."""

    ingress: str
    hosts: tuple[str, ...]


class CertificatesScreen(ViewerScreen):
    page = "pages/certificates.html"
    pace = 1.0

    def __init__(self, session: Session, params: QueryDict) -> None:
        super().__init__(session)
        self.chosen = frozenset(chosen_of(params, "namespace")) or None
        self._ages = NOTHING
        self._asked: frozenset[str | None] = frozenset()
        self._read_at = float("-inf")
        self._as_of: datetime | None = None
        self._failure: ClusterError | None = None

    @property
    def shows(self) -> Hashable:
        return self.chosen

    @property
    def plurals(self) -> frozenset[str]:
        return frozenset({"secrets", "ingresses"})

    async def prepare(self) -> None:
        await self.session.review(self.plurals)
        seen = self.visible["secrets"]
        if (refusal := seen.refusal("secrets", self.chosen)) is not None:
            raise refusal
        within = seen.within(self.chosen)
        asked: frozenset[str | None] = frozenset({None}) if within is None else frozenset(within)
        if asked != self._asked:  # nothing is kept of where one may not look any more
            self._asked, self._ages, self._as_of = asked, NOTHING, None
        elif time.monotonic() - self._read_at < READ_AGAIN_SECONDS:
            return
        if seen.unknown is not None:
            self._failure = seen.unknown
            return
        try:
            self._ages = await secret_ages(self.session.transport, sorted(asked, key=str)[:MAX_NAMESPACES])
            self._as_of, self._failure = datetime.now(UTC), None
        except ClusterError as error:
            self._failure = error
        self._read_at = time.monotonic()

    def snapshot(self) -> Snapshot:
        now = datetime.now(UTC)
        return Snapshot(
            regions={
                "certificates": render.region("certificates", self._certificates(now)),
                "secret-ages": render.region("secret_ages", self._secrets()),
                "not-known": render.region("not_known", {"text": self._unknown()}),
                "fresh": fresh_part(self.session, self.plurals),
            }
        )

    def context(self) -> Mapping[str, Any]:
        chosen = sorted(self.chosen or ())
        within = f"-n {chosen[0]}" if len(chosen) == 1 else "-A"
        return {"kubectl": f"kubectl get secrets {within} --field-selector type={TLS}"}

    def _unknown(self) -> str:
        if self._failure is not None:
            return f"Secrets could not be read: {self._failure.message}"
        if len(self._asked) > MAX_NAMESPACES:
            count = len(self._asked)
            return (
                f"You may list Secrets in {count} namespaces; {MAX_NAMESPACES} are read. Choose some of them."
            )
        if self._ages.cut:
            return "There are more Secrets than are read here. Choose some namespaces."
        return not_told(self.session, sorted(self.plurals))

    # ---- Certificates

    def _certificates(self, now: datetime) -> dict[str, Any]:
        shown = self._shown()
        every = sorted(self._ages.certificates.items(), key=lambda each: (_end(each[1]), each[0]))
        rows = [self._row(key, found, shown.get(key, ()), now) for key, found in every[:MAX_ROWS]]
        return {"rows": rows, "total": len(every), "read": iso(self._as_of)}

    def _shown(self) -> dict[tuple[str, str], list[Shown]]:
        """The Ingresses that show each certificate, of those that may be listed."""
        found: dict[tuple[str, str], list[Shown]] = {}
        ingress: Ingress
        for ingress in self.session.reader.all("ingresses"):
            meta = ingress.metadata
            for tls in ingress.spec.tls or ():
                if tls.secret_name:
                    one = Shown(meta.name, tuple(tls.hosts or ()))
                    found.setdefault((meta.namespace, tls.secret_name), []).append(one)
        return found

    def _row(
        self, key: tuple[str, str], found: Certificate | None, shown: Sequence[Shown], now: datetime
    ) -> dict[str, Any]:
        namespace, name = key
        ref = Ref("Secret", namespace, name, "secrets")
        hosts = tuple(dict.fromkeys(host for each in shown for host in each.hosts))
        told = certificate_findings(ref, ref, found, hosts, now)
        state = next((each.severity for each in told if each.severity in ("bad", "warn")), "ok")
        return {
            "name": name,
            "namespace": namespace,
            "url": object_url(self.runtime, "secrets", namespace, name),
            "state": state,
            "word": _left(found, now),
            "until": iso(found.not_after) if found else "",
            "names": listed(found.names) if found else "",
            "issuer": "" if found is None else "itself (self-signed)" if found.self_signed else found.issuer,
            "ingresses": [
                {"name": each, "url": object_url(self.runtime, "ingresses", namespace, each)}
                for each in sorted({one.ingress for one in shown})[:MAX_INGRESSES]
            ],
            "says": [text_of(each.text) for each in told if each.rule != "certificate-expires"],
        }

    # ---- The others

    def _secrets(self) -> dict[str, Any]:
        every = sorted(self._rotatable(), key=lambda each: (each[0].written, each[0].namespace, each[0].name))
        rows = [
            {
                "name": each.name,
                "namespace": each.namespace,
                "url": object_url(self.runtime, "secrets", each.namespace, each.name),
                "type": kind,
                "written": iso(each.written),
                "created": iso(each.created),
            }
            for each, kind in every[:MAX_ROWS]
        ]
        # Of which type each is, the cache knows.
        typed = known(self.session, "secrets")
        read = iso(self._as_of) if typed else ""
        left_out = self._left_out(len(every)) if typed else ""
        return {"rows": rows, "total": len(every), "read": read, "left_out": left_out}

    def _rotatable(self) -> Iterator[tuple[Age, str]]:
        """What people rotate, each with its type; one that came or went since the cache heard of it is left out."""
        for each in self._ages.secrets:
            found = self.session.reader.get("secrets", each.namespace, each.name)
            if found is not None and found.secret_type not in _NOT_KEYS and BACKUP_OF not in each.labels:
                yield each, found.secret_type

    def _left_out(self, shown: int) -> str:
        rest = len(self._ages.secrets) - shown - len(self._ages.certificates)
        return (
            f"{plural(rest, 'other Secret')} not shown: tokens, Helm releases and backups" if rest > 0 else ""
        )


def _end(found: Certificate | None) -> datetime:
    """One that can't be read comes first."""
    return found.not_after if found else datetime.min.replace(tzinfo=UTC)


def _left(found: Certificate | None, now: datetime) -> str:
    if found is None:
        return "can't be parsed"
    if found.not_after <= now:
        return "expired"
    return f"{long_span((found.not_after - now).days)} left"
