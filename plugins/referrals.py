"""Invite friends: a link with an opaque code; the invited person's first top-up pays the inviter, once.

Only a person created by that very /start counts; the database refuses self-invitations. Links of a former bot, `ref_` and
a Telegram id, count as well. The share goes back with the payment it comes from; a share of a payment in Stars waits until
that is unlikely to be taken back.
Settings: REFERRAL_PERCENT of the first top-up; 0 turns it off. REFERRAL_HOLD_DAYS, how long a share of Stars waits.
Texts: referrals.* in data/texts/<lang>/referrals.po.
"""

import re
from base64 import urlsafe_b64decode
from datetime import timedelta

from core.buttons import copy, link

EVERY_S = 300
OLD_LINK = "ef_"  # of a former bot, without its r


def register(bot):
    """Declare the settings, the link, its reward, and the posting of shares that have waited."""
    bot.repeatable()
    bot.setting("REFERRAL_HOLD_DAYS", int, default=21, minimum=0, maximum=365)
    bot.every(EVERY_S, "bonuses", lambda bot, now: bot.bonuses.post_due(now) and None)
    bot.on("bonus.posted", tell_arrived)
    if bot.setting("REFERRAL_PERCENT", int, default=10, minimum=0, maximum=100):
        bot.command("invite", show, about="referrals.about", order=7)
        bot.button("referrals:show", show)
        bot.menu("referrals.menu", "referrals:show", row=1)
        bot.deep_link("r", arrive)
        bot.on("payment.credited", reward)


def show(ctx):
    """Show the link, the rule and what it has brought."""
    address = f"https://t.me/{ctx.bot.username}?start=r{ctx.user.code}"
    invited, _promised, _total = ctx.referrals.summary(ctx.user.id)
    paid, total = ctx.bonuses.earned(ctx.user.id, "referral")
    coming, when = ctx.bonuses.on_the_way(ctx.user.id, "referral")
    days = ctx.settings["REFERRAL_HOLD_DAYS"]
    share = f"https://t.me/share/url?url={address}"
    ctx.edit(
        "referrals.text",
        [copy("referrals.copy", address), link("referrals.share", share), *ctx.bot.home()],
        link=address,
        percent=ctx.settings["REFERRAL_PERCENT"],
        hold=ctx.say("referrals.hold", n=days) if days else "",
        invited=invited,
        paid=paid,
        total=total,
        coming=ctx.say("referrals.coming", amount=coming, when=when) if coming else "",
    )


def arrive(ctx, code):
    """Remember who invited a person, if this very update created their account."""
    inviter = ctx.users.by_code(code) or _of_old_link(ctx, code)
    if ctx.is_new and inviter is not None and ctx.referrals.invite(ctx.user.id, inviter.id, ctx.now):
        ctx.notify(inviter.id, "referrals.came", unique=f"invited:{ctx.user.id}", name=ctx.user.first_name)


def _of_old_link(ctx, code):
    """Return whose link of the former bot it is: `ref_` with the Telegram id, as it is or as base64 of `u:123`."""
    word = code.removeprefix(OLD_LINK) if code.startswith(OLD_LINK) else ""
    if word and not word.isdecimal():
        try:
            word = urlsafe_b64decode(word + "=" * (-len(word) % 4)).decode("ascii").removeprefix("u:")
        except ValueError:
            return None
    return ctx.users.by_telegram_id(int(word)) if re.fullmatch("[0-9]{1,16}", word) else None


def reward(bot, event, now):
    """Promise the inviter a share of the first top-up: at once, or once a payment in Stars has waited long enough."""
    invited_id = event.user
    inviter_id = bot.referrals.inviter_of(invited_id)
    amount = event.amount * bot.settings["REFERRAL_PERCENT"] // 100
    if not event.first or inviter_id is None or not amount or not bot.referrals.mark_paid(invited_id, amount):
        return
    in_stars = bot.payments.get(event.topup).method == "stars"
    due_at = now + timedelta(days=bot.settings["REFERRAL_HOLD_DAYS"] if in_stars else 0)
    place = {"kind": "referral", "key": f"referral:{invited_id}", "origin": event.key, "topup": event.topup}
    bonus = bot.bonuses.promise(inviter_id, amount, **place, now=now, due_at=due_at)
    if bonus.state in ("posted", "waiting"):
        lang = bot.lang_of(bot.users.get(inviter_id))
        values = {"name": bot.users.get(invited_id).first_name, "amount": amount}
        values |= {"balance": bot.ledger.balance(inviter_id)}
        values |= {"when": bot.texts.plain(lang, "referrals.day", when=bonus.due_at)}
        key = "referrals.paid" if bonus.state == "posted" else "referrals.promised"
        bot.notify(inviter_id, key, unique=f"referral:{invited_id}", now=now, **values)


def tell_arrived(bot, event, now):
    """Tell somebody that a share which had to wait has come."""
    user = event.user
    if event.what == "referral":
        values = {"amount": event.amount, "balance": bot.ledger.balance(user)}
        bot.notify(user, "referrals.arrived", unique=f"bonus:{event.bonus}:arrived", now=now, **values)
