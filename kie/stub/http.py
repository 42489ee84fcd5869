"""How the stub answers over HTTP: KIE's envelope, its gateway's errors, and silence."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from kie.stub.faults import REFUSALS, UNAUTHORIZED, Trouble
from kie.stub.tasks import World

WORLD = web.AppKey("world", World)
COURIER: web.AppKey[Any] = web.AppKey("courier")  # a Courier (kie/stub/callbacks.py)
OUTGOING = web.AppKey("outgoing", aiohttp.ClientSession)
ORIGIN = web.AppKey("origin", str)
PAGES = web.AppKey("pages", set[str])
HANG_S = 3600  # a reply that never comes, as clients give up long before
SLOW_S = 1
FETCH_TIMEOUT_S = 10
BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body><center>cloudflare</center></body></html>"
NOTHING = object()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def reply(
    data: object = NOTHING,
    *,
    code: int = 200,
    msg: str = "success",
    status: int = 200,
    msg_name: str = "msg",
    charset: str = "UTF-8",
    **more: Any,
) -> web.Response:
    """Return KIE's envelope; without `data` that field is omitted, as the gateway does for a bad API key."""
    body = {**more, "code": code, msg_name: msg}
    if data is not NOTHING:
        body["data"] = data
    return raw(json.dumps(body, ensure_ascii=False, separators=(",", ":")), status=status, charset=charset)


def raw(text: str, *, status: int = 200, charset: str = "UTF-8") -> web.Response:
    """Return a text as KIE's JSON reply, even when it is not JSON."""
    headers = {"Content-Type": f"application/json;charset={charset}"}
    return web.Response(body=text.encode(), status=status, headers=headers)


def unauthorized() -> web.Response:
    """Return the gateway's answer to a bad API key, as seen live: HTTP 200, no `data`, lower-case charset."""
    return reply(code=401, msg=UNAUTHORIZED, charset="utf-8")


def refused(kind: str) -> web.Response:
    """Return the refusal for a trouble's word."""
    code, msg, status = REFUSALS[kind]
    return unauthorized() if kind == "401" else reply(None, code=code, msg=msg, status=status)


def bad_gateway() -> web.Response:
    """Return the gateway's HTML page."""
    return web.Response(status=502, text=BAD_GATEWAY, content_type="text/html")


def not_found(path: str) -> web.Response:
    """Return the 404 of the Spring framework, as seen live for unknown paths."""
    body = {"timestamp": 1790000000000, "status": 404, "error": "Not Found", "message": "No message available"}
    return web.json_response(body | {"path": path}, status=404)


def has_key(request: web.Request) -> bool:
    """Return whether a request has the API key in the way KIE expects."""
    return request.headers.get("Authorization") == f"Bearer {request.app[WORLD].key}"


async def silence(request: web.Request, order: Trouble) -> web.Response:
    """Give no usable answer: an HTML page, an empty body, a closed connection, or nothing at all."""
    kind = order.kind.partition("-")[0]
    if kind == "502":
        return bad_gateway()
    if kind == "empty":
        return raw("")
    if kind == "hang":
        await asyncio.sleep(order.delay_s or HANG_S)
    if request.transport:
        request.transport.abort()
    return web.Response()


async def held_back(order: Trouble | None) -> None:
    """Wait as long as an ordered trouble delays the reply; a hang does its own waiting."""
    if order and (order.delay_s or order.kind == "slow") and not order.kind.startswith("hang"):
        await asyncio.sleep(order.delay_s or SLOW_S)


async def fetch(app: web.Application, url: object) -> tuple[int | None, bytes]:
    """Return (HTTP status or None, bytes) of an input file.

    A URL of another machine gets status 200 without being fetched, as the stub calls this machine only.
    """
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        return None, b""
    if not is_local(url):
        return 200, b""
    try:
        async with app[OUTGOING].get(url, timeout=aiohttp.ClientTimeout(total=FETCH_TIMEOUT_S)) as answer:
            return answer.status, await answer.read()
    except (aiohttp.ClientError, TimeoutError):
        return None, b""


async def json_object(request: web.Request) -> dict[str, Any]:
    """Return the request's JSON object, or an empty one."""
    try:
        body = await request.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def is_local(url: str) -> bool:
    """Return whether a URL points to this machine, the only one that the stub calls."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return re.fullmatch(r"localhost|127(\.\d+){3}|::1", parts.hostname or "") is not None
