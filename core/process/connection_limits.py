"""The port's limits: how long a request may take to arrive, and how many connections a client may hold.

waitress closes only silent connections, counts all of them together, and accepts none above its limit. Here each
request has a time limit and each client a share, and when all places are taken, the connection that has waited longest
is closed: nobody can keep others out by opening connections and dripping bytes into them.
"""

import functools
import time
from ipaddress import ip_address, ip_network

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer

HEADERS_S, REQUEST_S = 10, 30  # from a request's first byte (or the connection) to the end of its headers, of its body
IDLE_S = 75  # between two requests; load balancers keep theirs for 60 s
PER_CLIENT, TOTAL = 64, 400  # connections; Telegram's webhook has 40 of its own, which are exempt
MAX_BODY = 1024 * 1024  # bytes; updates and callbacks are a few kilobytes
LIMITS = {
    "max_request_body_size": MAX_BODY,
    "max_request_header_size": 16 * 1024,
    "inbuf_overflow": 64 * 1024,  # of a body kept in memory; the rest goes to the disk
    "connection_limit": TOTAL + 200,  # those being closed count here for a moment, too
    "cleanup_interval": 1,
    "asyncore_use_poll": True,  # select() cannot handle more than 1,024 files
    "clear_untrusted_proxy_headers": False,  # core/process/web.py checks whether there were any
}


class Server(TcpWSGIServer):
    """A waitress server with time limits, and with a share of connections per client that `exempt` paths do not use up.

    For connections from the `trusted` networks, the client is whom the proxy names in X-Forwarded-For. `monotonic`
    returns the time in seconds.
    """

    def __init__(self, app, *, trusted=(), exempt=(), monotonic=time.monotonic, **settings):
        self._trusted, self.exempt, self.monotonic = tuple(trusted), exempt, monotonic
        self.channel_class = Channel
        super().__init__(app, **LIMITS, **settings)

    def is_trusted(self, address):
        """Return whether a peer is one of our proxies."""
        return any(_parsed(address) in network for network in self._trusted if _parsed(address) is not None)

    def client_behind(self, forwarded):
        """Return the client that a proxy names, or None: the last address that is not one of our proxies."""
        hops = [_bare(hop) for hop in forwarded.split(",") if hop.strip()]
        return next((_share(hop) for hop in reversed(hops) if not self.is_trusted(hop)), None)

    def make_room(self, newest):
        """If a client, or all of them, have too many connections, close what has waited longest, else the newest."""
        every = [one for one in self.active_channels.values() if not one.will_close]
        own = [one for one in every if one.client == newest.client and not one.is_exempt]
        for crowd, most in ((own if newest.client else [], PER_CLIENT), (every, TOTAL)):
            idle = sorted((one for one in crowd if not one.requests and one is not newest), key=lambda one: one.since)
            for one in [*idle, newest][: max(0, len(crowd) - most)]:
                one.will_close = True

    def maintenance(self, _now):
        """Close what has taken too long; the server's loop calls this once a second."""
        now = self.monotonic()
        for channel in list(self.active_channels.values()):
            if channel.will_close or channel.is_overdue(now):
                channel.handle_close()


class Channel(HTTPChannel):
    """One connection; `since` is when the request it waits for, or the pause after one, began."""

    def __init__(self, server, sock, addr, adj, map=None):
        self.since, self.is_exempt, self._served = server.monotonic(), False, False
        self._is_proxy, self._client = server.is_trusted(addr[0]), None
        self._peer = _share(addr[0])
        self.parser_class = functools.partial(Parser, self)
        super().__init__(server, sock, addr, adj, map=map)
        server.make_room(self)

    @property
    def client(self):
        """Who holds it; None between two requests of a proxy."""
        if self._is_proxy:
            return self._client if self.request is not None or self.requests else None
        return self._peer

    def received(self, data):
        """Receive bytes, and note when a request begins."""
        before = self.request
        taken = super().received(data)
        if self.request is not before:
            self.since = self.server.monotonic()
        return taken

    def headed(self, request):
        """Note a request's path and client, once its headers have arrived."""
        self.is_exempt = request.path in self.server.exempt
        if self._is_proxy:
            self._client = self.server.client_behind(request.headers.get("X_FORWARDED_FOR", ""))
            self.server.make_room(self)

    def service(self):
        """Answer a request and note when the pause after it begins; also before, as the loop may check in between."""
        self.since, self._served = self.server.monotonic(), True
        super().service()
        self.since = self.server.monotonic()

    def is_overdue(self, now):
        """Return whether it has waited too long; a request being answered has not."""
        if self.requests:
            return False
        if self.request is None:
            limit = IDLE_S if self._served else HEADERS_S
        else:
            limit = REQUEST_S if self.request.headers_finished else HEADERS_S
        return now - self.since > limit


class Parser(HTTPRequestParser):
    """A request being read, which tells its connection when the headers are complete."""

    def __init__(self, channel, adj):
        super().__init__(adj)
        self._channel = channel

    def parse_header(self, header_plus):
        super().parse_header(header_plus)
        self._channel.headed(self)


@functools.lru_cache(maxsize=4096)
def _parsed(text):
    try:
        return ip_address(text)
    except ValueError:
        return None


def _bare(hop):
    """Return the address in one part of X-Forwarded-For, which may have brackets and a port."""
    hop = hop.strip().strip('"')
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _share(address):
    """Return what identifies a client: its address, or the /64 network of an IPv6 address, all of which it has."""
    found = _parsed(address)
    return str(ip_network((found, 64), strict=False)) if found is not None and found.version == 6 else address
