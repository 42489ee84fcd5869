"""Files on the local Bot API server: uploads, URLs, file_ids, albums, downloads, and their limits."""

import io
import json
import threading
import wave
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from PIL import Image

from demo.kit import BotCallFailed, RawBot, Telegram
from demo.server import start


@pytest.fixture
def server():
    server = start()
    yield server
    server.stop()


@pytest.fixture
def bot(server):
    return RawBot(server.url, server.token)


@pytest.fixture
def alice(server):
    return Telegram(server.url).person("Alice")


def picture(width=400, height=300, kind="PNG"):
    """Return a picture as bytes."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(out, kind)
    return out.getvalue()


def refused(bot, method, files=None, **params):
    """Return the description of a refused call."""
    with pytest.raises(BotCallFailed) as failure:
        bot(method, files=files, **params)
    return failure.value.description


class Host(BaseHTTPRequestHandler):
    """A host of files by path: `{path: (status, content type, bytes)}`."""

    def do_GET(self):
        status, kind, data = self.server.files.get(self.path, (404, "text/html", b"nothing"))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        try:
            self.wfile.write(data)
        except ConnectionError:
            pass  # the reader stops at its limit

    def log_message(self, *args):
        """Stay silent."""


@pytest.fixture
def host():
    host = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    host.files, host.url = {}, f"http://127.0.0.1:{host.server_port}"
    threading.Thread(target=host.serve_forever, args=(0.01,), daemon=True).start()
    yield host
    host.shutdown()
    host.server_close()


def test_a_photo_comes_in_several_sizes_and_keeps_its_unique_id(bot, alice):
    alice.photo(picture(2000, 1000), "a cat")
    alice.photo(picture(2000, 1000))
    first, second = (update["message"] for update in bot.updates())
    assert first["caption"] == "a cat"
    assert [(size["width"], size["height"]) for size in first["photo"]] == [
        (90, 45),
        (320, 160),
        (800, 400),
        (1280, 640),
    ]
    for one, other in zip(first["photo"], second["photo"], strict=True):
        assert one["file_unique_id"] == other["file_unique_id"]
        assert one["file_id"] != other["file_id"]


def test_a_small_photo_keeps_its_size(bot, alice):
    alice.photo(picture(50, 40))
    assert [size["width"] for size in bot.updates()[0]["message"]["photo"]] == [50]


def test_a_file_is_downloaded_by_its_path(server, bot, alice):
    alice.document(b"12345", name="notes ё.txt", caption="here")
    message = bot.updates()[0]["message"]
    assert (message["document"]["file_name"], message["document"]["mime_type"]) == ("notes ё.txt", "text/plain")
    file = bot("getFile", file_id=message["document"]["file_id"])
    url = f"{server.url}/file/bot{server.token}/{file['file_path']}"
    assert requests.get(url).content == b"12345"
    assert requests.get(url.replace(server.token, "2:X")).status_code == 401
    assert requests.get(f"{server.url}/file/bot{server.token}/documents/none").status_code == 404
    assert refused(bot, "getFile", file_id="nonsense") == "Bad Request: invalid file_id"


def test_a_large_file_cannot_be_downloaded(bot, alice):
    alice.document(b"x" * 20_000_001)
    file_id = bot.updates()[0]["message"]["document"]["file_id"]
    assert refused(bot, "getFile", file_id=file_id) == "Bad Request: file is too big"


def test_uploads_have_limits(bot, alice):
    fields = {"chat_id": alice.id}
    assert bot("sendDocument", files={"document": ("a.pdf", b"%PDF-" + b"x" * 15_000_000)}, **fields)["document"]
    too_big = refused(bot, "sendDocument", files={"document": ("a.bin", b"x" * 50_000_001)}, **fields)
    assert "is too big for a file; the maximum size is 50000000 bytes" in too_big
    photo = refused(bot, "sendPhoto", files={"photo": ("a.jpg", picture() + b"x" * 10_000_000)}, **fields)
    assert "is too big for a photo; the maximum size is 10000000 bytes" in photo
    assert (
        refused(bot, "sendDocument", files={"document": ("a", b"")}, **fields) == "Bad Request: file must be non-empty"
    )
    assert refused(bot, "sendPhoto", **fields) == "Bad Request: there is no photo in the request"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"this is no picture", "IMAGE_PROCESS_FAILED"),
        (picture()[:200], "IMAGE_PROCESS_FAILED"),
        (picture(2100, 100), "PHOTO_INVALID_DIMENSIONS"),
        (picture(9000, 1001), "PHOTO_INVALID_DIMENSIONS"),
    ],
    ids=["text", "cut", "too long", "too large"],
)
def test_a_photo_must_be_a_picture_of_allowed_size(bot, alice, data, why):
    assert refused(bot, "sendPhoto", files={"photo": ("a.png", data)}, chat_id=alice.id) == f"Bad Request: {why}"


def test_a_file_id_is_sent_again_as_the_same_kind_only(bot, alice):
    sent = bot("sendPhoto", files={"photo": ("a.png", picture())}, chat_id=alice.id)
    again = bot("sendPhoto", photo=sent["photo"][-1]["file_id"], chat_id=alice.id)
    assert [one["file_unique_id"] for one in again["photo"]] == [one["file_unique_id"] for one in sent["photo"]]
    wrong = refused(bot, "sendDocument", document=sent["photo"][-1]["file_id"], chat_id=alice.id)
    assert wrong == "Bad Request: type of file mismatch"
    unknown = refused(bot, "sendPhoto", photo="AgACnonsense", chat_id=alice.id)
    assert unknown == "Bad Request: wrong file identifier/HTTP URL specified"


def test_files_by_url_are_really_fetched(host, bot, alice):
    host.files = {"/a.png": (200, "image/png", picture()), "/v": (200, "video/mp4", b"\0\0\0\x18ftypmp42")}
    assert bot("sendPhoto", photo=f"{host.url}/a.png", chat_id=alice.id)["photo"][-1]["width"] == 400
    video = bot("sendVideo", video=f"{host.url}/v", chat_id=alice.id, duration="5", width=640, height=360)["video"]
    assert (video["duration"], video["width"], video["mime_type"]) == (5, 640, "video/mp4")


@pytest.mark.parametrize(
    ("method", "answer", "why"),
    [
        ("sendPhoto", (404, "image/png", b""), "failed to get HTTP URL content"),
        ("sendPhoto", (200, "text/html", b"<html>not here"), "wrong type of the web page content"),
        ("sendPhoto", (200, "image/png", b"<html>not here"), "wrong type of the web page content"),
        ("sendPhoto", (200, "image/png", b"x" * 5_000_001), "failed to get HTTP URL content"),
        ("sendVideo", (200, "video/webm", b"x"), "wrong type of the web page content"),
        ("sendVideo", (200, "video/mp4", b"x" * 20_000_001), "failed to get HTTP URL content"),
        ("sendDocument", (200, "text/plain", b"x"), "wrong type of the web page content"),
    ],
)
def test_what_a_url_must_not_answer(host, bot, alice, method, answer, why):
    host.files["/file"] = answer
    kind = method.removeprefix("send").lower()
    assert refused(bot, method, chat_id=alice.id, **{kind: f"{host.url}/file"}) == f"Bad Request: {why}"


def test_a_url_to_nowhere_fails(bot, alice):
    why = refused(bot, "sendPhoto", photo="http://127.0.0.1:9/none.png", chat_id=alice.id)
    assert why == "Bad Request: failed to get HTTP URL content"


def test_albums(bot, alice):
    media = [{"type": "photo", "media": "attach://one", "caption": "<b>x</b>", "parse_mode": "HTML"}]
    media.append({"type": "photo", "media": "attach://two"})
    files = {"one": ("1.png", picture()), "two": ("2.png", picture(90, 90))}
    sent = bot("sendMediaGroup", files=files, chat_id=alice.id, media=json.dumps(media))
    assert len({message["media_group_id"] for message in sent}) == 1
    assert (sent[0]["caption"], sent[0]["caption_entities"][0]["type"]) == ("x", "bold")
    alice.album([picture(), picture(50, 50)], "mine")
    got = [update["message"] for update in bot.updates()]
    assert got[0]["media_group_id"] == got[1]["media_group_id"]
    assert [message.get("caption") for message in got] == ["mine", None]


@pytest.mark.parametrize(
    ("kinds", "why"),
    [
        (["photo"], "too few messages"),
        (["photo"] * 11, "too many messages"),
        (["photo", "document"], "document can't be mixed with other media types"),
        (["photo", "voice"], "can't be used in an album"),
    ],
)
def test_albums_have_rules(bot, alice, kinds, why):
    media = [{"type": kind, "media": "x"} for kind in kinds]
    assert why in refused(bot, "sendMediaGroup", chat_id=alice.id, media=media)
    assert alice.messages == []


def test_the_caption_and_the_file_of_a_message_are_edited(bot, alice):
    sent = bot("sendPhoto", files={"photo": ("a.png", picture())}, chat_id=alice.id, caption="one")
    here = {"chat_id": alice.id, "message_id": sent["message_id"]}
    assert bot("editMessageCaption", caption="two", **here)["caption"] == "two"
    assert "not modified" in refused(bot, "editMessageCaption", caption="two", **here)
    assert "there is no text" in refused(bot, "editMessageText", text="x", **here)
    assert "caption is too long" in refused(bot, "editMessageCaption", caption="x" * 1025, **here)
    video = bot("sendVideo", files={"video": ("v.mp4", b"\0\0\0\x18ftypmp42")}, chat_id=alice.id)["video"]["file_id"]
    edited = bot("editMessageMedia", media={"type": "video", "media": video, "caption": "three"}, **here)
    assert ("photo" in edited, "video" in edited, edited["caption"]) == (False, True, "three")


def test_sound_has_a_duration(bot, alice):
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setparams((1, 1, 8000, 0, "NONE", "not compressed"))
        sound.writeframes(bytes(8000 * 3))
    alice.audio(out.getvalue())
    alice.voice(b"OggS....", duration=7)
    audio, voice = (update["message"] for update in bot.updates())
    assert (audio["audio"]["duration"], audio["audio"]["mime_type"]) == (3, "audio/wav")
    assert (voice["voice"]["duration"], voice["voice"]["mime_type"]) == (7, "audio/ogg")
    alice.audio(out.getvalue()[:12] + b"LIST\xff\xff\xff\x7f")  # a part that ends behind the file
    assert bot.updates()[-1]["message"]["audio"]["duration"] == 0


def test_every_kind_of_file_goes_both_ways(bot, alice):
    for kind in ("video", "audio", "voice", "animation", "sticker", "document"):
        alice.send_file(kind, b"some bytes of a file")
        message = bot.updates()[0]["message"]
        sent = bot(f"send{kind.title()}", chat_id=alice.id, **{kind: message[kind]["file_id"]})
        assert sent[kind]["file_unique_id"] == message[kind]["file_unique_id"]
    assert alice.last_message["document"]["_url"].startswith("/demo/files/")


def test_the_page_reads_files_and_parts_of_them_but_never_as_a_page(server, alice):
    sent = alice.document(b"<html>0123456789", name="evil.html")
    url = server.url + sent["document"]["_url"]
    whole = requests.get(url)
    assert whole.content == b"<html>0123456789"
    assert "sandbox" in whole.headers["Content-Security-Policy"]
    part = requests.get(url, headers={"Range": "bytes=6-8"})
    assert (part.status_code, part.content, part.headers["Content-Range"]) == (206, b"012", "bytes 6-8/16")
