"""Delivery: sending a finished result to the chat, independently of generation and money, and retried on its own.

It depends on the declared output kind and the real content type: a picture is sent as a photo by its address, else
uploaded, else as a document, else as a link; several form an album. What Telegram stored is kept, so that the history
can send it again by file id.
"""

import logging
import mimetypes
import tempfile
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

from markupsafe import Markup, escape

from core.buttons import FRESH, button
from core.services import markdown
from core.telegram.mentions import answer_to
from core.telegram.sender import TelegramError
from core.telegram.transport import NotSent, UnknownOutcome
from kie.api.errors import Expired, KieError, TooLarge
from storage.base.db import StorageDown
from storage.money import ledger
from storage.orders import jobs, result_messages
from storage.people import users

log = logging.getLogger(__name__)
MAX_UPLOAD = 50 * 1024 * 1024  # Bot API: files a bot uploads
MAX_PHOTO = 10 * 1024 * 1024
MAX_TEXT = 3500
PAGE, MOST_PAGES = 3700, 5  # UTF-16 units of an answer in a message, its foot apart; longer ones also come as a file
ALBUM = 10  # Bot API: 2–10 items
METHODS = {"image": ("photo", "sendPhoto"), "video": ("video", "sendVideo"), "audio": ("audio", "sendAudio")}
DOCUMENT = ("document", "sendDocument")
UPLOADING = {  # Bot API, sendChatAction: there is no action of its own for music
    "photo": "upload_photo", "video": "upload_video", "audio": "upload_voice", "document": "upload_document",
}  # fmt: skip
SLOW_UPLOAD = 1024 * 1024  # bytes from which on a person is shown that a file is on its way
BARRED = ("not enough rights", "_forbidden", "thread not found", "topic_closed")  # Telegram's words, in lower case
NO_WORDS = {"caption": None, "parse_mode": None, "reply_markup": None}
FACTS = {"seconds": "duration", "width": "width", "height": "height", "size": "file_size", "mime": "mime_type"}
KEPT_SIDE = 1280  # pixels; photos with a longer side come back smaller than they were sent
LINK_LIFE = timedelta(days=1)  # the shorter of KIE's two figures (docs.kie.ai: "typically 24 hours", elsewhere 14 days)


class Address(NamedTuple):
    """Where a result goes, in whose language, and whose result it is; in a group also what it answers there."""

    chat: int
    lang: str
    job: object
    where: dict = {}


class Delivery:
    """Sends results that are due; with `threads=0` in the calling thread."""

    def __init__(self, bot, client, threads=4):
        self._bot = bot
        self._client = client
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="delivery") if threads else None
        self._going = {}  # job id → its delivery
        self._unnoted = {}  # job id → what Telegram has accepted but no row says yet: must not be sent again

    def step(self, now):
        """Start the deliveries that are due."""
        going = set(self._going)  # read first: a delivery that ends meanwhile is still due in what is read below
        for job in jobs.to_deliver(now):
            if job.id in going:
                continue
            if self._pool is None:
                self._deliver(job, now)
            else:
                delivery = self._going[job.id] = self._pool.submit(self._deliver, job, now)
                delivery.add_done_callback(lambda _done, job_id=job.id: self._going.pop(job_id, None))

    def close(self, wait_s):
        """Start no more deliveries, and give those under way `wait_s` seconds; an interrupted one is made again."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            wait(list(self._going.values()), wait_s)

    def _deliver(self, job, now):
        if job.user.telegram_id is None:  # erased meanwhile
            jobs.undeliverable(job.id)
            return
        try:
            if job.id not in self._unnoted:
                self._unnoted[job.id] = self._send_all(job)
            jobs.delivered(job.id, self._unnoted[job.id], now, job)
            del self._unnoted[job.id]
        except StorageDown as error:  # nobody's fault: the result stays due, and no try is counted
            log.warning("the delivery of job %s could not be noted: %s", job.id, error)
        except TelegramError as error:
            self._refused(job, error, now)
        except (NotSent, UnknownOutcome, KieError) as error:
            log.warning("result of job %s goes out again: %s", job.id, error)
            self._later(job, now)
        except Exception:  # anything else must not lose the result: it stays due and is tried again
            log.exception("delivery of job %s failed", job.id)
            self._later(job, now)

    def _refused(self, job, error, now):
        if job.chat_id and error.migrate_to:
            jobs.move_chat(job.chat_id, error.migrate_to)
        elif job.chat_id and not error.is_server:
            log.info("the result of job %s goes to the private chat: %s", job.id, error)
            if jobs.to_private(job.id, now) and job.progress_id:
                self._bot.delete_quietly(job.chat_id, job.progress_id)
        elif error.is_gone:
            users.mark_blocked([job.user_id], True, now)
            jobs.undeliverable(job.id)
        else:
            log.warning("Telegram refused the result of job %s: %s", job.id, error)
            self._later(job, now)

    def _later(self, job, now):
        if not jobs.postpone_delivery(job, now):
            jobs.undeliverable(job.id)
            self._bot.alert("job.alert_undeliverable", cause="undeliverable", job=job.id)

    def _send_all(self, job):
        """Send everything the job made and return what Telegram stored, in the order of its results."""
        to = Address(job.chat_id or job.user.telegram_id, self._bot.lang_of(job.user), job, _in_group(job))
        model = self._bot.generation.model(job)
        kind = model.output if model else "document"
        urls, text = job.result["urls"], job.result["text"]
        caption, markup = self._words(to)
        if job.topic is not None:
            return [sent_file(self._send_answer(to.chat, text, caption, markup))]
        if not urls:
            return [sent_file(self._send_text(to, text, caption, markup))]
        if len(urls) > 1 and kind in METHODS:
            places = range(len(urls))
            albums = [places[i : i + ALBUM] for i in range(0, len(urls), ALBUM)]
            sent = [part for album in albums for part in self._send_album(to, kind, album)]
            return [*sent, sent_file(self._bot.send_html(to.chat, caption, reply_markup=markup, **to.where))]
        words = {"caption": caption, "parse_mode": "HTML", "reply_markup": markup}
        sent = [self._send_one(to, kind, place, NO_WORDS) for place in range(len(urls) - 1)]
        return [*sent, self._send_one(to, kind, len(urls) - 1, words)]

    def _words(self, to):
        """Return the caption and the buttons under a result."""
        job = to.job
        if job.chat_id:
            return self._public_words(to), None
        key = "job.caption_free" if job.state == "failed" else "job.caption" if job.topic is None else "talk.foot"
        balance = ledger.balance(job.user_id)
        values = {"model": self._bot.generation.title(job), "price": job.charged or 0, "balance": balance}
        if job.topic is not None:
            values["spent"] = self._bot.generation.talk.spent(job)
        rows = [*self._bot.result_rows(job), button("common.menu", FRESH)]
        return self._caption(to, key, values), self._bot.markup(to.lang, rows)

    def _public_words(self, to):
        """Return the caption for a group: the price, and nothing of the person's money."""
        job = to.job
        key = (
            "job.caption_free" if job.state == "failed" else "job.caption_group" if job.charged else "job.caption_gift"
        )
        return self._caption(to, key, {"model": self._bot.generation.title(job), "price": job.charged or 0}, True)

    def _caption(self, to, key, values, public=False):
        """Return a caption, its first line and those of plugins: the `public` ones, or all of them."""
        more = (line(self._bot, to.job) for groups, line in self._bot.result_lines if groups or not public)
        lines = [(key, values), *filter(None, more)]
        return Markup("\n".join(self._bot.texts.html(to.lang, name, **said) for name, said in lines))

    def _send_text(self, to, text, caption, markup):
        """Send a text result, a long one as a file."""
        if len(text) <= MAX_TEXT:
            shown = self._bot.texts.html(to.lang, "job.text_result", text=text, caption=caption)
            return self._bot.send_html(to.chat, shown, reply_markup=markup, **to.where)
        extra = {"caption": caption, "parse_mode": "HTML", "reply_markup": markup} | to.where
        files = {"document": ("result.txt", text.encode(), "text/plain")}
        return self._bot.sender.call("sendDocument", files=files, chat_id=str(to.chat), timeout_s=60, **extra)

    def _send_answer(self, chat, text, foot, markup):
        """Send a chat model's answer in pages; a very long one as its beginning and a file."""
        pages = markdown.pages(text, PAGE)
        if len(pages) > MOST_PAGES:
            self._send_page(chat, pages[0])
            files = {"document": ("answer.txt", text.encode(), "text/plain")}
            extra = {"caption": foot, "parse_mode": "HTML", "reply_markup": markup}
            return self._bot.sender.call("sendDocument", files=files, chat_id=str(chat), timeout_s=60, **extra)
        for page in pages[:-1]:
            self._send_page(chat, page)
        return self._send_page(chat, pages[-1], foot, reply_markup=markup)

    def _send_page(self, chat, page, foot="", **more):
        below = Markup("\n\n") + foot if foot else Markup("")
        params = {"chat_id": chat, "link_preview_options": {"is_disabled": True}, "parse_mode": "HTML", **more}
        try:
            return self._bot.sender.call("sendMessage", text=markdown.html(page) + below, **params)
        except TelegramError as error:
            if error.code != 400:
                raise
            log.error("the markup of an answer was refused, sent plainly: %s", error)
            return self._bot.sender.call("sendMessage", text=escape(page) + below, **params)

    def _send_album(self, to, kind, places):
        """Send up to ten results as one album by their addresses, or one by one if Telegram refuses that."""
        if len(places) > 1:
            urls = to.job.result["urls"]
            media = [
                {"type": METHODS[kind][0], "media": urls[place], **_names(to.job, kind, place)} for place in places
            ]
            try:
                album = {"media": media, "timeout_s": 120} | to.where
                messages = self._bot.sender.call("sendMediaGroup", chat_id=to.chat, **album)
                return [sent_file(message) for message in messages]
            except TelegramError as error:
                if error.code != 400 or _is_barred(error):
                    raise
                log.info("an album was refused: %s", error.description)
        return [self._send_one(to, kind, place, NO_WORDS) for place in places]

    def _send_one(self, to, kind, place, words):
        """Send one result: by address, else uploaded, else as a document, else as a link."""
        url, extra = to.job.result["urls"][place], words | _names(to.job, kind, place) | to.where
        field, method = METHODS.get(kind, DOCUMENT)
        if kind in METHODS:
            try:
                return sent_file(self._bot.sender.call(method, chat_id=to.chat, timeout_s=90, **{field: url}, **extra))
            except TelegramError as error:
                if error.code != 400 or _is_barred(error):
                    raise
                log.info("%s by address was refused (%s); uploading", method, error.description)
        return self._upload(to, kind, url, extra)

    def _upload(self, to, kind, url, extra):
        try:
            with tempfile.TemporaryFile() as copy:
                mime = self._fetch(url, copy)
                return self._upload_file(to, kind, url, mime, copy, extra)
        except (TooLarge, Expired) as error:
            log.info("sending the address of a result: %s", error)
            return self._send_link(to, url, extra)

    def _fetch(self, url, copy):
        with self._client.fetch(url, MAX_UPLOAD) as download:
            for chunk in download.iter_bytes:
                copy.write(chunk)
            return download.content_type

    def _upload_file(self, to, kind, url, mime, copy, extra):
        """Upload a fetched result in the first form that Telegram accepts, by its real type."""
        if mime == "text/html":
            raise KieError("a page came in place of the result")
        size = copy.tell()
        name = urlsplit(url).path.rsplit("/", 1)[-1] or "result"
        if "." not in name:
            name += mimetypes.guess_extension(mime) or ""
        fits = mime.startswith(kind) and not (kind == "image" and size > MAX_PHOTO)
        forms = [METHODS[kind], DOCUMENT] if kind in METHODS and fits else [DOCUMENT]
        if size > SLOW_UPLOAD:
            self._bot.call_quietly("sendChatAction", chat_id=to.chat, action=UPLOADING[forms[0][0]])
        for field, method in forms:
            copy.seek(0)
            try:
                files = {field: (name, copy, mime)}
                return sent_file(
                    self._bot.sender.call(method, files=files, chat_id=str(to.chat), timeout_s=180, **extra)
                )
            except TelegramError as error:
                if error.code != 400 or _is_barred(error):
                    raise
                log.info("%s was refused: %s", method, error.description)
        return self._send_link(to, url, extra)

    def send_originals(self, job, chat, lang):
        """Send a result's files as documents in original quality, or as links if they are too large.

        Return what went wrong: "gone" if KIE no longer has them, "later" if it cannot be reached, else None.
        """
        to = Address(chat, lang, job)
        for place, url in enumerate(job.result["urls"]):
            try:
                sent = self._send_original(to, url)
            except KieError as error:
                log.info("an original cannot be sent: %s", error)
                return "gone" if isinstance(error, Expired) else "later"
            result_messages.note(job.user_id, job.id, chat, {sent["message_id"]: place})
        return None

    def _send_original(self, to, url):
        try:
            with tempfile.TemporaryFile() as copy:
                mime = self._fetch(url, copy)
                return self._upload_file(to, "document", url, mime, copy, NO_WORDS)
        except TooLarge:
            return self._send_link(to, url, NO_WORDS)

    def _send_link(self, to, url, extra):
        """Send the address of what Telegram does not accept, with the time until which it works at least."""
        until = to.job.finished_at + LINK_LIFE
        text = self._bot.texts.html(to.lang, "job.link", caption=extra["caption"] or "", url=url, until=until)
        sent = self._bot.send_html(to.chat, text, reply_markup=extra["reply_markup"], **to.where)
        return sent_file(sent) | {"url": url}


def _is_barred(error):
    """Return whether the chat does not let the bot send this, so that another form of it would not arrive either."""
    return any(words in error.description.lower() for words in BARRED)


def _in_group(job):
    """Return what makes a result the answer to the message that asked for it in a group; nothing in private."""
    where = {"message_thread_id": job.thread_id} if job.thread_id else {}
    return where | ({"reply_parameters": answer_to(job.reply_to)} if job.reply_to else {})


def _names(job, kind, place):
    """Return the title of a track, for Telegram's player."""
    tracks = job.result.get("tracks", [])
    title = tracks[place]["title"] if kind == "audio" and place < len(tracks) else None
    return {"title": title} if title else {}


def sent_file(message):
    """Return what to keep of a sent message: its id, the file Telegram stored, and what is known about it.

    Telegram shrinks photos, so the size of one that may have been shrunk is unknown (KEPT_SIDE).
    """
    for kind in ("video", "audio", "animation", "document", "voice"):  # an animation's message has a document, too
        if kind in message:
            file = message[kind]
            facts = {ours: file.get(theirs) for ours, theirs in FACTS.items() if file.get(theirs)}
            return {"kind": kind, "file_id": file["file_id"], "message_id": message["message_id"], **facts}
    if "photo" in message:
        photo = message["photo"][-1]
        sides = (
            {side: photo[side] for side in ("width", "height")}
            if max(photo["width"], photo["height"]) < KEPT_SIDE
            else {}
        )
        return {"kind": "photo", "file_id": photo["file_id"], "message_id": message["message_id"], **sides}
    return {"kind": "text", "message_id": message["message_id"]}
