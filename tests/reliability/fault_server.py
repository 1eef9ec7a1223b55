"""A web server on loopback that misbehaves as told."""

from __future__ import annotations

import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class FaultServer:
    """Answers by path: one after another, the last one from then on. ``requests`` is what came in."""

    url: str
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, name: str, *answers: Answer) -> str:
        """Offer a file; its address."""
        self.answers[f"/{name}"] = list(answers)
        return f"{self.url}/{name}"

    def headers_sent(self, name: str) -> list[dict[str, str]]:
        """Headers of every request for one file."""
        return [headers for path, headers in self.requests if path == f"/{name}"]

    def next_answer(self, handler: BaseHTTPRequestHandler) -> Answer:
        with self.lock:
            self.requests.append((handler.path, dict(handler.headers.items())))
            waiting = self.answers.get(handler.path, [status(404)])
            return waiting.pop(0) if len(waiting) > 1 else waiting[0]


@contextmanager
def fault_server(*, certificate: Path | None = None) -> Iterator[FaultServer]:
    """Serve until the end of the block; by https if a PEM file with key and certificate is given."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = served.next_answer(self)
            try:
                answer(self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            """Keep the tests' output clean."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: object, client_address: object) -> None:
            """Clients that hang up are what these tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "http" if certificate is None else "https"
    served = FaultServer(f"{scheme}://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _head(handler: BaseHTTPRequestHandler, code: int, **headers: str | int) -> None:
    handler.send_response(code)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), str(value))
    handler.end_headers()


def _send_now(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    handler.wfile.write(body)
    handler.wfile.flush()


def whole(body: bytes, *, etag: str | None = '"v1"', **headers: str) -> Answer:
    """Answer as a good server does, also to a request for the rest of a file."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        tags = {**headers, **({"ETag": etag} if etag else {})}
        wanted = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        if wanted and handler.headers.get("If-Range", etag) == etag:
            start = int(wanted.group(1))
            content_range = f"bytes {start}-{len(body) - 1}/{len(body)}"
            _head(handler, 206, Content_Length=len(body) - start, Content_Range=content_range, **tags)
            handler.wfile.write(body[start:])
        else:
            _head(handler, 200, Content_Length=len(body), **tags)
            handler.wfile.write(body)

    return answer


def ignoring_range(body: bytes, *, etag: str | None = '"v1"') -> Answer:
    """Answer 200 with everything, whatever part was asked for."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        _head(handler, 200, Content_Length=len(body), **({"ETag": etag} if etag else {}))
        handler.wfile.write(body)

    return answer


def partial(body: bytes, *, start: int, etag: str) -> Answer:
    """Answer 206 from ``start`` on, whatever part and version was asked for."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        content_range = f"bytes {start}-{len(body) - 1}/{len(body)}"
        _head(handler, 206, Content_Length=len(body) - start, Content_Range=content_range, ETag=etag)
        handler.wfile.write(body[start:])

    return answer


def cut_off(body: bytes, *, n_sent: int, reset: bool, etag: str | None = '"v1"') -> Answer:
    """Announce the whole body, send ``n_sent`` bytes, and close the connection, politely or by a reset."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        _head(handler, 200, Content_Length=len(body), **({"ETag": etag} if etag else {}))
        _send_now(handler, body[:n_sent])
        if reset:
            # Wait until the client took it all: a reset throws away what is still on its way.
            threading.Event().wait(0.1)
            linger = struct.pack("ii", 1, 0)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            handler.connection.close()
        handler.close_connection = True

    return answer


def announcing(body: bytes, *, n_announced: int) -> Answer:
    """Send a body with a Content-Length of another one."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        _head(handler, 200, Content_Length=n_announced)
        handler.wfile.write(body)
        handler.close_connection = True

    return answer


def chunked(body: bytes) -> Answer:
    """Send a body in small chunks, without saying how long it is."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.protocol_version = "HTTP/1.1"
        _head(handler, 200, Transfer_Encoding="chunked")
        for start in range(0, len(body), 1000):
            piece = body[start : start + 1000]
            handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        handler.wfile.write(b"0\r\n\r\n")
        handler.close_connection = True

    return answer


def status(code: int, **headers: str) -> Answer:
    """Answer with a status, headers and no content."""
    return lambda handler: _head(handler, code, Content_Length=0, **headers)


def web_page(*, content_type: str = "text/html; charset=utf-8") -> Answer:
    """Answer 200 with a web page, as portals and consent forms do."""
    page = b"<!DOCTYPE html><html><body>Please accept our cookies</body></html>"

    def answer(handler: BaseHTTPRequestHandler) -> None:
        _head(handler, 200, Content_Length=len(page), Content_Type=content_type)
        handler.wfile.write(page)

    return answer


def silent_after(body: bytes, *, n_sent: int | None, until: threading.Event) -> Answer:
    """Send ``n_sent`` bytes of a body, or not even a header if None, and then nothing until the event."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if n_sent is not None:
            _head(handler, 200, Content_Length=len(body), ETag='"v1"')
            _send_now(handler, body[:n_sent])
        until.wait(20)
        handler.close_connection = True

    return answer
