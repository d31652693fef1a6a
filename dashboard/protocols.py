"""uvicorn's protocols with limits of time and size that it has not: what a connection may cost before the application
hears of it, and after the browser has stopped reading."""

from __future__ import annotations

import asyncio
import struct
from functools import lru_cache
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode
from websockets.protocol import State

CONNECTIONS = 4_000  # of a process, whoever has them; one takes some 20 kB
HEAD_SECONDS = 15.0  # for a request's line and headers, from the connection or the last answer on
HEAD_BYTES = 64 * 1024
STALLED_SECONDS = 25.0  # without reading anything
# Whoever has stopped reading does not answer a ping either: both together stay under half a minute.
PING_SECONDS, PONG_SECONDS = 10.0, 15.0
_WHOLE_TEXT = 0x81  # the last frame of a message, of text


class CutsTheStalled(asyncio.Protocol):
    """Cuts a connection on which nothing could be sent for 25 s. A polite close would wait, like everything else, until
    the browser reads.
    """

    transport: asyncio.Transport
    _cut: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # a single byte that cannot be sent pauses

    def pause_writing(self) -> None:
        super().pause_writing()
        self._cut = asyncio.get_running_loop().call_later(STALLED_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_cutting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_cutting()
        super().connection_lost(exc)

    def _stop_cutting(self) -> None:
        if self._cut is not None:
            self._cut.cancel()
            self._cut = None


class BoundedHttp(CutsTheStalled, HttpToolsProtocol):
    """HTTP whose requests begin in time, or the connection ends; what comes without end has an end."""

    _deadline: asyncio.TimerHandle | None = None
    _in_head = True
    _head_bytes = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            transport.abort()
        else:
            self._expect_head()

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
            if self._deadline is None:
                self._expect_head()
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(f"The headers of a request may have {HEAD_BYTES:,} bytes.")

    def on_headers_complete(self) -> None:
        self._in_head, self._head_bytes = False, 0
        self._expect_nothing()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head = True
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


@lru_cache(maxsize=8)
def text_frame(text: str) -> bytes:
    """A text as the one frame of a message, unmasked as a server's are (RFC 6455, 5.2). What goes to many at the same
    moment is the same text, and is framed once.
    """
    payload = text.encode()
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", _WHOLE_TEXT, size)
    elif size < 65_536:
        head = struct.pack("!BBH", _WHOLE_TEXT, 126, size)
    else:
        head = struct.pack("!BBQ", _WHOLE_TEXT, 127, size)
    return head + payload


class BoundedWebSocket(CutsTheStalled, WebSocketsSansIOProtocol):
    """A websocket whose browser is gone, or sends what is no message, is closed with the code that says so."""

    async def send(self, message: Any) -> None:
        text = message.get("text")
        if text is None or not self.handshake_complete or self.conn.extensions:
            await super().send(message)
            return
        await self.writable.wait()
        if self.disconnected or self.close_sent or self.conn.state is not State.OPEN:
            raise ClientDisconnected
        self.transport.write(text_frame(text))

    def data_received(self, data: bytes) -> None:
        try:
            super().data_received(data)
        except UnicodeError:  # a handshake with an address that is none
            self.transport.abort()
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            # Lines of more than 8 KiB, or too many: the library reads no further, and would wait for ever.
            self.transport.abort()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        if self._cut is not None:
            self.transport.abort()

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.fail(CloseCode.INVALID_DATA, "not UTF-8")
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()
