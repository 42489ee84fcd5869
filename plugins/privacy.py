"""/privacy: what is stored; /deleteme: forget a person; and the deadlines after which things are deleted automatically.

It is refused only while a transfer waits for a decision. What would be lost, and what stays for how long, is shown
first: the balance, orders under way, the Telegram id with payments in Stars of the last 21 days. What identifies the
person afterwards (`storage/money/persons.py`) keeps bans and limits, and is deleted after three years. Banned people
can use all of this, and stay banned.
Setting: KEEP_DAYS, after which texts and files of orders and screenshots are deleted; 0, the default, keeps them.
Texts: privacy.* in data/texts/<lang>/privacy.po.
"""

from datetime import timedelta

from core.buttons import button, danger, route
from core.errors import UserError

MY_DATA = route("mydata:send", optional=True)

PERSON_KEPT_YEARS = 3  # as long as claims from a payment can be brought


def register(bot):
    """Declare the commands and the periodic deletions."""
    bot.repeatable()
    bot.command("privacy", show, about="privacy.about", order=80, blocked=True)
    bot.command("deleteme", ask, about="privacy.about_delete", order=81, blocked=True)
    bot.button("privacy:ask", ask, blocked=True)
    bot.button("privacy:erase", erase, blocked=True, balance=int, orders=int)
    bot.every(60, "journal", clear_journal)
    bot.every(3600, "erased", forget_kept)
    if bot.setting("KEEP_DAYS", int, default=0, minimum=0):
        bot.every(24 * 3600, "retention", forget_old)


def show(ctx):
    """Say what is kept, for how long, who gets it, and what backups of the database keep."""
    days = ctx.settings["KEEP_DAYS"]
    rows = [button("privacy.mine", MY_DATA), danger("privacy.delete", "privacy:ask")]
    ctx.reply(
        "privacy.text",
        [*rows, *ctx.bot.home()],
        kept=ctx.say("privacy.days", n=days) if days else ctx.say("privacy.until_deleted"),
        payments=ctx.say("privacy.payments", n=ctx.privacy.PAYER_KEPT.days),
        person=ctx.say("privacy.person", n=PERSON_KEPT_YEARS),
        more=ctx.lines([said for line in ctx.bot.privacy_lines if (said := line(ctx))]),
    )


def ask(ctx):
    """Say what would be lost and what stays, and ask for confirmation."""
    _refuse_unfinished(ctx)
    balance = ctx.ledger.balance(ctx.user.id)
    orders, until = ctx.privacy.left_by(ctx.user.id, ctx.now)
    rows = [danger("privacy.yes", "privacy:erase", balance, orders), *ctx.bot.home()]
    lost = [ctx.say("privacy.balance", balance=balance)] if balance else []
    lost += [ctx.say("privacy.orders", n=orders)] if orders else []
    coming = ctx.jobs.funds(ctx.user.id).coming
    lost += [ctx.say("privacy.coming", amount=coming)] if coming else []
    ctx.edit("privacy.ask", rows, lines=ctx.lines(lost + _stays(ctx, orders, until)))


def _stays(ctx, orders, until):
    """Return the line that says how long the Telegram id stays with the payments."""
    if until:
        return [ctx.say("privacy.payer", until=until)]
    return [ctx.say("privacy.payer_orders")] if orders and ctx.payments.charges(user_id=ctx.user.id, limit=1) else []


def _refuse_unfinished(ctx):
    unfinished = ctx.privacy.open_of(ctx.user.id)
    if unfinished:
        raise UserError(f"privacy.open_{unfinished}", buttons=ctx.bot.home())


def erase(ctx, balance, orders):
    """Forget the person, if what was shown still holds."""
    under_way, until = ctx.privacy.left_by(ctx.user.id, ctx.now)
    if (ctx.ledger.balance(ctx.user.id), under_way) != (balance, orders):
        ask(ctx)
        return
    _refuse_unfinished(ctx)
    stays = _stays(ctx, under_way, until)
    if not ctx.privacy.erase(ctx.user.id, ctx.now):
        raise UserError("common.old_button")
    ctx.edit("privacy.done", number=ctx.user.id, lines=ctx.lines(stays))


def clear_journal(bot, _now):
    """Remove what was erased from the database's journal."""
    bot.privacy.clear_journal()


def forget_kept(bot, now):
    """Delete what erasures had to leave, once its time has passed."""
    bot.privacy.forget_kept(now)
    bot.persons.forget_idle(now - timedelta(days=365 * PERSON_KEPT_YEARS))


def forget_old(bot, now):
    """Delete the texts and files of what ended KEEP_DAYS ago."""
    bot.privacy.forget_old(now - timedelta(days=bot.settings["KEEP_DAYS"]))
