"""A proxy in front of a local server that alters its answers, so that a test can plant a difference to what is expected.

    proxy = Altering(telegram.url)
    proxy.alter("getMe", lambda answer: answer.body["result"].pop("username"))
    proxy.alter("/chat/credit", lambda answer: answer.body.update(data="12"), times=1)

`alter(path, function)` calls `function(answer)` with every answer whose path ends with `path`; the function changes the
answer in place: `status`, `headers` (a dict), and `body`, which is parsed JSON, or bytes where it is none. What it
returns is ignored. The server's own address in a JSON answer becomes the proxy's, so that files come through it as well.
"""

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import urllib3

KEPT = ("Content-Type", "Date", "Retry-After")  # headers of an answer that are passed on
DROPPED = ("host", "connection", "accept-encoding", "content-length")


@dataclass
class Answer:
    """An answer on its way; `path` and `method` are the request's."""

    method: str
    path: str
    status: int
    headers: dict[str, str]
    body: Any


class Altering:
    """A running proxy: `url`, `alter`, `calm`, `stop`."""

    def __init__(self, target):
        self.target = target.rstrip("/")
        self._pool = urllib3.PoolManager(maxsize=8, retries=False, timeout=30)
        self._changes, self._guard = [], threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="altering", daemon=True)
        self._thread.start()

    def alter(self, path, function, times=0):
        """Alter the answers whose path (without the query) ends with `path`: `times` of them, or all."""
        with self._guard:
            self._changes.append([path, function, times or -1])

    def calm(self):
        """Alter nothing any more."""
        with self._guard:
            self._changes.clear()

    def stop(self):
        """End the proxy."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _taken(self, path):
        with self._guard:
            found = [change for change in self._changes if path.partition("?")[0].endswith(change[0]) and change[2]]
            for change in found:
                change[2] -= 1
            return [change[1] for change in found]

    def answer(self, method, path, headers, content):
        """Pass a request on and return its Answer, altered."""
        sent = {name: value for name, value in headers.items() if name.lower() not in DROPPED}
        came = self._pool.request(method, f"{self.target}{path}", body=content, headers=sent, redirect=False)
        kept = {name: came.headers[name] for name in KEPT if name in came.headers}
        answer = Answer(method, path, came.status, kept, came.data)
        try:
            answer.body = json.loads(came.data.decode().replace(self.target, self.url))
        except ValueError:
            pass  # bytes stay bytes
        for function in self._taken(path):
            function(answer)
        if not isinstance(answer.body, bytes):
            answer.body = json.dumps(answer.body).encode()
        return answer

    def _handler(proxy):
        class Handler(BaseHTTPRequestHandler):
            """Passes requests on."""

            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet: or the body waits 40 ms until the head is acknowledged

            def do_POST(self):
                content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                answer = proxy.answer(self.command, self.path, self.headers, content)
                self.send_response_only(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.body)

            do_GET = do_HEAD = do_POST

            def log_message(self, *_all):
                """Say nothing."""

        return Handler
