"""A connection pooler in transaction mode, like PgBouncer: every transaction may run in another session.

Speaks PostgreSQL's protocol 3.0 (see Frontend/Backend Protocol in its documentation) as far as psycopg needs it,
without passwords. Idle server connections are reused last in, first out, which is PgBouncer's default.
"""

import contextlib
import socket
import struct
import threading

SSL, GSS = 80877103, 80877104


def message(kind, body=b""):
    """Return a message with its length."""
    return kind + struct.pack("!I", len(body) + 4) + body


def receive(stream, size):
    """Return exactly `size` bytes; raise ConnectionError at the end."""
    data = b""
    while len(data) < size:
        part = stream.recv(size - len(data))
        if not part:
            raise ConnectionError
        data += part
    return data


def receive_message(stream):
    """Return (kind, the whole message)."""
    head = receive(stream, 5)
    return head[:1], head + receive(stream, struct.unpack("!I", head[1:])[0] - 4)


class Pooler:
    """Serves 127.0.0.1:`port` until `stop`; with `refuses_options` as PgBouncer does unless told otherwise."""

    def __init__(self, socket_path, database, refuses_options=False):
        self._path, self._database, self._refuses_options = socket_path, database, refuses_options
        self._idle, self._guard = [], threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self):
        """Close everything."""
        self._listener.close()
        for backend in self._idle:
            backend.close()

    def _serve(self):
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._guarded, args=(client,), daemon=True).start()

    def _guarded(self, client):
        with client:
            try:
                self._welcome(client)
                self._pass_on(client)
            except (ConnectionError, OSError):
                return

    def _welcome(self, client):
        while True:
            (size,) = struct.unpack("!I", receive(client, 4))
            body = receive(client, size - 4)
            if struct.unpack("!I", body[:4])[0] not in (SSL, GSS):
                break
            client.sendall(b"N")
        if self._refuses_options and b"options" in body:
            text = b"SFATAL\0C08P01\0Munsupported startup parameter: options\0\0"
            client.sendall(message(b"E", text))
            raise ConnectionError
        known = {b"client_encoding": b"UTF8", b"server_version": b"16.0", b"standard_conforming_strings": b"on"}
        client.sendall(message(b"R", struct.pack("!I", 0)))
        for name, value in known.items():
            client.sendall(message(b"S", name + b"\0" + value + b"\0"))
        client.sendall(message(b"K", struct.pack("!II", 1, 1)) + message(b"Z", b"I"))

    def _pass_on(self, client):
        backend = None
        while True:
            kind, data = receive_message(client)
            if kind == b"X":
                return
            backend = backend or self._take()
            backend.sendall(data)
            if kind in (b"Q", b"S") and self._answer(backend, client) == b"I":
                with self._guard:
                    self._idle.append(backend)
                backend = None

    @staticmethod
    def _answer(backend, client):
        """Pass the server's answer on; return the state it ends in."""
        while True:
            kind, data = receive_message(backend)
            client.sendall(data)
            if kind == b"Z":
                return data[5:6]

    def _take(self):
        with self._guard:
            if self._idle:
                return self._idle.pop()
        backend = socket.socket(socket.AF_UNIX)
        backend.connect(self._path)
        words = b"\0".join([b"user", b"postgres", b"database", self._database.encode(), b"", b""])
        backend.sendall(struct.pack("!II", len(words) + 8, 3 << 16) + words)
        while receive_message(backend)[0] != b"Z":
            pass
        return backend


class Wire:
    """A network between a client and the server's socket: passes everything on until it is told to be silent."""

    def __init__(self, socket_path):
        self._path, self.silent = socket_path, threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self):
        """Take no more connections."""
        self._listener.close()

    def _serve(self):
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._path)
            for ends in ((client, server), (server, client)):
                threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source, sink):
        with source, sink, contextlib.suppress(OSError):  # the other direction has closed both
            while data := source.recv(65536):
                if not self.silent.is_set():  # else it is lost, and nobody is told
                    sink.sendall(data)
