"""Fetching from the public internet only, so that no URL in KIE's answers can reach into our own network.

The IP address is checked when the connection is made, after the name was resolved, at every step of a redirect: changing
what a name points to (DNS rebinding) does not help.
"""

import ipaddress
import socket
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError

from kie.api.errors import NotPublic

NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Return whether an IP address is public; an IPv4 address embedded in an IPv6 one is checked itself."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip.is_site_local:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def public_addresses(host: str | None, port: int | None) -> list[str]:
    """Return the public addresses of a host; raise NotPublic if it has none, OSError if it cannot be resolved."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    public = [address for *_kind, (address, *_rest) in answers if isinstance(address, str) and is_public(address)]
    if not public:
        raise NotPublic(f"{host} is not in the public internet")
    return list(dict.fromkeys(public))


class PublicAdapter(HTTPAdapter):
    """An adapter for `requests` that connects to public addresses only, and to the `known` hosts wherever they are.

    With a proxy from the environment, the proxy connects; a host that resolves to a private address here is still refused.
    """

    def __init__(self, known: Iterable[str | None], **pool: Any) -> None:
        self._known, self._plain = frozenset(known), HTTPAdapter(**pool)
        super().__init__(**pool)

    def close(self) -> None:
        self._plain.close()
        super().close()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        url = str(request.url)
        parts = urlsplit(url)
        if parts.hostname in self._known:
            return self._plain.send(request, stream, timeout, verify, cert, proxies)
        if select_proxy(url, proxies):
            try:
                public_addresses(parts.hostname, parts.port or 443)
            except OSError:
                pass  # only the proxy can resolve it
        return super().send(request, stream, timeout, verify, cert, proxies)


class _Connection(HTTPConnection):
    def _new_conn(self) -> Any:
        name = self._dns_host
        try:
            addresses = public_addresses(name, self.port)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        try:
            for number, self._dns_host in enumerate(addresses, start=1):
                try:
                    return super()._new_conn()
                except Exception:  # try the next address; the error of the last one is raised
                    if number == len(addresses):
                        raise
        finally:
            self._dns_host = name  # the certificate is for the name
        return None


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
