"""Tells every owner about large sums: each approval, correction, refund and code above OWNER_TOLD_ABOVE.

So does the one who did it: somebody else may have got hold of the account.
Setting: OWNER_TOLD_ABOVE, whole units of the currency.
Texts: owners.* in data/texts/<lang>/admin/owners.po; act.* in core.po.
"""

from core.buttons import button
from core.handling import rights

TOLD = ("approve", "undo", "paid", "credit", "debit", "refund", "payback", "promo", "promo_confirm", "promo_own")


def register(bot):
    """Declare the setting and the listener for acts with an amount."""
    bot.setting("OWNER_TOLD_ABOVE", int, default=5_000, minimum=0)
    bot.on("act.amount", tell)


def tell(bot, event, now):
    """Tell every owner about a large sum: who, what, to whom and why."""
    act = bot.audit_log.get(event.act)
    if act.what not in TOLD or act.amount <= bot.settings["OWNER_TOLD_ABOVE"] * 100:
        return
    whom = bot.users.get(act.user_id) if act.user_id else None
    rows = [button("common.user", "users:card", act.user_id)] if whom else []
    for owner in rights.with_right(bot, "roles"):
        lang = bot.lang_of(owner)
        about = [whom.first_name] if whom else [(act.ref or "").partition(":")[2]]
        about += [act.words or "", bot.texts.plain(lang, "owners.own") if act.own else ""]
        bot.notify(
            owner.id,
            "owners.told",
            unique=f"act:{act.id}:{owner.id}",
            now=now,
            buttons=[*rows, *bot.home()],
            name=act.actor.first_name,
            what=bot.texts.plain(lang, f"act.{act.what}"),
            amount=act.amount,
            details=" · ".join(part for part in about if part),
        )
