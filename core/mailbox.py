"""The steps that empty the outbox and run the listeners of facts."""

import logging

from core import buttons as keyboards
from core import staff
from core.sender import TelegramError
from core.transport import NotSent, UnknownOutcome
from storage import facts, outbox, users

log = logging.getLogger(__name__)
SEND_MEDIA = {"photo": "sendPhoto", "document": "sendDocument", "video": "sendVideo", "audio": "sendAudio"}
LISTENER_TRIES = 3  # after so many failures the admins hear of it; the tries go on


def send_due(bot, now):
    """Send the messages that are due; return whether more may be waiting."""
    rows = outbox.due(now)
    for row in rows:
        _send(bot, row, now)
    return bool(rows)


def _send(bot, row, now):
    user = users.get(row.user_id)
    if user.telegram_id is None and row.chat_id is None:
        outbox.dropped(row)
        return
    try:
        sent = _say(bot, row, user)
    except TelegramError as error:
        if row.chat_id and (error.is_gone or error.migrate_to):
            staff.move_group(bot, row.chat_id, error.migrate_to)
        elif error.is_gone:
            users.mark_blocked(user.telegram_id, True)
            outbox.dropped(row)
        elif error.code == 400:
            log.error("message %s (%s) was refused: %s", row.id, row.text, error)
            outbox.dropped(row)
        else:
            outbox.postponed(row, now)
    except (NotSent, UnknownOutcome) as error:
        log.warning("message %s goes out again: %s", row.id, error)
        outbox.postponed(row, now)
    else:
        outbox.sent(row, sent["message_id"])


def _say(bot, row, user):
    lang = bot.lang_of(user)
    text = bot.texts.html(lang, row.text, **row.values)
    chat_id = row.chat_id or user.telegram_id
    markup = bot.markup(lang, keyboards.restored(row.buttons), None if row.chat_id else user)
    if row.media is None:
        return bot.send_html(chat_id, text, reply_markup=markup)
    kind = row.media["kind"]
    params = {kind: row.media["file_id"], "caption": text, "parse_mode": "HTML", "reply_markup": markup}
    return bot.sender.call(SEND_MEDIA[kind], chat_id=chat_id, **params)


def run_facts(bot, now):
    """Run the listeners of what has happened; return whether more may be waiting."""
    rows = facts.due(now)
    for fact in rows:
        if all([_run(bot, fact, listener, now) for listener in bot.listeners.get(fact.kind, [])]):
            facts.done(fact)
        elif facts.postponed(fact, now) == LISTENER_TRIES:
            bot.alert("common.alert_listener", cause=f"listener:{fact.kind}", kind=fact.kind)
    if rows:
        bot.wake()
    return False


def _run(bot, fact, listener, now):
    name = f"{listener.__module__}.{listener.__qualname__}"
    try:
        facts.run_once(fact, name, lambda fact: listener(bot, fact, now))
    except Exception:  # a listener may fail in any way; the cause stands, and it is tried again
        log.exception("listener %s failed on fact %s", name, fact.id)
        return False
    return True
