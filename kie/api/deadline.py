"""An answer that must be whole by a deadline.

The timeouts of requests limit the silence between two bytes, not the whole: a server that sends its headers or body byte
by byte could hold a thread for hours. Here each read waits at most until the deadline.
"""

import io
import time
from functools import partial
from http.client import HTTPResponse
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager, ProxyManager


class DeadlineAdapter(HTTPAdapter):
    """An adapter for `requests` whose reads fail with a timeout `limit_s` seconds after it was made."""

    def __init__(self, limit_s: float, **pool: Any) -> None:
        self._ends = time.monotonic() + limit_s
        super().__init__(**pool)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self._bound(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> ProxyManager:
        manager: ProxyManager = super().proxy_manager_for(proxy, **kwargs)
        self._bound(manager)
        return manager

    def _bound(self, manager: PoolManager) -> None:
        kinds: dict[str, Any] = {"http": partial(_Pool, self._ends), "https": partial(_TlsPool, self._ends)}
        manager.pool_classes_by_scheme = kinds


class _Pool(HTTPConnectionPool):
    def __init__(self, ends: float, *args: Any, **kwargs: Any) -> None:
        self._ends = ends
        super().__init__(*args, **kwargs)

    def _new_conn(self) -> Any:
        connection: Any = super()._new_conn()
        connection.response_class = partial(_Response, ends=self._ends)
        return connection


class _TlsPool(_Pool, HTTPSConnectionPool):
    pass


class _Response(HTTPResponse):
    def __init__(self, sock: Any, *args: Any, ends: float, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Incoming(sock, self.fp.detach(), ends))


class _Incoming(io.RawIOBase):
    """The bytes from a socket until `ends`, with the socket's own timeout for each silence."""

    def __init__(self, sock: Any, raw: io.RawIOBase, ends: float) -> None:
        self._sock, self._raw, self._ends, self._silence_s = sock, raw, ends, sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_s = self._ends - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the answer took too long")
        self._sock.settimeout(left_s if self._silence_s is None else min(left_s, self._silence_s))
        read: int | None = self._raw.readinto(buffer)
        return read

    def close(self) -> None:
        self._raw.close()
        super().close()
