"""Files as Telegram keeps them: ids, kinds, sizes of a photo, limits, and fetching by URL.

A `file_unique_id` names the content and stays the same for ever; a `file_id` differs with every send and carries
the kind, because a file cannot be sent again as another kind (Bot API, Sending files).
"""

import asyncio
import hashlib
import io
import os
import re
import secrets
import struct
import wave
from base64 import urlsafe_b64encode
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiohttp

from demo.rules import (
    FILE_UPLOAD_MAX,
    FILE_URL_MAX,
    PHOTO_RATIO_MAX,
    PHOTO_SIDES_MAX,
    PHOTO_UPLOAD_MAX,
    PHOTO_URL_MAX,
    ApiError,
    bad,
    split_url,
)

PREFIXES = {
    "photo": "AgAC", "document": "BQAC", "video": "BAAC", "audio": "CQAC", "voice": "AwAC", "animation": "CgAC",
    "sticker": "CAAC", "video_note": "DQAC",
}  # fmt: skip
KINDS = {prefix: kind for kind, prefix in PREFIXES.items()}
FOLDERS = {"photo": "photos", "video": "videos", "audio": "music"}
SIDES = (90, 320, 800, 1280)  # the longer sides of a photo's sizes s, m, x and y (core.telegram.org/api/files)
DEFAULTS = {
    "photo": ("image/jpeg", ".jpg"), "video": ("video/mp4", ".mp4"), "audio": ("audio/mpeg", ".mp3"),
    "voice": ("audio/ogg", ".oga"), "animation": ("video/mp4", ".mp4"), "sticker": ("image/webp", ".webp"),
    "video_note": ("video/mp4", ".mp4"), "document": ("application/octet-stream", ""),
}  # fmt: skip
# What a URL may answer for each kind; a document by URL works for PDF, ZIP and GIF only (Bot API, Sending files).
BY_URL = {
    "photo": re.compile(r"image/(jpeg|png|webp|gif|bmp|tiff)"),
    "video": re.compile(r"video/mp4"),
    "animation": re.compile(r"video/mp4|image/gif"),
    "audio": re.compile(r"audio/(mpeg|mp3|mp4|x-m4a|m4a|aac)"),
    "voice": re.compile(r"audio/(ogg|opus|mpeg|mp3|mp4|x-m4a)|application/ogg"),
    "document": re.compile(r"application/(pdf|zip|x-zip-compressed)|image/gif"),
    "sticker": re.compile(r"image/webp"),
}
FETCH_S = 20  # for a whole download by URL
_FILE_ID = re.compile(r"([A-Za-z0-9]{4})([A-Za-z0-9_-]{16})([A-Za-z0-9_-]{20})")


def private(path, flags):
    """Open a file for `open(…, opener=private)`; a new one is readable by its owner only."""
    return os.open(path, flags, 0o600)


def private_folder(path):
    """Create a folder and its missing parents, accessible to the owner only."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)


@dataclass
class Upload:
    """Incoming bytes, and what the sender said about them."""

    data: bytes
    name: str = ""
    mime: str = ""

    def shown(self):
        """Return what the list of calls shows of it."""
        return {"file": self.name, "size": len(self.data), "type": self.mime}


@dataclass
class File:
    """A file the server knows: sizes in bytes and pixels, duration in seconds."""

    unique_id: str
    kind: str
    size: int
    mime: str
    name: str
    path: str
    width: int = 0
    height: int = 0
    duration: int = 0

    @property
    def file_id(self):
        """Return a new file_id of this file: every send gives a different one."""
        return PREFIXES[self.kind] + self.unique_id + secrets.token_urlsafe(15)


def digest_of(kind, data):
    """Return the digest of a file's content and kind, with its measures; this takes a while for a large one."""
    digest = hashlib.sha256(kind.encode())
    digest.update(data)
    return digest.digest()


class Files:
    """All files, in memory or, if the state is kept, in `folder`."""

    def __init__(self, folder=None):
        self.folder = Path(folder) if folder else None
        self.known, self._paths, self._bytes, self._sizes = {}, {}, {}, {}

    def put(self, kind, data, mime, name, digest=None, **more):
        """Keep `data` and return its File; the same content of the same kind, by `digest_of`, is the same file."""
        unique_id = urlsafe_b64encode((digest or digest_of(kind, data))[:12]).decode()
        if unique_id not in self.known:
            path = f"{FOLDERS.get(kind, kind + 's')}/file_{len(self.known)}{Path(name).suffix or DEFAULTS[kind][1]}"
            self._keep(unique_id, data)
            self._add(File(unique_id, kind, len(data), mime, name, re.sub(r"[^\w./-]", "_", path), **more))
        return self.known[unique_id]

    def forget(self):
        """Forget all files and delete those in the folder."""
        if self.folder is not None:
            for unique_id in self.known:
                (self.folder / unique_id).unlink()
        self.known, self._paths, self._bytes, self._sizes = {}, {}, {}, {}

    def _keep(self, unique_id, data):
        if self.folder is None:
            self._bytes[unique_id] = data
            return
        private_folder(self.folder)
        partial = self.folder / f"{unique_id}.part"
        with open(partial, "wb", opener=private) as file:
            file.write(data)
        partial.replace(self.folder / unique_id)

    def _add(self, file):
        self.known[file.unique_id] = file
        self._paths[file.path] = file

    def read(self, file):
        """Return the bytes of a file."""
        return self._bytes[file.unique_id] if self.folder is None else (self.folder / file.unique_id).read_bytes()

    def by_path(self, path):
        """Return the file that getFile gave `path` for, or None."""
        return self._paths.get(path)

    def by_id(self, file_id, kind=None):
        """Return the file of a file_id; raise if it is invalid, or of another kind than asked for."""
        match = _FILE_ID.fullmatch(file_id)
        if not match or match[1] not in KINDS or match[2] not in self.known:
            raise bad("wrong file identifier/HTTP URL specified") if kind else bad("invalid file_id")
        if kind and KINDS[match[1]] != kind:
            raise bad("type of file mismatch")
        return self.known[match[2]]

    async def photo_sizes(self, data):
        """Return the Files of a photo's sizes, smallest first, after checking it as Telegram does."""
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self._sizes:
            sizes = await asyncio.to_thread(resize, data)  # a large picture takes a while; others can go on
            self._sizes[digest] = [self._put_size(*size) for size in sizes]
        return self._sizes[digest]

    def _put_size(self, data, width, height):
        return self.put("photo", data, "image/jpeg", "", width=width, height=height)

    def photo_of(self, file):
        """Return the Files of all sizes of the photo that `file` is one size of."""
        return next((sizes for sizes in self._sizes.values() if file in sizes), [file])

    def dump(self):
        """Return what the state file keeps; the bytes are in the folder already."""
        sizes = {digest: [file.unique_id for file in sizes] for digest, sizes in self._sizes.items()}
        return {"known": [asdict(file) for file in self.known.values()], "sizes": sizes}

    def load(self, saved):
        """Restore what `dump` returned."""
        for fields in saved["known"]:
            self._add(File(**fields))
        self._sizes = {digest: [self.known[one] for one in ids] for digest, ids in saved["sizes"].items()}


def resize(data):
    """Return `[(jpeg, width, height)]` of a picture's sizes, smallest first; raise for what Telegram refuses."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as picture:
            check_sides(*picture.size)
            picture = flatten(picture)
    except ApiError:
        raise
    except Exception:  # a broken picture may raise anything
        raise bad("IMAGE_PROCESS_FAILED") from None
    longer = max(picture.size)
    sides = sorted({*(side for side in SIDES if side < longer), min(longer, SIDES[-1])})
    return [_jpeg(picture, side / longer) for side in sides]


def flatten(picture):
    """Return a picture as RGB, on white where it was transparent."""
    from PIL import Image

    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        ground = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(ground, picture).convert("RGB")
    return picture.convert("RGB")


def _jpeg(picture, scale):
    size = tuple(max(1, round(side * scale)) for side in picture.size)
    out = io.BytesIO()
    (picture if size == picture.size else picture.resize(size)).save(out, "JPEG", quality=87)
    return out.getvalue(), *size


def check_sides(width, height):
    """Raise if a photo's sides are too long or too unequal for Telegram (pixels)."""
    if width + height > PHOTO_SIDES_MAX or max(width, height) > PHOTO_RATIO_MAX * min(width, height):
        raise bad("PHOTO_INVALID_DIMENSIONS")


def check_upload(kind, upload):
    """Raise if an upload is empty or too large for Telegram."""
    size, most = len(upload.data), PHOTO_UPLOAD_MAX if kind == "photo" else FILE_UPLOAD_MAX
    if not size:
        raise bad("file must be non-empty")
    if size > most:
        what = "a photo" if kind == "photo" else "a file"
        raise bad(f"file of size {size} bytes is too big for {what}; the maximum size is {most} bytes")


def guess_s(data):
    """Return the duration of WAV, MP4 and MOV data in whole seconds, 0 for anything else."""
    try:
        if data[:4] == b"RIFF":
            with wave.open(io.BytesIO(data)) as sound:
                return round(sound.getnframes() / sound.getframerate())
        if data[4:8] == b"ftyp":
            at = data.index(b"mvhd") + 4  # version 1 of this box has 64-bit times (ISO/IEC 14496-12, 8.2.2)
            scale, length = struct.unpack_from(*((">IQ", data, at + 20) if data[at] == 1 else (">II", data, at + 12)))
            return round(length / scale)
    except (wave.Error, EOFError, ValueError, IndexError, struct.error, ZeroDivisionError, RuntimeError):
        return 0  # RuntimeError: a WAV chunk that ends after the file does
    return 0


def sniff(data):
    """Return the MIME type by the first bytes, or ""."""
    for start, at, mime in SIGNATURES:
        if data[at : at + len(start)] == start:
            return mime
    return ""


SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"GIF8", 0, "image/gif"),
    (b"WEBP", 8, "image/webp"),
    (b"WAVE", 8, "audio/wav"),
    (b"ftypM4A", 4, "audio/mp4"),
    (b"ftyp", 4, "video/mp4"),
    (b"%PDF", 0, "application/pdf"),
    (b"PK\x03\x04", 0, "application/zip"),
    (b"OggS", 0, "audio/ogg"),
    (b"ID3", 0, "audio/mpeg"),
    (b"\xff\xfb", 0, "audio/mpeg"),
    (b"<!DOCTYPE", 0, "text/html"),
    (b"<html", 0, "text/html"),
)


async def fetch(url, kind):
    """Download what the bot sends by URL; return an Upload or raise with Telegram's text.

    At most 5 MB for a photo and 20 MB for the rest, and only the content types that Telegram accepts by URL.
    """
    if split_url(url).hostname is None:
        raise bad("wrong file identifier/HTTP URL specified")
    most = PHOTO_URL_MAX if kind == "photo" else FILE_URL_MAX
    try:
        timeout = aiohttp.ClientTimeout(total=FETCH_S)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as answer:
            if answer.status != 200:
                raise bad("failed to get HTTP URL content")
            data = bytearray()
            while len(data) <= most and (more := await answer.content.read(most + 1 - len(data))):
                data += more
    except (TimeoutError, aiohttp.ClientError, ValueError):
        raise bad("failed to get HTTP URL content") from None
    if len(data) > most:
        raise bad("failed to get HTTP URL content")
    return Upload(bytes(data), _name(url, answer), _content_type(answer, data, kind))


def _name(url, answer):
    disposition = answer.content_disposition
    given = disposition.filename if disposition else None
    return given or unquote(Path(urlsplit(url).path).name)


def _content_type(answer, data, kind):
    """Return the type of a fetched file; raise if Telegram would not accept it for this kind."""
    mime = answer.content_type
    if not data or not BY_URL[kind].fullmatch(mime) or sniff(data) == "text/html":
        raise bad("wrong type of the web page content")
    return mime
