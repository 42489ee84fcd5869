"""Sends the messages in the outbox that are due, and runs the listeners of events.

A bad message does not hold up the others: one that cannot be sent as it is is set aside with an alert, and one whose
chat does not accept it now waits.
"""

import logging
import traceback
from datetime import timedelta

from core import buttons as keyboards
from core.handling import rights
from core.log import hide
from core.telegram.sender import TelegramError
from core.telegram.transport import NotSent, UnknownOutcome
from core.texts import Lang, untagged
from storage.base.db import StorageDown
from storage.journal import event_kinds, events, outbox
from storage.people import users

log = logging.getLogger(__name__)
SEND_MEDIA = {"photo": "sendPhoto", "document": "sendDocument", "video": "sendVideo", "audio": "sendAudio"}
MAX_CAPTION = 1024  # Bot API: UTF-16 units after entity parsing
LISTENER_TRIES = 3  # after this many failures the admins are alerted; the retries go on


class OutboxWorker:
    """Sends the messages that are due."""

    def __init__(self, bot):
        self._bot = bot
        self._unnoted = {}  # row id → what Telegram has accepted but no row says yet: must not be sent again

    def step(self, now):
        """Send the messages that are due; return whether more may be waiting."""
        rows = outbox.due(now)
        for row in rows:
            if row.id not in self._unnoted and self._is_away(row):
                log.info("message %s waits: the plugin of %s is away", row.id, row.text)
                outbox.put_apart(row)
            else:
                self._bring(row, now)
        return bool(rows)

    def _is_away(self, row):
        """Return whether the plugin that queued a message is gone or switched off."""
        plugin = self._bot.texts.plugin_of(row.text)
        if plugin is None:
            return not self._bot.texts.has_any(row.text.partition(".")[0])
        return plugin in self._bot.switched_off

    def _bring(self, row, now):
        if row.id not in self._unnoted:
            try:
                taken = self._send(row, now)
            except StorageDown:
                raise
            except Exception:  # a missing text or value, an unknown kind …
                log.exception("message %s (%s) cannot be sent as it is", row.id, row.text)
                self._set_aside(row, traceback.format_exc(), now)
                return
            if taken is None:
                return
            self._unnoted[row.id] = taken
        message_id, as_text = self._unnoted[row.id]
        outbox.sent(row, message_id, now, as_text)
        del self._unnoted[row.id]

    def _send(self, row, now):
        """Send a message; return (message id, whether its text was sent apart), or None if it was put off or closed."""
        user = None if row.user_id is None else users.get(row.user_id)
        chat_id = row.chat_id or user.telegram_id
        if chat_id is None:
            outbox.dropped(row, now)
        elif left_s := self._bot.sender.held_s(chat_id):
            outbox.held(row, now + timedelta(seconds=left_s))
        else:
            try:
                return self._say(row, user, chat_id)
            except TelegramError as error:
                self._refused(row, user, error, now)
            except (NotSent, UnknownOutcome) as error:
                log.warning("message %s goes out again: %s", row.id, error)
                outbox.postponed(row, now)
        return None

    def _say(self, row, user, chat_id):
        lang = Lang(self._bot.texts.default, self._bot.texts.zone) if user is None else self._bot.lang_of(user)
        text = self._bot.texts.html(lang, row.text, **row.values)
        markup = self._bot.markup(lang, keyboards.from_plain(row.buttons), None if row.chat_id else user)
        if row.media is not None and self._fits(text):
            words = {"caption": text, "parse_mode": "HTML", "reply_markup": markup}
            if (sent := self._show(row, chat_id, words)) is not None:
                return sent["message_id"], False
        elif row.media is not None:
            self._show(row, chat_id, {})
        sent = self._bot.send_html(chat_id, text, wait=False, reply_markup=markup)
        return sent["message_id"], row.media is not None

    @staticmethod
    def _fits(text):
        return len(untagged(text).encode("utf-16-le")) <= 2 * MAX_CAPTION

    def _show(self, row, chat_id, words):
        """Send a message's picture or file; return None if Telegram refuses it: the text then goes without it."""
        kind = row.media["kind"]
        params = {kind: row.media["file_id"], **words}
        try:
            return self._bot.sender.call(SEND_MEDIA[kind], chat_id=chat_id, wait=False, **params)
        except TelegramError as error:
            if error.code != 400 or error.is_gone or error.migrate_to:
                raise
            log.error("the file of message %s was refused: %s", row.id, error)
            return None

    def _refused(self, row, user, error, now):
        if error.retry_after is not None:
            self._bot.sender.hold(row.chat_id or user.telegram_id, error.retry_after)
            outbox.held(row, now + timedelta(seconds=error.retry_after))
        elif user is None and not error.is_server:
            log.error("the chat %s did not take post %s: %s", row.chat_id, row.id, error)
            outbox.set_aside(row, now)
            self._bot.alert(
                "common.alert_post", cause=f"post:{row.chat_id}", chat=row.chat_id, reason=error.description
            )
        elif row.chat_id and (error.is_gone or error.migrate_to):
            rights.move_group(self._bot, row.chat_id, error.migrate_to)
        elif error.is_gone:
            users.mark_blocked([user.id], True, now)
            outbox.dropped(row, now)
            if row.ref is not None:
                cause = f"unreached:{user.id}"
                self._bot.alert("common.alert_unreached", cause=cause, name=user.first_name, id=user.telegram_id)
        elif row.chat_id and error.code == 400:
            log.error("the group did not take message %s: %s", row.id, error)
            outbox.to_person(row)
            self._bot.alert("common.alert_refused", cause="group refuses", reason=error.description)
        elif error.code == 400:
            log.error("message %s (%s) was refused: %s", row.id, row.text, error)
            self._set_aside(row, str(error), now)
        else:
            outbox.postponed(row, now)

    def _set_aside(self, row, reason, now):
        outbox.set_aside(row, now)
        code = self._bot.error_reports.keep(hide(reason, self._bot.settings.secrets()), now)
        self._bot.alert("common.alert_message", cause=f"message:{row.text}", code=code)


def run_events(bot, now):
    """Run the listeners of the events that are due, and wake the loops if there were any."""
    rows = events.due(now)
    for row in rows:
        if all([_run(bot, row, listener, now) for listener in bot.listeners.get(row.kind, [])]):
            events.done(row)
        elif events.postponed(row, now) == LISTENER_TRIES:
            bot.alert("common.alert_listener", cause=f"listener:{row.kind}", kind=row.kind)
    if rows:
        bot.wake()
    return False


def _run(bot, row, listener, now):
    name = f"{listener.__module__}.{listener.__qualname__}"
    try:
        events.run_once(row, name, lambda: listener(bot, event_kinds.read(row.kind, row.id, row.data), now))
    except StorageDown:
        raise
    except Exception:  # a listener may fail in any way; the event stays, and it is tried again
        log.exception("listener %s failed on event %s", name, row.id)
        return False
    return True
