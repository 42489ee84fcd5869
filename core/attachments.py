"""The file attached to a Telegram message, as the value of an input."""

from typing import Any

from core.errors import UserError
from kie.catalogue.inputs import MEDIA, clean_mime

MAX_MB = 20  # Bot API: getFile serves files of up to 20 MB
HEIC = ("image/heic", "image/heif")
MEDIA_FIELDS = (  # an animation's message has a document as well (Bot API, Message)
    "photo", "animation", "document", "video", "audio", "voice", "video_note", "sticker",
)  # fmt: skip


def file_in(message: dict[str, Any]) -> dict[str, Any] | None:
    """Return the file a message carries, as the catalogue's media value, or None; raise UserError over 20 MB."""
    kind = next((name for name in MEDIA_FIELDS if name in message), None)
    if kind is None:
        return None
    found = message[kind][-1] if kind == "photo" else message[kind]
    size = found.get("file_size")
    if size and size > MAX_MB * 1024 * 1024:
        raise UserError("error.too_big_for_telegram", found=round(size / 1024 / 1024, 1))
    file = {
        "file_id": found["file_id"],
        "unique_id": found["file_unique_id"],
        "kind": kind,
        "mime": "image/webp" if kind == "sticker" else found.get("mime_type"),
        "size": size,
        "name": found.get("file_name"),
        "seconds": found.get("duration") or None,
        "width": found.get("width"),
        "height": found.get("height"),
    }
    if (name := (file["name"] or "").lower()).endswith((".heic", ".heif")) and file["mime"] not in HEIC:
        file["mime"] = "image/" + name[-4:]
    return file


def media_kind(file: dict[str, Any]) -> str:
    """Return image, video or audio, or document for a file that is none of them."""
    if file["kind"] in ("photo", "sticker"):
        return "image"
    if file["kind"] in ("voice", "audio"):
        return "audio"
    if file["kind"] in ("video", "video_note", "animation"):
        return "video"
    kind = (clean_mime(file) or "").split("/")[0]
    return kind if kind in MEDIA else "document"
