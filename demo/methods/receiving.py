"""Methods by which the bot gets its updates: the long poll and the webhook."""

import re

from demo.rules import bad, split_url

UPDATES_MAX = 100  # of one getUpdates
CONNECTIONS, CONNECTIONS_MAX = 40, 100  # of a webhook (Bot API, setWebhook)


def set_allowed(world, params):
    """Take over allowed_updates; a call without it leaves the list unchanged."""
    allowed = params.json("allowed_updates", list)
    if allowed is not None:
        world.updates.allowed = [str(kind) for kind in allowed]


async def get_updates(world, params):
    """Return up to 100 updates, waiting for the first."""
    set_allowed(world, params)
    limit = params.number("limit", UPDATES_MAX)
    limit = limit if 1 <= limit <= UPDATES_MAX else UPDATES_MAX
    return await world.updates.poll(params.number("offset"), limit, params.number("timeout"))


def set_webhook(world, params):
    """Deliver updates to a URL: https, or plain http on this machine; no URL removes the webhook."""
    url, secret = params.text("url"), params.text("secret_token")
    if not url:
        return delete_webhook(world, params)
    parts = split_url(url)
    here = parts.hostname in ("127.0.0.1", "localhost")
    if parts.scheme != "https" and not (parts.scheme == "http" and here):
        raise bad("bad webhook: An HTTPS URL must be provided for webhook")
    if not re.fullmatch(r"[A-Za-z0-9_-]{0,256}", secret):
        raise bad("secret token contains unallowed characters")
    connections = params.number("max_connections", CONNECTIONS)
    certificate = params.get("certificate")
    if certificate is not None and b"BEGIN CERTIFICATE" not in getattr(certificate, "data", b""):
        raise bad("bad webhook: certificate is no PEM file")
    webhook = {
        "url": url,
        "certificate": certificate.data.decode("utf-8", "replace") if certificate is not None else None,
        "secret_token": secret,
        "max_connections": min(max(connections, 1), CONNECTIONS_MAX),
    }
    set_allowed(world, params)
    drop_pending(world, params)
    world.updates.set_webhook(webhook)
    return True


def delete_webhook(world, params):
    """Stop deliveries; polls work again."""
    world.updates.set_webhook(None)
    drop_pending(world, params)
    return True


def drop_pending(world, params):
    """Drop the waiting updates, if the call says so."""
    if params.flag("drop_pending_updates"):
        world.updates.waiting.clear()


def get_webhook_info(world, _params):
    """Return a WebhookInfo object; the number of waiting updates is right for polling, too."""
    updates = world.updates
    webhook = updates.webhook or {}
    info = {"url": webhook.get("url", ""), "has_custom_certificate": bool(webhook.get("certificate"))}
    info["pending_update_count"] = len(updates.waiting)
    if webhook:
        info["max_connections"] = webhook["max_connections"]
    if updates.last_error:
        info["last_error_date"], info["last_error_message"] = updates.last_error
    return info | {"allowed_updates": updates.allowed} if updates.allowed else info


METHODS = {
    "getUpdates": get_updates,
    "setWebhook": set_webhook,
    "deleteWebhook": delete_webhook,
    "getWebhookInfo": get_webhook_info,
}
