"""An OpenID Connect issuer for tests of what a real one never does: it signs whatever it is told to."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import httpx2
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

ISSUER, CLIENT, SECRET = "https://sso.example/realm", "cluster-ui", "canary-client-secret"
KEY, ANOTHER = (RSAKey.generate_key(2048, {"kid": "one"}) for _ in range(2))


class ScriptedIssuer:
    """``claims`` are changed by a test; ``fail`` is what an endpoint (the last word of its path) does instead."""

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {}
        self.key: Any = KEY
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "one"}
        self.metadata: dict[str, Any] = {}
        self.answer: dict[str, Any] = {"refresh_token": "canary-refresh-1"}
        self.fail: dict[str, Callable[[httpx2.Request], httpx2.Response]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.challenge = ""
        self.lifetime = 3600

    def client(self) -> type[AsyncOAuth2Client]:
        transport = httpx2.MockTransport(self._handle)

        class Client(AsyncOAuth2Client):  # type: ignore[misc]
            def __init__(self, *given: Any, **more: Any) -> None:
                super().__init__(*given, **more | {"transport": transport})

        return Client

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        what = request.url.path.rstrip("/").rpartition("/")[2]
        body = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        self.asked.append((what, body))
        if what in self.fail:
            return self.fail[what](request)
        if what == "openid-configuration":
            found = {
                "issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/authorize", "token_endpoint": f"{ISSUER}/token",
                "jwks_uri": f"{ISSUER}/keys", "id_token_signing_alg_values_supported": ["RS256", "none", "HS256"],
            }  # fmt: skip
            return httpx2.Response(200, json=found | self.metadata)
        if what == "keys":
            return httpx2.Response(200, json={"keys": [KEY.as_dict(private=False)]})
        if body.get("grant_type") == "authorization_code" and self.challenge:
            digest = hashlib.sha256(body["code_verifier"].encode()).digest()
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != self.challenge:
                return httpx2.Response(400, json={"error": "invalid_grant"})
        return httpx2.Response(
            200, json={"access_token": "canary-access", "token_type": "Bearer"} | self.token()
        )

    def token(self) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": ISSUER, "sub": "7", "aud": CLIENT, "iat": now, "exp": now + self.lifetime,
            "preferred_username": "anna", "name": "Anna Berg", "groups": ["dev", "platform"],
        }  # fmt: skip
        claims = {name: value for name, value in (claims | self.claims).items() if value is not None}
        if self.header["alg"] == "none":
            parts = (json.dumps(each).encode() for each in (self.header, claims))
            text = ".".join(base64.urlsafe_b64encode(each).rstrip(b"=").decode() for each in parts) + "."
        else:
            text = jwt.encode(self.header, claims, self.key, algorithms=["RS256", "HS256"])
        return {"id_token": text, "expires_in": self.lifetime} | self.answer


HMAC = OctKey.import_key("canary-client-secret-that-is-long-enough")
