"""Somebody whose every write an admission policy refuses: whoever acts as them meets a policy that was not there at the
preview.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from dashboard.errors import Invalid
from dashboard.kinds import KINDS
from dashboard.kube.transport import Transport
from sandbox.api import Api

from .place import ADMISSION, until

STOPPED = "Nothing changes during the sale."


@contextmanager
def stopped_user(api: Api) -> Iterator[str]:
    """Their name, with the policy."""
    name = f"stopped-{secrets.token_hex(4)}"
    everything = {
        "apiGroups": ["*"],
        "apiVersions": ["*"],
        "operations": ["CREATE", "UPDATE", "DELETE"],
        "resources": ["*/*"],
    }
    spec = {
        "matchConstraints": {"resourceRules": [everything]},
        "matchConditions": [{"name": "stopped", "expression": f"request.userInfo.username == '{name}'"}],
        "validations": [{"expression": "false", "message": STOPPED}],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    for plural, made in (("policies", spec), ("policybindings", binding)):
        api.post(f"{ADMISSION}/validatingadmission{plural}", {"metadata": {"name": name}, "spec": made})
    yield name
    for plural in ("policybindings", "policies"):
        api.delete(f"{ADMISSION}/validatingadmission{plural}/{name}")


@asynccontextmanager
async def stopped_way(transport: Transport, namespace: str, stopped: str) -> AsyncIterator[Transport]:
    """The way in of somebody who may do everything, once the policy refuses it."""
    owner = transport.cluster
    user = {**owner.connection.user, "as": stopped, "as-groups": ["system:masters"]}
    connection = dataclasses.replace(owner.connection, user=user)
    made = Transport(dataclasses.replace(owner, connection=connection))

    async def in_force() -> bool:
        try:
            await made.request(
                "POST", KINDS["configmaps"].gvr, namespace=namespace, query={"dryRun": "All"},
                body=b'{"metadata": {"name": "probe"}}', content_type="application/json",
            )  # fmt: skip
        except Invalid:
            return True
        return False

    try:
        await until(in_force)
        yield made
    finally:
        await made.close()
