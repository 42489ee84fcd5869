"""A way to pay on a provider's page: the bot asks it for a link, and it calls back when somebody has paid.

Settings: PAYLINK_URL and PAYLINK_KEY of the provider; empty, the default, turns this off.
Texts: paylink.* in data/texts/<lang>/paylink.po.
"""

import hashlib
import hmac
import json

from core.buttons import link
from core.errors import ServiceFailed, UserError


def register(bot):
    """Declare the way to pay and the address the provider calls: PUBLIC_URL followed by /paylink."""
    url, key = bot.setting("PAYLINK_URL", default=""), bot.setting("PAYLINK_KEY", default="", secret=True)
    if url and not key:
        bot.settings.refuse("PAYLINK_KEY", "nothing", "the provider's key: without it anybody could say that they paid")
    if url:
        bot.payment_method("paylink", "paylink.button", start)
        bot.endpoint("/paylink", paid)


def start(ctx, amount):
    """Create the row first, then ask for a link that names it."""
    topup = ctx.payments.create(ctx.user.id, "paylink", amount, now=ctx.now)
    provider = ctx.bot.http(ctx.settings["PAYLINK_URL"], {"Authorization": ctx.settings["PAYLINK_KEY"]})
    try:
        answer = provider.post(
            "/links", {"order": topup.id, "amount": amount}, **{"Idempotency-Key": f"topup{topup.id}"}
        )
        url = answer.json()["url"] if answer.ok else None
    except (ServiceFailed, ValueError, LookupError):  # unreachable, no answer, or a malformed one
        url = None
    if url is None:
        raise UserError("paylink.away", buttons=ctx.bot.home())
    ctx.edit("paylink.go", [link("paylink.pay", url), *ctx.bot.home()], amount=amount)


def paid(bot, call):
    """Credit the row's amount under the provider's payment id: however often it calls, once."""
    sign = hmac.new(bot.settings["PAYLINK_KEY"].encode(), call.body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(sign.encode(), call.headers.get("X-Sign", "").encode()):
        return "not signed", 401
    said = json.loads(call.body)
    topup = bot.payments.get(int(said["order"]))
    if topup is None or topup.method != "paylink" or said["amount"] != topup.amount:
        return "no such order", 404
    bot.payments.credit(topup.id, f"paylink:{said['payment']}", call.now)
    return "", 200
