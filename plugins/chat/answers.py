"""What stands under an answer of a chat model, and what is said when none came: what it was, that nothing was charged,
and a tap that asks again.

Texts: answers.* in data/texts/<lang>/chat/answers.po.
"""

from core.buttons import FRESH, HELP, button
from core.errors import UserError
from kie.catalogue.chat_models import SOLD
from plugins.chat._dialogue import NEW, ask


def register(bot):
    """Declare the button, what stands under answers, and what is told."""
    bot.repeatable()
    bot.button("answers:again", again, job=int)
    bot.under_result(1, under_answer)
    bot.on("job.failed", tell_failed)
    bot.privacy_line(told)


def under_answer(bot, job):
    """Return the buttons under an answer: another topic, and which model goes on."""
    if job.topic is None:
        return []
    return [button("answers.new", "ask:new", 1), button("answers.model", "ask:open", 1)]


def tell_failed(bot, event, now):
    """Say why there is no answer, and that the money is back."""
    job = bot.jobs.get(event.job)
    if job.topic is None:
        return
    user = bot.users.get(job.user_id)
    lang, owed = bot.lang_of(user), bot.ledger.recovered(job.id)
    key = f"answers.why_{job.reason}"
    values = {
        "why": bot.texts.plain(lang, key if bot.texts.has(key) else "answers.why_other"),
        "model": bot.generation.title(job),
        "amount": job.price,
        "balance": bot.ledger.balance(user.id),
        "owed": bot.texts.plain(lang, "job.owed", amount=owed) if owed else "",
    }
    help_row = [button("common.support", HELP, f"job{job.id}"), button("common.menu", FRESH)]
    rows = [button("answers.again", "answers:again", job.id), help_row]
    text = "answers.failed" if job.price else "answers.failed_free"
    bot.notify(user.id, text, unique=f"job:{job.id}:failed", now=now, buttons=rows, **values)


def again(ctx, job):
    """Ask the same once more; a second tap finds the question that the first one has asked."""
    found = ctx.jobs.get(job, ctx.user.id)
    if found is None or found.topic is None or found.state not in ("failed", "cancelled") or not found.inputs:
        raise UserError("common.old_button")
    said = {name: found.inputs[name] for name in ("rank", "question", "pictures")}
    ask(ctx, NEW | said | {"topic": found.topic}, f"ask:again:{job}")


def told(ctx):
    """Say who reads the questions."""
    titles = dict.fromkeys(ctx.generation.talk.model(rank).title for rank in SOLD)
    return ctx.say("answers.privacy", names=", ".join(titles))
