"""A few lines of Kubernetes client for the sandbox's own needs, so that it needs no package of one."""

import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Object = dict[str, Any]

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
FIELD_MANAGER = "sandbox"


class ApiError(Exception):
    """The API server refused; `status` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


@dataclass(frozen=True)
class Api:
    """The API server on this machine, as its administrator. `pki` holds ca.crt, admin.crt and admin.key.

    Every method raises OSError when the server can't be reached and ApiError when it refuses.
    """

    port: int
    pki: Path

    def get(self, path: str, *, timeout: float = 10.0) -> Object:
        return self._object("GET", path, None, "application/json", timeout)

    def post(self, path: str, body: Object) -> Object:
        return self._object("POST", path, body, "application/json", 30.0)

    def delete(self, path: str) -> Object:
        return self._object("DELETE", path, None, "application/json", 30.0)

    def patch(self, path: str, body: Object, *, content_type: str = MERGE) -> Object:
        return self._object("PATCH", path, body, content_type, 30.0)

    def apply(self, path: str, body: Object) -> Object:
        """Create or update by server-side apply, taking over what others had set."""
        return self.patch(f"{path}?fieldManager={FIELD_MANAGER}&force=true", body, content_type=APPLY)

    def ready(self) -> bool:
        """Whether the server answers and says that it is ready."""
        try:
            with closing(self.connection(2.0)) as connection:
                connection.request("GET", "/readyz")
                return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False

    def stream(self, path: str, *, silence: float) -> Iterator[Object]:
        """The events of a watch until its end, or until `silence` seconds without any (TimeoutError)."""
        with closing(self.connection(silence)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            if answer.status != 200:
                raise ApiError(answer.status, answer.read(1000).decode(errors="replace"))
            for line in answer:
                yield json.loads(line)

    def connection(self, timeout: float) -> http.client.HTTPSConnection:
        """One that is still to be opened, and that the caller closes."""
        context = ssl.create_default_context(cafile=str(self.pki / "ca.crt"))
        context.load_cert_chain(self.pki / "admin.crt", self.pki / "admin.key")
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=context)

    def _object(
        self, method: str, path: str, body: Object | None, content_type: str, timeout: float
    ) -> Object:
        with closing(self.connection(timeout)) as connection:
            content = None if body is None else json.dumps(body)
            connection.request(
                method, path, content, {"Content-Type": content_type, "Accept": "application/json"}
            )
            answer = connection.getresponse()
            text = answer.read()
        try:
            parsed: Object = json.loads(text)
        except ValueError:
            raise ApiError(answer.status, text[:300].decode(errors="replace")) from None
        if answer.status >= 400:
            raise ApiError(answer.status, str(parsed.get("message", "")))
        return parsed
