"""What a value must be for the type of its Secret, so that what reads it can use it. Pure.

Rules: kubernetes.io/docs/concepts/configuration/secret (types); kubernetes/kubernetes, pkg/apis/core/validation:
ValidateSecret, which checks only that keys are there and that a ``.dockerconfigjson`` is a JSON object; and, for
bootstrap tokens, cluster-bootstrap/token/api: BootstrapTokenIDPattern, BootstrapTokenSecretPattern.
"""

from __future__ import annotations

import re

import msgspec

from dashboard.kinds.certificates import read_certificate
from dashboard.kinds.keypairs import NOT_A_KEY, NOT_CERTIFICATES

PRIVATE_KEY = re.compile(rb"-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----")
ACCOUNT_KIND = "kubernetes.io/service-account-token"
BOOTSTRAP = "bootstrap.kubernetes.io/token"
HELM = "helm.sh/release.v1"
# Keys whose values anybody may know, whatever the type: they stand in a Secret beside one that is secret.
KNOWN_KEYS = frozenset({"ca.crt", "namespace", "tls.crt", "username"})
_BOOTSTRAP_SECRET = re.compile(rb"[a-z0-9]{16}")


def value_flaw(kind: str, key: str, value: bytes) -> str:
    """Why a value of this key makes a Secret of this type useless, as a sentence; "" when nothing is known."""
    match kind, key:
        case "kubernetes.io/tls", "tls.crt" if read_certificate(value) is None:
            return NOT_CERTIFICATES
        case "kubernetes.io/tls", "tls.key" if not PRIVATE_KEY.search(value):
            return NOT_A_KEY
        case "kubernetes.io/ssh-auth", "ssh-privatekey" if not PRIVATE_KEY.search(value):
            return (
                "This is not an SSH private key: it begins with -----BEGIN OPENSSH PRIVATE KEY----- or alike."
            )
        case "kubernetes.io/dockerconfigjson", ".dockerconfigjson" if not _is_object(value):
            return (
                'This is not a JSON object, such as {"auths": {…}}, and Kubernetes accepts nothing else here.'
            )
        case "kubernetes.io/dockercfg", ".dockercfg" if not _is_object(value):
            return "This is not a JSON object, and Kubernetes accepts nothing else here."
        case _ if (kind, key) == (BOOTSTRAP, "token-secret") and not _BOOTSTRAP_SECRET.fullmatch(value):
            return "A bootstrap token's secret has exactly 16 lowercase letters and digits."
        case _ if (kind, key) == (BOOTSTRAP, "token-id"):
            return "The name of this Secret holds the token's id: create a new token, and delete this one."
        case _:
            return ""


def unintended_end(value: bytes) -> str:
    """The blank with which a value of one line begins or ends, in words; "" for none. Most programs take it as meant."""
    text = value.strip()
    if not text or b"\n" in text or text == value:
        return ""
    if value.endswith((b"\n", b"\r")):
        return "It ends with a line break"
    return "It ends with whitespace" if value != value.rstrip() else "It begins with whitespace"


def _is_object(value: bytes) -> bool:
    try:
        msgspec.json.decode(value, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True
