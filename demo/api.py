"""One call of the Bot API: from the HTTP request to the answer, including ordered errors and limits."""

import asyncio
import json
import time

from aiohttp import web

from demo import methods
from demo.calls import ERRORS
from demo.params import Params, read_params
from demo.rules import ApiError, too_many

ENCODE = json.JSONEncoder(separators=(",", ":")).encode
BAD_GATEWAY = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>nginx</body>\r\n</html>\r\n"


async def call(world, name, params):
    """Carry out method `name`; return the JSON object for the caller, an error included."""
    started = time.perf_counter()
    method = methods.BY_NAME.get(name.lower())
    try:
        if method is None:
            raise ApiError(404, f"Not Found: method not known to the local server: {name}")
        world.limits.check(name.lower(), params)
        result = method(world, params)
        if asyncio.iscoroutine(result):
            result = await result
        answer = {"ok": True, "result": result}
    except ApiError as error:
        answer = error.body()
    note(world, name, params, answer, started)
    return answer


def note(world, name, params, answer, started):
    """Add a call to the list of calls and tell the page."""
    world.calls.add(world.clock.now(), name, params, answer, started)
    world.changed()
    if world.listeners:
        world.announce("call", world.calls.shown(*world.calls.kept[-1]) | {"chat_id": params.get("chat_id")})


async def answer(world, request, name):
    """Answer the HTTP request of a call."""
    try:
        params = await read_params(request)
    except ApiError as error:
        return respond(error.body())
    trouble = world.trouble.take(name.lower(), params) if world.trouble.rules else None
    if trouble:
        return await troubled(world, request, name, params, trouble)
    return respond(await call(world, name, params))


async def troubled(world, request, name, params, trouble):
    """Answer a call with the failure that `trouble` asks for."""
    kind = trouble["kind"]
    if kind in ("drop", "drop_before"):
        if kind == "drop":
            await call(world, name, params)
        request.transport.abort()
        return web.Response()
    if kind == "slow":
        await asyncio.sleep(trouble["delay_s"])
        return respond(await call(world, name, params))
    if kind == "garbage":
        await call(world, name, params)
        return web.Response(body=b"\x00<not json", content_type="application/json")
    error = too_many(trouble["retry_after"]) if kind == "429" else ERRORS.get(kind, ERRORS["500"])
    note(world, name, params, error.body(), time.perf_counter())
    if kind == "502":
        return web.Response(status=502, text=BAD_GATEWAY, content_type="text/html")
    return respond(error.body())


def respond(body):
    """Return the HTTP response of a call: the status repeats the error code."""
    headers = {"Content-Type": "application/json"}
    if body["ok"]:
        return web.Response(body=ENCODE(body).encode("ascii"), headers=headers)
    retry_after = body.get("parameters", {}).get("retry_after")
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return web.Response(status=body["error_code"], body=ENCODE(body).encode("ascii"), headers=headers)


async def call_from_webhook(world, name, params):
    """Make the call that a bot put into its answer to a webhook."""
    await call(world, name, Params(params))


def serve_file(world, path):
    """Return the response to the download of a file by the path that getFile gave."""
    file = world.files.by_path(path)
    if file is None:
        return respond(ApiError(404, "Not Found").body())
    return web.Response(body=world.files.read(file), content_type="application/octet-stream")
