"""Methods that send files: by upload, by URL or by file_id; albums; and getFile."""

import asyncio
import mimetypes
import secrets

from demo.files import DEFAULTS, Upload, check_upload, digest_of, fetch, guess_s, sniff
from demo.methods.sending import caption_content, post
from demo.params import Params
from demo.rules import ALBUM_MAX, ALBUM_MIN, DOWNLOAD_MAX, bad

ALONE = ("document", "audio")  # in an album only with their own kind (Bot API, sendMediaGroup)
ALBUM_KINDS = ("photo", "video", *ALONE)


async def content_of(world, kind, value, params, limited=True):
    """Return the content of a message for a file given as Upload, URL or file_id.

    `params` are those of the call, or of one item of an album: duration, width, height, title and performer. Uploads
    have the limits for bots; people have others.
    """
    if isinstance(value, str) and value.startswith(("http://", "https://")):
        value = await fetch(value, kind)
    elif isinstance(value, Upload) and limited:
        check_upload(kind, value)
    if not isinstance(value, Upload):
        return describe(world, kind, world.files.by_id(value, kind), params)
    if kind == "photo":
        return describe(world, kind, (await world.files.photo_sizes(value.data))[-1], params)
    return describe(world, kind, await keep(world, kind, value, params), params)


async def keep(world, kind, upload, params):
    """Keep an uploaded file that is not a photo, and return its File."""
    sizes = {name: params.number(name) for name in ("width", "height", "duration")}
    sizes["duration"] = sizes["duration"] or guess_s(upload.data)
    about = " ".join([kind, *map(str, sizes.values())])  # sent as 3 s long and as 1000 s long, it is two files
    digest = await asyncio.to_thread(digest_of, about, upload.data)  # others go on meanwhile
    return world.files.put(kind, upload.data, type_of(kind, upload), upload.name, digest, **sizes)


def type_of(kind, upload):
    """Return the MIME type of an upload: for a document as claimed or by its name, for other files the real one."""
    if kind == "document" and upload.mime not in ("", "application/octet-stream"):
        return upload.mime
    named = mimetypes.guess_type(upload.name)[0] if kind == "document" else None
    return named or sniff(upload.data) or DEFAULTS[kind][0]


def describe(world, kind, file, params):
    """Return the Bot API's object of a file as message content, e.g. `{"video": {…}}`."""
    if kind == "photo":
        return {"photo": [photo_size(size) for size in world.files.photo_of(file)]}
    shown = {"file_id": file.file_id, "file_unique_id": file.unique_id, "file_size": file.size}
    if kind == "sticker":
        return {kind: shown | {"type": "regular", "width": 512, "height": 512, "is_animated": False, "is_video": False}}
    if kind in ("video", "animation"):
        shown |= {"width": file.width or 1280, "height": file.height or 720}
    if kind == "video_note":
        shown |= {"length": file.width or 240}
    if kind != "document":
        shown["duration"] = file.duration
    if kind == "audio":
        shown |= {name: params.text(name) for name in ("title", "performer") if params.get(name)}
    if kind != "voice" and file.name:
        shown["file_name"] = file.name
    if kind != "video_note":
        shown["mime_type"] = file.mime
    if kind == "animation":
        return {kind: shown, "document": {key: value for key, value in shown.items() if key in DOCUMENT}}
    return {kind: shown}


DOCUMENT = ("file_id", "file_unique_id", "file_size", "file_name", "mime_type")


def photo_size(file):
    """Return a PhotoSize object."""
    return {
        "file_id": file.file_id,
        "file_unique_id": file.unique_id,
        "file_size": file.size,
        "width": file.width,
        "height": file.height,
    }


def given(params, name, value):
    """Return what a file parameter names: the Upload itself, or the one that `attach://` refers to, or a text."""
    if isinstance(value, str) and value.startswith("attach://"):
        value = params.get(value.removeprefix("attach://"))
    if not value or not isinstance(value, str | Upload):
        raise bad(f"there is no {name} in the request")
    return value


def sender(kind):
    """Return the method that sends one file of `kind`."""

    async def send(world, params):
        """Send a file with its caption."""
        caption = caption_content(params)
        world.reachable(params.get("chat_id"))
        content = await content_of(world, kind, given(params, kind, params.get(kind)), params)
        spoiler = {"has_media_spoiler": True} if params.flag("has_spoiler") else {}
        return post(world, params, content | caption | spoiler)

    return send


async def send_media_group(world, params):
    """Send an album of 2 to 10 files."""
    items = params.objects("media")
    check_album([item.get("type") for item in items])
    world.reachable(params.get("chat_id"))
    contents = [await album_item(world, params, item) for item in items]
    group = str(13_000_000_000_000_000 + secrets.randbits(48))
    return [post(world, params, {"media_group_id": group, **content}) for content in contents]


async def album_item(world, params, item):
    """Return the content of one item of an album."""
    own = Params(item)
    value = given(params, "media", item.get("media"))
    return await content_of(world, item["type"], value, own) | caption_content(own)


def check_album(kinds):
    """Raise for an album of the wrong size or mix."""
    if len(kinds) < ALBUM_MIN:
        raise bad("too few messages to send as an album")
    if len(kinds) > ALBUM_MAX:
        raise bad("too many messages to send as an album")
    for kind in kinds:
        if kind not in ALBUM_KINDS:
            raise bad(f"can't parse InputMedia: type {kind!r} can't be used in an album")
        if kind in ALONE and any(other != kind for other in kinds):
            raise bad(f"{kind} can't be mixed with other media types")


def get_file(world, params):
    """Return a File object with the path for its download."""
    file = world.files.by_id(params.text("file_id"))
    if file.size > DOWNLOAD_MAX:
        raise bad("file is too big")
    return {
        "file_id": params.text("file_id"),
        "file_unique_id": file.unique_id,
        "file_size": file.size,
        "file_path": file.path,
    }


METHODS = {
    "sendPhoto": sender("photo"),
    "sendVideo": sender("video"),
    "sendAudio": sender("audio"),
    "sendVoice": sender("voice"),
    "sendDocument": sender("document"),
    "sendAnimation": sender("animation"),
    "sendSticker": sender("sticker"),
    "sendVideoNote": sender("video_note"),
    "sendMediaGroup": send_media_group,
    "getFile": get_file,
}
