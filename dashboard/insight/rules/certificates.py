"""What can be wrong with the certificate in a Secret of type kubernetes.io/tls.

The cache never holds one: whoever may read the Secret reads its public part on the page, and asks here what it means.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from dashboard.insight.finding import Evidence, Finding, Step, stands, subject
from dashboard.insight.words import Parts, code, parts
from dashboard.kinds.base import Ref
from dashboard.kinds.certificates import Certificate
from dashboard.kinds.rows import listed

# What renews certificates does so when a third of their time is left (cert-manager, Let's Encrypt): less is late.
LATE = timedelta(days=21)
SHARE = 4


def certificate_findings(
    about: Ref, secret: Ref, certificate: Certificate | None, hosts: Sequence[str], now: datetime
) -> list[Finding]:
    """What is wrong with a certificate, told about the Ingress that shows it or about its Secret itself.

    ``certificate`` is None when there is none that can be read; ``hosts`` are those it is to be good for.
    """
    where: Parts = () if about == secret else parts(" in Secret ", code(secret.name))
    if certificate is None:
        text = parts(*subject(about), " has a certificate", *where, " that can't be parsed.")
        step = Step("Put a PEM certificate into its key tls.crt.", secret)
        evidence = (Evidence(f"tls.crt of Secret {secret.name}", "no certificate in PEM", secret),)
        return [Finding("certificate-unreadable", "bad", 58, about, text, step, evidence)]
    found = _time(about, secret, certificate, where, now)
    return [*found, *_hosts(about, secret, certificate, hosts, where)]


def _time(about: Ref, secret: Ref, certificate: Certificate, where: Parts, now: datetime) -> list[Finding]:
    first, last = certificate.not_before, certificate.not_after
    step = Step("Renew it; if something such as cert-manager renews it, check why it did not.", secret)
    evidence = (
        Evidence(
            f"Secret {secret.name}", f"valid from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC", secret
        ),
        *stands("Issued by", "itself (self-signed)" if certificate.self_signed else certificate.issuer),
    )
    if last <= now:
        text = parts(
            *subject(about),
            " has a certificate",
            *where,
            f" that expired on {last:%Y-%m-%d}: browsers refuse it.",
        )
        return [Finding("certificate-expired", "bad", 73, about, text, step, evidence, last)]
    if first > now:
        text = parts(
            *subject(about), " has a certificate", *where, f" that is valid only from {first:%Y-%m-%d} on."
        )
        return [Finding("certificate-early", "bad", 57, about, text, step, evidence)]
    if last - now < min(LATE, (last - first) / SHARE):
        text = parts(*subject(about), " has a certificate", *where, f" that expires on {last:%Y-%m-%d}.")
        return [Finding("certificate-expires", "warn", 43, about, text, step, evidence)]
    return []


def _hosts(
    about: Ref, secret: Ref, certificate: Certificate, hosts: Sequence[str], where: Parts
) -> list[Finding]:
    bare = [host for host in hosts if host and not any(covers(name, host) for name in certificate.names)]
    if not bare:
        return []
    good = listed(certificate.names) or "no name at all"
    text = parts(
        *subject(about),
        " has a certificate",
        *where,
        f" that is not valid for {listed(bare)}: browsers refuse it.",
    )
    step = Step("Reissue it with that name too.", secret)
    evidence = (
        Evidence(f"Secret {secret.name}", f"valid for {good}", secret),
        *stands("Hosts asked for", ", ".join(hosts)),
    )
    return [Finding("certificate-other-host", "warn", 55, about, text, step, evidence)]


def covers(name: str, host: str) -> bool:
    """Whether a name of a certificate holds for a host: ``*`` stands for one label (RFC 6125, 6.4.3)."""
    name, host = name.lower().rstrip("."), host.lower().rstrip(".")
    if name == host:
        return True
    first, _, rest = name.partition(".")
    return first == "*" and bool(rest) and host.partition(".")[2] == rest
