"""Keeps Telegram's webhook as BOT_MODE wants it, and checks its secret; the endpoint is in core/process/web.py.

The address holds no secret; Telegram repeats ours in a header (Bot API, setWebhook: secret_token). It is derived from
the token, so every copy of the bot knows it and nobody has to keep another one.
"""

import hashlib
import hmac
import logging

log = logging.getLogger(__name__)
PATH = "/telegram"
HEADER = "X-Telegram-Bot-Api-Secret-Token"
CONNECTIONS = 40  # posts at the same time (Bot API: 1–100, default 40)


def secret(token):
    """Return what Telegram must send in the header."""
    return hmac.new(token.encode(), b"webhook", hashlib.sha256).hexdigest()


def is_telegram(token, given):
    """Return, in constant time, whether a post carries our secret."""
    return hmac.compare_digest(secret(token).encode(), given.encode())


def ensure(bot, kinds, now):
    """Make Telegram send updates as BOT_MODE says; called again and again, as another program may change it."""
    found = bot.sender.call("getWebhookInfo", wait=False)
    wanted = bot.settings["PUBLIC_URL"] + PATH if bot.settings["BOT_MODE"] == "webhook" else ""
    own = bool(wanted and bot.settings["WEBHOOK_CERTIFICATE"])
    as_it_was = found["has_custom_certificate"] == own and (not own or bot.status.certified)
    if found["url"] == wanted and as_it_was and sorted(found.get("allowed_updates") or kinds) == kinds:
        bot.status.fetched_at = now if wanted else bot.status.fetched_at
    elif wanted:
        if found["url"] not in ("", wanted):
            log.warning("the webhook was set to another address; it is ours again")
        terms = {"max_connections": CONNECTIONS, "allowed_updates": kinds}
        pem = bot.settings["WEBHOOK_CERTIFICATE"].encode()
        files = {"certificate": ("certificate.pem", pem, "application/x-pem-file")} if own else None
        bot.sender.call(
            "setWebhook", files, url=wanted, secret_token=secret(bot.settings["TELEGRAM_BOT_TOKEN"]), **terms
        )
        bot.status.certified = own
    elif found["url"]:
        log.info("a webhook was set; taking it away, for this bot polls")
        bot.sender.call("deleteWebhook")
