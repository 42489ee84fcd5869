"""Fetch from the public internet only, whatever an address says: no result of KIE's leads into our own network.

Checked is the address that is connected to, after its name was resolved, at every step of a redirect: a name that
points elsewhere the next moment (DNS rebinding) gains nothing.
"""

import ipaddress
import socket
from urllib.parse import urlsplit

from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError

from kie.api.errors import NotPublic

NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public(address):
    """Tell whether an IP address is one of the public internet; an IPv4 address inside an IPv6 one counts, too."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if found.version == 6:
        inner = found.ipv4_mapped or found.sixtofour
        if found in NAT64:
            inner = ipaddress.ip_address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if found.is_site_local:
            return False
    return found.is_global and not found.is_multicast and not found.is_reserved


def public_addresses(host, port):
    """Return the public addresses of a host; raise NotPublic when it has none, and OSError when nobody knows it."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    found = [address[0] for *_kind, address in answers if is_public(address[0])]
    if not found:
        raise NotPublic(f"{host} is no place in the public internet")
    return list(dict.fromkeys(found))


class PublicAdapter(HTTPAdapter):
    """What `requests` sends through: to public addresses and to the hosts that are `known`, wherever these are.

    Through a proxy that the environment names it is the proxy that connects; a host that we know for private is refused
    all the same.
    """

    def __init__(self, known, **pool):
        self._known, self._plain = frozenset(known), HTTPAdapter(**pool)
        super().__init__(**pool)

    def close(self):
        """Close the idle connections."""
        self._plain.close()
        super().close()

    def init_poolmanager(self, *args, **kwargs):
        """Make the pools of connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def send(self, request, *args, proxies=None, **kwargs):
        """Send a request, or a step of a redirect."""
        parts = urlsplit(request.url)
        if parts.hostname in self._known:
            return self._plain.send(request, *args, proxies=proxies, **kwargs)
        if select_proxy(request.url, proxies):
            try:
                public_addresses(parts.hostname, parts.port or 443)
            except OSError:
                pass  # only the proxy can resolve it
        return super().send(request, *args, proxies=proxies, **kwargs)


class _Public:
    """The part of a connection that opens the socket."""

    def _new_conn(self):
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


class _Connection(_Public, HTTPConnection):
    pass


class _TlsConnection(_Public, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
