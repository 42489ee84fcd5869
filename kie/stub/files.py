"""The stub's file hosts: uploads need the key, downloads do not; links last 20 minutes."""

import asyncio
import base64
import binascii
import mimetypes
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from kie.stub.faults import REFUSALS, SILENT
from kie.stub.http import (
    ORIGIN,
    WORLD,
    fetch,
    has_key,
    held_back,
    json_object,
    reply,
    silence,
    unauthorized,
)

ACCOUNT = "100001"
LINK_LIFE_S = 20 * 60  # docs.kie.ai, common/download-url
GONE = "<?xml version='1.0' encoding='UTF-8'?><Error><Code>NoSuchKey</Code><Message>Not found</Message></Error>"
HTML = "<html><body>Just a moment…</body></html>"


def add_routes(app: web.Application) -> None:
    """Add the upload host, the file host and download-url to the app."""
    app.router.add_post("/upload/api/file-stream-upload", stream_upload)
    app.router.add_post("/upload/api/file-base64-upload", base64_upload)
    app.router.add_post("/upload/api/file-url-upload", url_upload)
    app.router.add_post("/api/v1/common/download-url", download_url)
    app.router.add_get("/files/{path:.+}", download)


async def stream_upload(request: web.Request) -> web.StreamResponse:
    """Accept a multipart form with `file`, `uploadPath` and optionally `fileName`."""
    form = await request.post()
    part = form.get("file")
    if not isinstance(part, web.FileField):
        return await _stored(request, form, None, None, None)
    with part.file as file:
        content = file.read()
    return await _stored(request, form, content, part.content_type, part.filename)


async def base64_upload(request: web.Request) -> web.StreamResponse:
    """Accept JSON with `base64Data`, plain or as a data URL."""
    body = await json_object(request)
    head, _, encoded = str(body.get("base64Data", "")).rpartition(",")
    try:
        content = base64.b64decode(encoded, validate=True) or None
    except binascii.Error:
        content = None
    return await _stored(request, body, content, head.removeprefix("data:").partition(";")[0] or None, None)


async def url_upload(request: web.Request) -> web.StreamResponse:
    """Accept JSON with `fileUrl` and fetch it."""
    body = await json_object(request)
    url = body.get("fileUrl")
    if not url:
        return _refused(400, "Missing required parameter: fileUrl (file download URL)")
    status, content = await fetch(request.app, url)
    return await _stored(request, body, content if status == 200 else None, None, url.rpartition("/")[2])


async def _stored(
    request: web.Request, fields: Mapping[str, Any], content: bytes | None, mime: str | None, name: str | None
) -> web.StreamResponse:
    """Store an uploaded file and answer, with any trouble ordered."""
    world = request.app[WORLD]
    order = world.troubles.take("upload")
    kind = order.kind if order else ""
    await held_back(order)
    if order and kind in SILENT:
        return await silence(request, order)
    if kind == "401" or not has_key(request):
        return unauthorized()
    folder = str(fields.get("uploadPath") or "")
    if kind in REFUSALS or content is None or not folder or folder != folder.strip("/"):
        return _refused(int(kind or 400), "Missing or wrong parameter: file or uploadPath")
    return reply(
        _keep(request, folder, fields.get("fileName") or name, content, mime, kind),
        success=True,
        msg="File uploaded successfully",
    )


def _keep(
    request: web.Request, folder: str, name: str | None, content: bytes, mime: str | None, kind: str
) -> dict[str, Any]:
    world = request.app[WORLD]
    mime = mime or mimetypes.guess_type(name or "")[0] or "application/octet-stream"
    now = datetime.fromtimestamp(world.clock.now(), UTC)
    name = name or f"{int(now.timestamp() * 1000)}-{uuid.uuid4().hex[:8]}{mimetypes.guess_extension(mime) or ''}"
    path = f"kieai/{ACCOUNT}/{folder}/{name}"
    world.add_file(path, content, mime)
    data = {
        "success": True,
        "fileName": name,
        "filePath": path,
        "downloadUrl": f"{request.app[ORIGIN]}/files/{path}",
        "fileSize": len(content),
        "mimeType": mime,
        "uploadedAt": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    return {name: value for name, value in data.items() if not (kind == "no-url" and name == "downloadUrl")}


def _refused(code: int, msg: str) -> web.Response:
    return reply(code=code, msg=msg, success=False)


async def download_url(request: web.Request) -> web.StreamResponse:
    """Return a link to one of the stub's files that lasts 20 minutes."""
    if not has_key(request):
        return unauthorized()
    world, url = request.app[WORLD], (await json_object(request)).get("url", "")
    stored = world.file(str(url).removeprefix(f"{request.app[ORIGIN]}/files/"))
    if stored is None:
        return reply(None, code=422, msg="url is wrong")
    path = f"link/{uuid.uuid4().hex}/{url.rpartition('/')[2]}"
    world.add_file(path, stored.content, stored.mime, life_s=LINK_LIFE_S)
    return reply(f"{request.app[ORIGIN]}/files/{path}")


async def download(request: web.Request) -> web.StreamResponse:
    """Serve a file; Python's default User-Agent is refused, as by KIE's CDN."""
    world, path = request.app[WORLD], request.match_info["path"]
    if request.headers.get("User-Agent", "").startswith("Python-urllib"):
        return web.Response(status=403, text="error code: 1010")
    stored = world.file(path)
    order = world.troubles.take("download") if path.startswith(("r/", "link/")) else None
    await held_back(order)
    if order and order.kind in _STATUSES:
        return web.Response(status=int(order.kind), text=GONE, content_type="application/xml")
    if order and order.kind in SILENT:
        return await silence(request, order)
    if stored is None:
        return web.Response(status=404, text=GONE, content_type="application/xml")
    content = await asyncio.to_thread(stored.read)
    if order and order.kind in _SPOILT:
        return await _SPOILT[order.kind](request, content, stored.mime)
    return web.Response(body=content, content_type=stored.mime)


_STATUSES = ("403", "404", "410")


async def _broken_off(request: web.Request, content: bytes, mime: str) -> web.StreamResponse:
    answer = await _half(request, content, mime)
    if request.transport:
        request.transport.close()
    return answer


async def _hanging(request: web.Request, content: bytes, mime: str) -> web.StreamResponse:
    answer = await _half(request, content, mime)
    await asyncio.sleep(3600)
    return answer


async def _half(request: web.Request, content: bytes, mime: str) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": mime, "Content-Length": str(len(content))})
    await answer.prepare(request)
    await answer.write(content[: len(content) // 2])
    return answer


async def _without_length(request: web.Request, content: bytes, mime: str) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": mime})
    answer.enable_chunked_encoding()
    await answer.prepare(request)
    await answer.write(content)
    return answer


async def _as_page(_request: web.Request, _content: bytes, _mime: str) -> web.StreamResponse:
    return web.Response(text=HTML, content_type="text/html")


async def _elsewhere(request: web.Request, _content: bytes, _mime: str) -> web.StreamResponse:
    raise web.HTTPFound(request.path + "?again=1")


_SPOILT = {
    "truncated": _broken_off,
    "hang-body": _hanging,
    "no-length": _without_length,
    "wrong-type": _as_page,
    "redirect": _elsewhere,
}
