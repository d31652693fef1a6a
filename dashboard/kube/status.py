"""What the API server's ``Status`` answers mean: an HTTP status and a body become one of our errors."""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

from dashboard.errors import (
    BadInput,
    ClusterBusy,
    ClusterError,
    Conflict,
    FieldCause,
    FieldConflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Protected,
    Unauthenticated,
    Unavailable,
)  # fmt: skip
from dashboard.rights import ask_to_allow

__all__ = ["Asked", "error_from_response", "error_from_status"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of the API server, as its own authorizer would name it."""

    verb: str
    resource: str = ""
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        what = f"{self.verb} {self.resource or 'this address'}"
        what += f" {self.name}" if self.name else ""
        return f"{what} in namespace {self.namespace}" if self.namespace else what


class _Cause(msgspec.Struct, frozen=True):
    reason: str = ""
    message: str = ""
    field: str = ""


class _Details(msgspec.Struct, frozen=True, rename="camel"):
    causes: list[_Cause] | None = None
    retry_after_seconds: float = 0


class _Status(msgspec.Struct, frozen=True):
    message: str = ""
    reason: str = ""
    details: _Details | None = None


_DECODER = msgspec.json.Decoder(_Status)

# A message names every field that is wrong, and there may be thousands.
MAX_CHARACTERS = 4000
MAX_CAUSES = 100

# Validation quotes the value at fault, and decoders quote a piece of the body; both may be a Secret's.
_QUOTED_VALUE = re.compile(r'(Invalid value|Unsupported value|Duplicate value): (?:"(?:[^"\\]|\\.)*"|\S+)')
_MANAGER = re.compile(r'conflict with "([^"]*)"')
_MISTYPED = re.compile(
    r"failed to create typed patch object [^:]*: (?:errors:\s*)?(?P<field>[^:\s]+): (?P<what>[^:,\n]+).*",
    re.DOTALL,
)
# The one field of a Service that the API server checks too late to call it invalid (allocHealthCheckNodePort).
_HEALTH_PORT = re.compile(r"failed to allocate requested HealthCheck NodePort \d+: (?P<what>.+)")
_QUOTED_BODY = re.compile(r"error found in #\d+ byte of.*", re.DOTALL)


def error_from_status(code: int, reason: str, message: str, asked: Asked) -> ClusterError:
    """The error for a ``Status`` sent within a watch."""
    if reason in ("Expired", "Gone"):
        code = 410
    return _error(code, _Status(message=message, reason=reason), asked, None)


def error_from_response(
    status: int, body: bytes, asked: Asked, retry_after: float | None = None
) -> ClusterError:
    """The error for an answer of 400 or above. ``retry_after`` is the header's, in seconds."""
    try:
        decoded = _DECODER.decode(body)
    except msgspec.DecodeError:
        # A proxy's page, or nothing; a kubelet that begins no program says why in plain text.
        plain = asked.resource == "pods/exec" and not body.lstrip().startswith(b"<")
        decoded = _Status(message=body.decode("utf-8", "replace").strip() if plain else "")
    return _error(status, decoded, asked, retry_after)


def _error(status: int, decoded: _Status, asked: Asked, retry_after: float | None) -> ClusterError:
    details = decoded.details or _Details()
    message = _clean(decoded.message, asked) or f"The API server answered {status} to {asked}."
    retry_after = retry_after or details.retry_after_seconds or None
    match status:
        case 400:
            return BadInput(message)
        case 401:
            return Unauthenticated(
                "The cluster does not accept the credentials it was given.",
                next_step="Sign in to the cluster again, or correct the credentials in the kubeconfig.",
            )
        case 403:
            return Forbidden(
                message,
                # Admission (a quota, a policy) refuses with the same code, and in other words than RBAC.
                next_step=ask_to_allow(str(asked)) if " cannot " in message else "",
                verb=asked.verb,
                resource=asked.resource,
                namespace=asked.namespace,
                name=asked.name,
            )
        case 404:
            return NotFound(message)
        case 409 if owners := _owners(details):
            said = "; ".join(f"{owner.field} is owned by {owner.message}" for owner in owners)
            return FieldConflict(
                f"Other field managers own what the manifest sets to another value: {said}.",
                next_step="Leave these fields out of the YAML, give them the values that are there, or use Edit, which "
                "takes them over.",
                owners=owners,
            )
        case 409:
            return Conflict(message)
        case 410:
            return Gone(message)
        case 422:
            causes = tuple(
                FieldCause(cause.field, _clean(cause.message, asked))
                for cause in (details.causes or ())[:MAX_CAUSES]
            )
            return Invalid(message, causes=causes)
        case 429 if budget := " ".join(
            cause.message for cause in details.causes or () if cause.reason == "DisruptionBudget"
        ):
            return Protected(
                f"{message} {budget}.",
                next_step="Wait until more of its pods are ready, scale the workload up, or lower what the budget "
                "asks for.",
                retry_after=retry_after,
            )
        case 429:
            return ClusterBusy(
                message, next_step="Wait a moment; it is retried automatically.", retry_after=retry_after
            )
        case 500 if mistyped := _MISTYPED.fullmatch(decoded.message):
            # A server-side apply of what the schema does not know: its values are quoted, and are nobody's business.
            field = mistyped["field"].strip(".")
            return Invalid(
                f"{field}: {mistyped['what']}.", causes=(FieldCause(field, f"{mistyped['what']}."),)
            )
        case 500 if untaken := _HEALTH_PORT.search(decoded.message):
            field = "spec.healthCheckNodePort"
            return Invalid(f"{field}: {untaken['what']}.", causes=(FieldCause(field, f"{untaken['what']}."),))
        case _ if status >= 500:
            return Unavailable(message, next_step="Look at the API server's health.", retry_after=retry_after)
        case _:
            return BadInput(message)


def _owners(details: _Details) -> tuple[FieldCause, ...]:
    """The fields of a server-side apply that others own, each with its field manager."""
    return tuple(
        FieldCause(
            cause.field.removeprefix("."),
            named[1] if (named := _MANAGER.search(cause.message)) else "somebody",
        )
        for cause in details.causes or ()
        if cause.reason == "FieldManagerConflict"
    )


def _clean(message: str, asked: Asked) -> str:
    if asked.resource.split("/")[0].split(".")[0] == "secrets":
        message = _QUOTED_VALUE.sub(r"\1: (not shown)", message)
        message = _QUOTED_BODY.sub("(the rest is not shown)", message)
    if len(message) > MAX_CHARACTERS:  # only now: half of a quoted value would not be seen to be one
        return f"{message[:MAX_CHARACTERS]}… (of {len(message):,} characters)"
    return message
