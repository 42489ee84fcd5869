"""Fetch from the public internet only, whatever an address says: no result of KIE's leads into our own network.

Checked is the address that is connected to, after its name was resolved, at every step of a redirect: a name that
points elsewhere the next moment (DNS rebinding) gains nothing.
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
    """Tell whether an IP address is one of the public internet; an IPv4 address inside an IPv6 one counts, too."""
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
    """Return the public addresses of a host; raise NotPublic when it has none, and OSError when nobody knows it."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    public = [address for *_kind, (address, *_rest) in answers if isinstance(address, str) and is_public(address)]
    if not public:
        raise NotPublic(f"{host} is not in the public internet")
    return list(dict.fromkeys(public))


class PublicAdapter(HTTPAdapter):
    """What `requests` sends through: to public addresses and to the hosts that are `known`, wherever these are.

    Through a proxy that the environment names it is the proxy that connects; a host that we know for private is refused
    all the same.
    """

    def __init__(self, known: Iterable[str | None], **pool: Any) -> None:
        self._known, self._plain = frozenset(known), HTTPAdapter(**pool)
        super().__init__(**pool)

    def close(self) -> None:
        """Close the idle connections."""
        self._plain.close()
        super().close()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools of connections."""
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
        """Send a request, or a step of a redirect."""
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
                except Exception:  # the next address may answer; the last one's error is raised
                    if number == len(addresses):
                        raise
        finally:
            self._dns_host = name  # the name is what the certificate is for
        return None


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
