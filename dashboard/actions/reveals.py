"""Showing or copying one value of a Secret: read as the user at that moment, and audited before it is given out."""

from __future__ import annotations

from typing import Literal

from asgiref.sync import sync_to_async
from django.db import DatabaseError

from dashboard.errors import ClusterError, Unavailable
from dashboard.kube.transport import Transport
from dashboard.models import AuditEntry
from dashboard.queries.secrets import secret_value

from .action import Actor

Purpose = Literal["show", "copy"]
_WORDS: dict[Purpose, str] = {"show": "Shown", "copy": "Copied without being shown"}


async def secret_reveal(
    *, transport: Transport, actor: Actor, namespace: str, name: str, key: str, purpose: Purpose
) -> bytes:
    """The value of a key. Raises what reading it raises (audited as a refusal), and Unavailable when the audit cannot
    be written: then nothing is given out.
    """

    def audit(result: AuditEntry.Result, detail: str) -> None:
        AuditEntry.objects.create(
            user_name=actor.name,
            context=transport.cluster.name,
            action="reveal",
            plural="secrets",
            namespace=namespace,
            name=name,
            detail=detail,
            result=result,
        )

    try:
        value = await secret_value(transport, namespace, name, key)
    except ClusterError as error:
        await sync_to_async(audit)(AuditEntry.Result.REFUSED, f"Key {key[:253]}: {error.message}")
        raise
    try:
        await sync_to_async(audit)(AuditEntry.Result.DONE, f"{_WORDS[purpose]}: key {key}.")
    except DatabaseError as error:
        raise Unavailable(
            "Nothing was shown: the dashboard's own database cannot record it.",
            next_step="Try again; if it stays so, look at the database and its disk.",
        ) from error
    return value
