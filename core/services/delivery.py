"""Delivery: bringing a finished result to the chat. It is apart from generation and from money, and retried alone.

By declared output kind and real content type: a picture goes as a photo by its address, else uploaded, else as a
document, else as a link; several go as an album. What Telegram stored is kept, so history sends it again by file id.
"""

import logging
import mimetypes
import tempfile
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from markupsafe import Markup, escape

from core.buttons import button
from core.sender import TelegramError
from core.transport import NotSent, UnknownOutcome
from kie.errors import Expired, KieError, TooLarge
from storage import jobs, ledger, users

log = logging.getLogger(__name__)
MAX_UPLOAD = 50 * 1024 * 1024  # Bot API: files a bot uploads
MAX_PHOTO = 10 * 1024 * 1024
MAX_TEXT = 3500
ALBUM = 10  # Bot API: 2–10 items
METHODS = {"image": ("photo", "sendPhoto"), "video": ("video", "sendVideo"), "audio": ("audio", "sendAudio")}
DOCUMENT = ("document", "sendDocument")
NO_WORDS = {"caption": None, "parse_mode": None, "reply_markup": None}


class Delivery:
    """Sends results that are due; with `threads=0` in the calling thread."""

    def __init__(self, bot, client, catalog, threads=4):
        self._bot = bot
        self._client = client
        self._catalog = catalog
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="delivery") if threads else None
        self._going = set()

    def step(self, now):
        """Start the deliveries that are due."""
        for job in jobs.to_deliver(now):
            if job.id in self._going:
                continue
            self._going.add(job.id)
            if self._pool is None:
                self._deliver(job, now)
            else:
                self._pool.submit(self._deliver, job, now)

    def close(self):
        """Start no other deliveries; one that is cut is made again after the next start."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _deliver(self, job, now):
        try:
            jobs.delivered(job.id, self._send_all(job))
        except TelegramError as error:
            self._refused(job, error, now)
        except (NotSent, UnknownOutcome, KieError) as error:
            log.warning("result of job %s goes out again: %s", job.id, error)
            self._later(job, now)
        except Exception:  # anything else must not lose the result: it stays due and is tried again
            log.exception("delivery of job %s failed", job.id)
            self._later(job, now)
        finally:
            self._going.discard(job.id)

    def _refused(self, job, error, now):
        if error.is_gone:
            users.mark_blocked(job.user.telegram_id, True)
            jobs.undeliverable(job.id)
        else:
            log.warning("Telegram refused the result of job %s: %s", job.id, error)
            self._later(job, now)

    def _later(self, job, now):
        if not jobs.postpone_delivery(job, now):
            jobs.undeliverable(job.id)
            self._bot.alert("job.alert_undeliverable", unique=f"undeliverable:{job.id}", job=job.id)

    def _send_all(self, job):
        """Send everything the job made and return what Telegram stored."""
        chat, lang = job.user.telegram_id, self._bot.lang_of(job.user)
        model = self._catalog.models.get(job.model)
        kind = model.output if model else "document"
        urls, text = job.result["urls"], job.result["text"]
        caption, markup = self._words(job, lang, model)
        if not urls:
            return [self._stored(self._send_text(chat, lang, text, caption, markup))]
        if len(urls) > 1 and kind in METHODS:
            albums = [urls[i : i + ALBUM] for i in range(0, len(urls), ALBUM)]
            sent = [part for album in albums for part in self._send_album(chat, kind, album)]
            return [*sent, self._stored(self._bot.send_html(chat, caption, reply_markup=markup))]
        sent = []
        for url in urls[:-1]:
            sent.append(self._send_one(chat, kind, url, None, None))
        sent.append(self._send_one(chat, kind, urls[-1], caption, markup))
        return sent

    def _words(self, job, lang, model):
        """Return the caption and the buttons under a result."""
        key = "job.caption_free" if job.state == "failed" else "job.caption"
        values = {"model": self._bot.generation.title(job), "price": job.charged or 0, "balance": ledger.balance(job.user_id)}
        rows = [[button("job.again", "orders:again", job.id), button("job.change", "orders:change", job.id)]]
        if model and model.output in METHODS:
            rows[0].append(button("job.original", "history:original", job.id))
        if model and model.output == "image":
            rows.append([button("job.use", "orders:use", job.id)])
        rows.append([button("common.menu", "start:fresh")])
        return Markup(self._bot.texts.html(lang, key, **values)), self._bot.markup(lang, rows)

    def _send_text(self, chat, lang, text, caption, markup):
        """Send a result in words, a long one as a file."""
        if len(text) <= MAX_TEXT:
            shown = self._bot.texts.html(lang, "job.text_result", text=text, caption=caption)
            return self._bot.send_html(chat, shown, reply_markup=markup)
        extra = {"caption": caption, "parse_mode": "HTML", "reply_markup": markup}
        files = {"document": ("result.txt", text.encode(), "text/plain")}
        return self._bot.sender.call("sendDocument", files=files, chat_id=str(chat), timeout_s=60, **extra)

    def _send_album(self, chat, kind, urls):
        """Send up to ten results as one album by their addresses, or one by one where Telegram does not take them."""
        if len(urls) > 1:
            media = [{"type": METHODS[kind][0], "media": url} for url in urls]
            try:
                messages = self._bot.sender.call("sendMediaGroup", chat_id=chat, media=media, timeout_s=120)
                return [self._stored(message) for message in messages]
            except TelegramError as error:
                if error.code != 400:
                    raise
                log.info("an album was refused: %s", error.description)
        return [self._send_one(chat, kind, url, None, None) for url in urls]

    def _send_one(self, chat, kind, url, caption, markup):
        """Send one result: by address, else uploaded, else as a document, else as a link."""
        extra = {"caption": caption, "parse_mode": "HTML" if caption else None, "reply_markup": markup}
        field, method = METHODS.get(kind, DOCUMENT)
        if kind in METHODS:
            try:
                return self._stored(self._bot.sender.call(method, chat_id=chat, timeout_s=90, **{field: url}, **extra))
            except TelegramError as error:
                if error.code != 400:
                    raise
                log.info("%s by address was refused (%s); uploading", method, error.description)
        return self._stored(self._upload(chat, kind, url, extra))

    def _upload(self, chat, kind, url, extra):
        try:
            with tempfile.TemporaryFile() as copy:
                mime = self._fetch(url, copy)
                return self._upload_file(chat, kind, url, mime, copy, extra)
        except (TooLarge, Expired) as error:
            log.info("sending the address of a result: %s", error)
            return self._send_link(chat, url, extra)

    def _fetch(self, url, copy):
        with self._client.fetch(url, MAX_UPLOAD) as download:
            for chunk in download.iter_bytes:
                copy.write(chunk)
            return download.content_type

    def _upload_file(self, chat, kind, url, mime, copy, extra):
        """Upload a fetched result in the first form Telegram accepts, by what it really is."""
        if mime == "text/html":
            raise KieError("a page came in place of the result")
        size = copy.tell()
        name = urlsplit(url).path.rsplit("/", 1)[-1] or "result"
        if "." not in name:
            name += mimetypes.guess_extension(mime) or ""
        fits = mime.startswith(kind) and not (kind == "image" and size > MAX_PHOTO)
        forms = [METHODS[kind], DOCUMENT] if kind in METHODS and fits else [DOCUMENT]
        for field, method in forms:
            copy.seek(0)
            try:
                return self._bot.sender.call(
                    method, files={field: (name, copy, mime)}, chat_id=str(chat), timeout_s=180, **extra
                )
            except TelegramError as error:
                if error.code != 400:
                    raise
                log.info("%s was refused: %s", method, error.description)
        return self._send_link(chat, url, extra)

    def send_originals(self, job, chat):
        """Send a result's files as documents, in original quality, or as links when they are too large.

        Return what stands in the way: "gone" when KIE has them no more, "later" when it can't be reached, else None.
        """
        for url in job.result["urls"]:
            try:
                with tempfile.TemporaryFile() as copy:
                    mime = self._fetch(url, copy)
                    self._upload_file(chat, "document", url, mime, copy, NO_WORDS)
            except TooLarge:
                self._send_link(chat, url, NO_WORDS)
            except KieError as error:
                log.info("an original cannot be sent: %s", error)
                return "gone" if isinstance(error, Expired) else "later"
        return None

    def _send_link(self, chat, url, extra):
        text = f'{extra["caption"] or ""}\n{escape(url)}'.strip()
        return self._bot.send_html(chat, text, reply_markup=extra["reply_markup"])

    @staticmethod
    def _stored(message):
        """Return what to keep of a sent message: its id, and the file Telegram stored."""
        for kind in ("video", "audio", "document", "animation", "voice"):
            if kind in message:
                return {"kind": kind, "file_id": message[kind]["file_id"], "message_id": message["message_id"]}
        if "photo" in message:
            return {"kind": "photo", "file_id": message["photo"][-1]["file_id"], "message_id": message["message_id"]}
        return {"kind": "text", "message_id": message["message_id"]}
