"""A Status body becomes the error that says the same, without a Secret's values."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dashboard import errors
from dashboard.kube.status import Asked, error_from_response, error_from_status

PODS = Asked("list", "pods", "default")


def test_only_the_api_server_makes_the_cluster_busy() -> None:
    assert errors.ClusterBusy("a").title == "The cluster is busy"
    assert errors.TooManyRequests("a").title == "Too many at once"


def body(message: str = "", **rest: Any) -> bytes:
    return json.dumps({"kind": "Status", "message": message, **rest}).encode()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadInput),
        (401, errors.Unauthenticated),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (405, errors.BadInput),
        (409, errors.Conflict),
        (410, errors.Gone),
        (422, errors.Invalid),
        (429, errors.ClusterBusy),
        (500, errors.Unavailable),
        (504, errors.Unavailable),
    ],
)
def test_every_status_has_its_error(status: int, kind: type[errors.ClusterError]) -> None:
    error = error_from_response(status, body("the server's words"), PODS)
    assert type(error) is kind
    assert error.title
    assert error.message == "the server's words" or kind is errors.Unauthenticated


def test_a_refusal_names_what_was_asked_and_whom_to_ask() -> None:
    asked = Asked("patch", "deployments.apps/scale", "shop", "web")
    error = error_from_response(403, body('User "u" cannot patch resource'), asked)
    assert isinstance(error, errors.Forbidden)
    assert (error.verb, error.resource, error.namespace, error.name) == (
        "patch",
        "deployments.apps/scale",
        "shop",
        "web",
    )
    assert error.next_step.endswith("allow: patch deployments.apps/scale web in namespace shop.")


def test_a_refusal_by_a_quota_is_not_said_to_be_a_missing_right() -> None:
    error = error_from_response(403, body('pods "x" is forbidden: exceeded quota: q'), PODS)
    assert error.next_step == ""


def test_the_causes_of_an_invalid_object_are_kept() -> None:
    causes = [{"reason": "FieldValueInvalid", "field": "spec.replicas", "message": "must be at least 0"}, {}]
    error = error_from_response(422, body("is invalid", details={"causes": causes}), PODS)
    assert isinstance(error, errors.Invalid)
    assert error.causes[0] == errors.FieldCause("spec.replicas", "must be at least 0")


def test_fields_that_others_own_are_told_with_their_managers() -> None:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "argocd-controller" using v1',
            "field": ".spec.replicas",
        },
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "kubectl" with subresource "scale" using apps/v1',
            "field": ".data.LOG",
        },
    ]
    error = error_from_response(
        409, body("Apply failed", reason="Conflict", details={"causes": causes}), PODS
    )
    assert isinstance(error, errors.FieldConflict)
    assert error.owners == (
        errors.FieldCause("spec.replicas", "argocd-controller"),
        errors.FieldCause("data.LOG", "kubectl"),
    )
    assert "spec.replicas is owned by argocd-controller; data.LOG is owned by kubectl" in error.message


@pytest.mark.parametrize("before", ["", "errors:\n  "])
def test_a_manifest_that_its_schema_does_not_know_is_invalid_and_its_value_nobodys_business(
    before: str,
) -> None:
    message = (
        f"failed to create typed patch object (shop/web; apps/v1, Kind=Deployment): {before}.spec.replicas: expected "
        "numeric (int or float), got &value.valueUnstructured{Value:canary}"
    )
    error = error_from_response(500, body(message), PODS)
    assert isinstance(error, errors.Invalid)
    assert error.causes == (errors.FieldCause("spec.replicas", "expected numeric (int or float)."),)
    assert "canary" not in error.message


def test_a_health_check_node_port_that_is_taken_is_invalid() -> None:
    """The API server calls it an error of its own."""
    message = "Internal error occurred: failed to allocate requested HealthCheck NodePort 31999: "
    error = error_from_response(500, body(f"{message}provided port is already allocated"), PODS)
    assert isinstance(error, errors.Invalid)
    assert error.causes == (
        errors.FieldCause("spec.healthCheckNodePort", "provided port is already allocated."),
    )


def test_retry_after_comes_from_the_header_or_the_details() -> None:
    error = error_from_response(429, body(details={"retryAfterSeconds": 5}), PODS)
    assert isinstance(error, errors.TooManyRequests)
    assert error.retry_after == 5
    error = error_from_response(503, body(details={"retryAfterSeconds": 5}), PODS, 2.0)
    assert isinstance(error, errors.Unavailable)
    assert error.retry_after == 2


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'{"message": 3}'])
def test_a_body_that_is_no_status_still_gives_a_sentence(content: bytes) -> None:
    error = error_from_response(502, content, PODS)
    assert error.message == "The API server answered 502 to list pods in namespace default."


@pytest.mark.parametrize(
    "message",
    [
        'Secret "s" is invalid: data: Invalid value: "canary \\"quoted\\" canary": too long',
        'Secret "s" is invalid: type: Invalid value: canary: is immutable',
        'illegal base64, error found in #10 byte of ...|"canary"|..., bigger context ...|{"pw": "canary"}|...',
    ],
)
@pytest.mark.parametrize("status", [400, 422])
def test_values_of_secrets_are_taken_out(status: int, message: str) -> None:
    asked = Asked("update", "secrets", "default", "s")
    error = error_from_response(status, body(message, details={"causes": [{"message": message}]}), asked)
    assert "canary" not in error.message
    assert "canary" not in repr(getattr(error, "causes", ()))
    assert "canary" in error_from_response(status, body(message), PODS).message


@pytest.mark.parametrize(("code", "reason"), [(410, "Expired"), (410, "Gone"), (0, "Expired")])
def test_an_expired_watch_is_gone(code: int, reason: str) -> None:
    assert isinstance(error_from_status(code, reason, "too old", PODS), errors.Gone)


def test_a_blocked_eviction_names_the_budget_and_what_to_do() -> None:
    numbers = "The disruption budget web needs 3 healthy pods and has 3 currently"
    cause = {"reason": "DisruptionBudget", "message": numbers}
    message = "Cannot evict pod as it would violate the pod's disruption budget."
    asked = Asked("create", "pods/eviction", "shop", "web-1")
    error = error_from_response(429, body(message, details={"causes": [cause]}), asked)
    assert isinstance(error, errors.Protected)
    assert error.message == f"{message} {numbers}."
    assert "scale the workload up" in error.next_step


def test_a_long_message_is_told_by_its_beginning_without_a_part_of_a_value() -> None:
    said = f'{"x" * 3900} Invalid value: "{"a canary " * 1000}" and so on'
    causes = [{"field": f"data[{number}]", "message": "wrong"} for number in range(1000)]
    error = error_from_response(
        422, body(said * 2, details={"causes": causes}), Asked("create", "secrets", "default")
    )
    assert isinstance(error, errors.Invalid)
    assert len(error.message) < 4100
    assert "canary" not in error.message
    assert len(error.causes) == 100
