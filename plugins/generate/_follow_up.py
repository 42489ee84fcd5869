"""What a text without a reply says of a result that has just come: a change of it, more pixels, or the version before."""

from datetime import timedelta

from core.buttons import route
from plugins.generate import _edits
from plugins.generate._loose import result
from plugins.generate._rungs import quotes, works_of

JUST_NOW = timedelta(minutes=10)  # how long words without a reply may be about the last result
RECENT = 3  # orders: a newer one may be at work still, or have failed
WHICH = route("replies:edit", optional=True)
UPSCALE = "image-upscale"
CHANGE = "change"


def just_made(ctx):
    """Return the order whose result has just come, or the other version that is shown below it; None if there is none."""
    if not any(_is_fresh(ctx, job) for job in ctx.jobs.of_user(ctx.user.id, limit=RECENT)):
        return None
    shown = ctx.result_messages.last(ctx.user.id, ctx.chat_id)
    return shown.job if shown and shown.job.result else None


def _is_fresh(ctx, job):
    """Tell whether the result of an order has just come to this chat, and not to a group."""
    is_here = job.chat_id in (None, ctx.chat_id)
    return bool(job.result and job.sent and is_here and job.finished_at > ctx.now - JUST_NOW)


def rung_of_last(ctx, loose):
    """Return (what changes the last result with these words, as a quote; whether they read like that), or None."""
    if loose["files"] or loose.get("task") or not loose["text"]:
        return None
    job = just_made(ctx)
    many = job is not None and len(job.result["urls"]) > 1
    if job is None or not job.result["urls"] or (many and WHICH not in ctx.bot.handlers["button"]):
        return None
    offers, text = ctx.generation.live_catalogue.offers, loose["text"]
    if offers.phrases.is_larger(text) and (quote := _larger(ctx, job)):
        return quote | _more(ctx, job), True
    works = _edits.works_of(ctx, job)
    source, rungs = _edits.first_fit(ctx, job, 0, _edits.NOTHING | {"text": text}, works) if works else (None, [])
    if not rungs:
        return None
    is_meant = offers.phrases.refers(text) or (
        offers.phrases.follows(text) and not offers.guess(text, works_of(ctx, loose))
    )
    usual = f"ladder.change_{ctx.generation.model(job).output}"
    label = f"do.{source['work']}" if is_meant and source["work"] != works[0] else usual
    return rungs[0] | {"label": label, "parent": source["parent"]} | _more(ctx, job), is_meant


def _larger(ctx, job):
    """Return the quote of the highest rung that finishes a picture, or None."""
    if ctx.generation.model(job).output != "image":
        return None
    found = quotes(ctx, UPSCALE, result(job, 0), last=False)
    return found[-1] | {"label": f"do.{UPSCALE}", "parent": {"job": job.id, "part": 0}} if found else None


def _more(ctx, job):
    """Return what a rung says of the result it changes; of several, a tap asks first which one."""
    numbers = {"number": ctx.revisions.next_number(job.id), "grows": _number(ctx, job.id)}
    return {"name": CHANGE, **numbers} | ({"which": job.id} if len(job.result["urls"]) > 1 else {})


def _number(ctx, job):
    return ctx.revisions.numbers([job]).get(job, ctx.revisions.FIRST)
