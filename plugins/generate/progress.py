"""What a person sees of an order between the tap and the result: the elapsed time, and why it failed.

Texts: progress.* and job.why_* in data/texts/<lang>/generate/progress.po.
"""

from datetime import timedelta

from core.buttons import FRESH, HELP, button, primary, route
from core.services.input_labels import SHOWN_TEXT

MODELS = route("models:menu", optional=True)
CANCEL_IN_GROUP = route("groups:cancel", optional=True)

EVERY_IN_GROUP = timedelta(seconds=45)  # Telegram allows about 20 messages and edits a minute in a group
LONG_AFTER_S = 600
BAR = 10  # places
OWN = (
    "moderation",
    "validation",
    "file",
    "file_too_big",
    "picture_too_large",
    "model",
)  # the same would fail once more


def register(bot):
    """Declare the periodic edits and the messages about failures."""
    bot.every(1, "progress", show_progress)
    bot.on("job.failed", tell_failed)
    bot.on("job.lost", tell_lost)


def show_progress(bot, now):
    """Edit the progress messages that are due; delete those of finished jobs."""
    for job in bot.jobs.to_show_progress(now):
        lang, chat = bot.lang_of(job.user), job.chat_id or job.user.telegram_id
        is_erased = job.user.telegram_id is None
        if job.state in bot.jobs.OPEN and not is_erased:
            bot.edit_quietly(chat, job.progress_id, lang, *_screen(bot, job, now, lang))
            if job.chat_id:
                bot.jobs.note_progress(job.id, job.progress_id, now + EVERY_IN_GROUP)
            continue
        if job.chat_id and job.state == "failed" and not is_erased:  # what it means for the money is told in private
            words = {"model": bot.generation.title(job), "why": _why(bot, job, lang)}
            bot.edit_quietly(chat, job.progress_id, lang, "progress.failed_group", None, words)
        elif chat is not None:
            bot.delete_quietly(chat, job.progress_id)
        bot.jobs.note_progress(job.id, None, None)


def _screen(bot, job, now, lang):
    """Return (text key, buttons, values) of a job's progress message."""
    values = {"model": bot.generation.title(job), "price": job.price, "prompt": _prompt(bot, job, lang)}
    if job.state == "queued" and (place := bot.jobs.place(job)):  # 0: it has just left the queue
        cancel = [CANCEL_IN_GROUP, job.user_id] if job.chat_id else ["orders:cancel"]
        return "job.queued", [button("job.cancel", *cancel, job.id)], values | {"place": place}
    elapsed = (now - (job.submitted_at or job.created_at)).total_seconds()
    over = elapsed - job.usual_s
    key = "progress.long" if over > LONG_AFTER_S else "progress.over" if over > 0 else "progress.running"
    return key, [], values | {"elapsed": elapsed, "usual": job.usual_s, "bar": _bar(elapsed, job.usual_s)}


def _bar(elapsed, usual):
    """Return how far it should be by now; it is never full, as that would be a promise."""
    done = min(BAR - 1, int(BAR * elapsed / max(1, usual)))
    return "▰" * done + "▱" * (BAR - done)


def _prompt(bot, job, lang):
    """Return the beginning of what was asked for."""
    return bot.generation.words(lang, bot.generation.model(job), job.inputs)[:SHOWN_TEXT]


def tell_failed(bot, event, now):
    """Say what happened, that the money is back, and what to do next; a question is told of where it was asked."""
    job = bot.jobs.get(event.job)
    if job.topic is not None:
        return
    user = bot.users.get(job.user_id)
    why = _why(bot, job, bot.lang_of(user))
    owed = bot.ledger.recovered(job.id)
    rows = [
        *_again(bot, job, now),
        [button("job.change", "orders:change", job.id), button("progress.other", MODELS)],
        [button("common.support", HELP, f"job{job.id}"), button("common.menu", FRESH)],
    ]
    bot.notify(
        user.id,
        "progress.failed",
        unique=f"job:{job.id}:failed",
        buttons=rows,
        now=now,
        why=why,
        model=bot.generation.title(job),
        amount=job.price,
        balance=bot.ledger.balance(user.id),
        owed=bot.texts.plain(bot.lang_of(user), "job.owed", amount=owed) if owed else "",
    )


def _again(bot, job, now):
    """Return the button that orders the same once more by one tap, where it was not the order's own fault."""
    model = bot.generation.catalog.models.get(job.model)
    if job.reason in OWN or model is None or not job.inputs:
        return []
    price, _free = bot.generation.quote(job.user_id, model, job.inputs, now)
    if price is None:
        return []
    return [primary("job.again_at" if price else "progress.again_free", "orders:retry", job.id, price, price=price)]


def _why(bot, job, lang):
    key = f"job.why_{job.reason}"
    return bot.texts.plain(lang, key if bot.texts.has(key) else "job.why_other")


def tell_lost(bot, event, now):
    """Tell the admins of an order whose create got no answer; the user's money stays on hold."""
    job = bot.jobs.get(event.job)
    bot.alert("progress.alert_lost", cause="lost", job=job.id, model=job.model)
