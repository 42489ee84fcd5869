"""/support: write to the staff from anywhere; /paysupport: the same about a payment; /terms: what is sold, and how.

What people write goes to everybody with the right `message`, or to the staff's group, and is answered from there. It is
"passed on" once Telegram has accepted a copy; if nobody can be reached it waits, and its writer is told so. Settings,
all of which can be changed from the chat: SUPPORT_CONTACT, a @name or a link to write to instead; TERMS_TEXT,
SUPPORT_TEXT, PAYSUPPORT_TEXT, the operator's own words, each also with a language code at the end (SUPPORT_TEXT_RU).
Texts: support.* in data/texts/<lang>/support.po.
"""

from datetime import timedelta

from core.attachments import file_in
from core.buttons import button, link, route
from core.errors import UserError
from core.handling.limits import count
from core.settings import contact

PERSON = route("users:card", optional=True)
WRITE = route("users:message", optional=True)

ABOUT = {"job": "support.about_job", "pay": "support.about_pay"}
BLOCKED_PAUSE = timedelta(hours=1)
MOST, SPAN = 10, timedelta(hours=1)  # messages to the staff by one person
TEXTS = ("TERMS_TEXT", "SUPPORT_TEXT", "PAYSUPPORT_TEXT")


def register(bot):
    """Declare the settings, the commands and the dialogue; banned people can use them too."""
    bot.repeatable()
    bot.setting("SUPPORT_CONTACT", contact, default="", advanced=False, chat=True)
    for name in TEXTS:
        bot.setting(name, default="", chat=True)
        for lang in bot.texts.languages[1:]:
            bot.setting(f"{name}_{lang.upper()}", default="", chat=True)
    bot.command("support", support, about="support.about", blocked=True)
    bot.command("paysupport", paysupport, about="support.about_pay_command", blocked=True)
    bot.command("terms", terms, about="support.about_terms", blocked=True)
    bot.button("support:open", ask, about=str, blocked=True)
    bot.step("support:words", take_words, blocked=True)
    bot.on("letter.written", tell_staff)
    bot.on("message.sent", note_passed)
    bot.on("message.lost", note_lost)
    bot.every(10, "letters", tell_unheard)


def support(ctx):
    """Listen for what a person wants to say."""
    ask(ctx, "0")


def paysupport(ctx):
    """Listen for a question about a payment."""
    ask(ctx, "pay0")


def ask(ctx, about):
    """Listen, in a new message: the bad news it is about stays above it."""
    name, usual = (
        ("PAYSUPPORT_TEXT", "support.usual_pay") if about.startswith("pay") else ("SUPPORT_TEXT", "support.usual")
    )
    own = ctx.settings["SUPPORT_CONTACT"]
    rows = [*([link("support.write", own)] if own else []), *ctx.bot.home()]
    shown = ctx.reply(
        "support.ask", rows, words=_own_words(ctx, name) or ctx.say(usual), about=_topic(ctx.bot, ctx.lang, about)
    )
    kept = ctx.drafts.get(ctx.user.id, "support", ctx.now)
    data = {"about": about, "sent_at": kept.data.get("sent_at", 0) if kept else 0}
    ctx.drafts.put(ctx.user.id, "support", ctx.now, step="support:words", data=data, message_id=shown)


def _own_words(ctx, name):
    """Return the operator's text in the person's language, or the one for everybody, or "" if there is none."""
    own = "" if ctx.lang == ctx.texts.default else ctx.settings[f"{name}_{ctx.lang.upper()}"]
    return own or ctx.settings[name]


def _topic(bot, lang, about):
    """Return what a message is about, in words: an order, a payment, or nothing."""
    kind, number = about[:3], about[3:]
    known = kind in ABOUT and number.isdecimal() and number != "0"
    return bot.texts.plain(lang, ABOUT[kind], number=number[:18]) if known else ""


def terms(ctx):
    """Show the operator's terms, or plain ones that suit every bot of this kind."""
    ctx.reply(
        "support.terms", ctx.bot.trouble(), words=_own_words(ctx, "TERMS_TEXT") or ctx.say("support.terms_default")
    )


def take_words(ctx):
    """Pass on what was written to the people who answer; a banned person may write once an hour."""
    file = file_in(ctx.message)
    words = (ctx.text or ctx.message.get("caption", "")).strip()
    if file is not None and file["kind"] not in ("photo", "document") or not (words or file):
        raise UserError("support.want_words", buttons=ctx.bot.home())
    data, now_s = ctx.draft.data, ctx.now.timestamp()
    if ctx.user.banned and now_s - data["sent_at"] < BLOCKED_PAUSE.total_seconds():
        raise UserError("support.later", buttons=[[]])
    count(ctx, "support", MOST, SPAN)
    media = {"kind": file["kind"], "file_id": file["file_id"]} if file else None
    ctx.letters.write(ctx.user.id, data["about"], words, media, ctx.now)
    ctx.drafts.put(ctx.user.id, "support", ctx.now, step=None, data=data | {"sent_at": now_s})
    ctx.answered = True  # the outcome is reported when it is known


def tell_staff(bot, event, now):
    """Send a letter to the people who answer."""
    if (letter := bot.letters.get(event.letter)) is not None:
        _tell(bot, letter, now)


def tell_unheard(bot, now):
    """Send the letters nobody has seen to those who can be reached by now."""
    for letter in bot.letters.unheard():
        _tell(bot, letter, now)


def note_passed(bot, event, now):
    """Tell the writer that somebody has the letter; the first copy counts."""
    number = bot.letters.number_in(event.ref)
    if number is not None and bot.letters.passed(number):
        writer = bot.letters.get(number).user_id
        bot.notify(writer, "support.sent", unique=f"letter:{number}:passed", now=now, buttons=bot.home())


def note_lost(bot, event, now):
    """Tell the writer that the letter waits, once its last copy is lost."""
    number, ref = bot.letters.number_in(event.ref), event.ref
    letter = None if number is None else bot.letters.get(number)
    if letter is not None and not bot.outbox.states(ref) & {"pending", "sent"}:
        _say_it_waits(bot, letter, now)


def _say_it_waits(bot, letter, now):
    unique = f"letter:{letter.id}:waits"
    bot.notify(letter.user_id, "support.waits", unique=unique, now=now, buttons=bot.home())


def _tell(bot, letter, now):
    """Send a copy to everybody who answers; if nobody can be reached, tell the writer, once."""
    readers, ref = bot.recipients("message"), bot.letters.ref(letter.id)
    lost = bot.outbox.rounds(ref)
    for reader, chat_id in readers:
        unique = f"{ref}:{chat_id or reader.id}{f':r{lost}' if lost else ''}"
        _send_copy(bot, letter, reader, chat_id, unique, now)
    if not readers:
        _say_it_waits(bot, letter, now)


def _send_copy(bot, letter, reader, chat_id, unique, now):
    writer = letter.user
    card = link("common.user", f"https://t.me/{bot.username}?start=u{writer.id}")
    person = card if chat_id else button("common.user", PERSON, writer.id)
    bot.notify(
        reader.id,
        "support.request",
        unique=unique,
        now=now,
        chat_id=chat_id,
        buttons=[[button("support.answer", WRITE, writer.id), person]],
        media=letter.media,
        ref=bot.letters.ref(letter.id),
        name=writer.first_name,
        id=writer.telegram_id,
        words=letter.words,
        username=f" @{writer.username}" if writer.username else "",
        about=_topic(bot, bot.lang_of(reader), letter.about),
    )
