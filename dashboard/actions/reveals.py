"""Showing or copying one value of a Secret: read as the user at that moment, and audited before it is given out."""

from __future__ import annotations

from typing import Literal

from django.db import DatabaseError

from dashboard.database import database_unavailable
from dashboard.errors import ClusterError
from dashboard.kube.transport import Transport
from dashboard.models import AuditEntry
from dashboard.queries.secrets import secret_value

from ..database import in_database
from .action import Actor
from .attempts import attempt_audited

Purpose = Literal["show", "copy"]
_WORDS: dict[Purpose, str] = {"show": "Shown", "copy": "Copied without being shown"}


async def secret_reveal(
    *, transport: Transport, actor: Actor, namespace: str, name: str, key: str, purpose: Purpose
) -> bytes:
    """The value of a key. Raises what reading it raises (audited as a refusal), and DatabaseUnavailable when the audit
    cannot be written: then nothing is given out.
    """

    def audit(result: AuditEntry.Result, detail: str) -> None:
        AuditEntry.objects.create(
            user_name=actor.name,
            context=transport.cluster.name,
            action="reveal",
            plural="secrets",
            namespace=namespace,
            name=name,
            keys=[key],
            detail=detail,
            result=result,
        )
        attempt_audited()

    try:
        value = await secret_value(transport, namespace, name, key)
    except ClusterError as error:
        await in_database(audit)(AuditEntry.Result.REFUSED, f"Key {key[:253]}: {error.message}")
        raise
    try:
        await in_database(audit)(AuditEntry.Result.DONE, f"{_WORDS[purpose]}: key {key}.")
    except DatabaseError as error:
        raise database_unavailable(error, done="Nothing was shown: it can't be recorded.") from error
    return value
