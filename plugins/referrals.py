"""Invite friends: a link with an opaque code; the invited person's first top-up pays the inviter, once.

Only a person created by that very /start counts; the database refuses inviting oneself.
Setting: REFERRAL_PERCENT of the first top-up; 0 turns it off.
Texts: referrals.* in data/texts/<lang>/referrals.po.
"""

from core.buttons import copy, link


def register(bot):
    """Declare the setting, the link and its reward."""
    if bot.setting("REFERRAL_PERCENT", int, default=10, minimum=0, maximum=100):
        bot.command("invite", show, about="referrals.about", order=7)
        bot.button("referrals:show", show)
        bot.menu("referrals.menu", "referrals:show", row=1)
        bot.deep_link("r", arrive)
        bot.on("payment.credited", reward)


def show(ctx):
    """Show the link, the rule and what it has brought."""
    address = f"https://t.me/{ctx.bot.username}?start=r{ctx.user.code}"
    invited, paid, total = ctx.referrals.summary(ctx.user.id)
    share = f"https://t.me/share/url?url={address}"
    ctx.edit(
        "referrals.text",
        [copy("referrals.copy", address), link("referrals.share", share), *ctx.bot.home()],
        link=address,
        percent=ctx.settings["REFERRAL_PERCENT"],
        invited=invited,
        paid=paid,
        total=total,
    )


def arrive(ctx, code):
    """Remember who invited a person, if this very update made them a user."""
    inviter = ctx.users.by_code(code)
    if ctx.is_new and inviter is not None and ctx.referrals.invite(ctx.user.id, inviter.id, ctx.now):
        ctx.notify(inviter.id, "referrals.came", unique=f"invited:{ctx.user.id}", name=ctx.user.first_name)


def reward(bot, fact, now):
    """Pay the inviter a share of the first top-up."""
    invited_id = fact.data["user"]
    inviter_id = bot.referrals.inviter_of(invited_id)
    amount = fact.data["amount"] * bot.settings["REFERRAL_PERCENT"] // 100
    if not fact.data["first"] or inviter_id is None or not amount:
        return
    invited = bot.users.get(invited_id)
    bot.ledger.post(
        inviter_id, amount, kind="referral", key=f"referral:{invited_id}", ref=f"user:{invited_id}", now=now
    )
    if bot.referrals.mark_paid(invited_id, amount):
        bot.notify(
            inviter_id,
            "referrals.paid",
            unique=f"referral:{invited_id}",
            now=now,
            name=invited.first_name,
            amount=amount,
            balance=bot.ledger.balance(inviter_id),
        )
