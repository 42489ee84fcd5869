"""A way to pay on a provider's page: the bot asks it for a link, and it calls back when somebody has paid.

Settings: PAYLINK_URL and PAYLINK_KEY of the provider; empty, the default, turns this off.
Texts: paylink.* in data/texts/<lang>/paylink.po.
"""

import hashlib
import hmac
import json

from core.services.providers import Made, Provider, Refused, Returned, Seen, read
from core.settings import url


def register(bot):
    """Declare the settings, and the provider once it has a key."""
    address, key = bot.setting("PAYLINK_URL", url, default=""), bot.setting("PAYLINK_KEY", default="", secret=True)
    if address and not key:
        bot.settings.refuse("PAYLINK_KEY", "nothing", "the provider's key: without it anybody could say that they paid")
    if address and key:
        bot.payment_provider(Paylink(bot), {"": "paylink.button"})


class Paylink(Provider):
    """One shop at the provider."""

    name, title = "paylink", "PayLink"

    def __init__(self, bot):
        self._key = bot.settings["PAYLINK_KEY"]
        self._http = bot.http(bot.settings["PAYLINK_URL"], {"Authorization": self._key})

    def body(self, order):
        """Return what a link is made of; the tag comes back with everything the provider says of it."""
        return {"order": order.tag, "amount": order.amount, "currency": order.currency, "text": order.text}

    def create(self, order):
        """Have a link made: the same key finds it again."""
        made = read(self._http.post("/links", order.body, **{"Idempotency-Key": order.key}))
        return Made(made["id"], made["url"])

    def fetch(self, ids):
        """Yield what has become of these links."""
        for link in ids:
            yield seen(read(self._http.get(f"/links/{link}")))

    def recent(self, since):
        """Yield the links made, paid or given back since a time."""
        for link in read(self._http.get("/links", since=since.isoformat()))["items"]:
            yield seen(link)

    def refund(self, order, amount, key, again):
        """Give an amount back; the provider knows the key for ever, so an earlier try need not be looked for."""
        made = read(self._http.post(f"/refunds/{order.id}", {"amount": amount}, **{"Idempotency-Key": key}))
        return Returned("done" if made["done"] else "asked", made["id"])

    def called(self, call):
        """Return which link a signed callback is about; the signature is of the bytes as they came."""
        sign = hmac.new(self._key.encode(), call.body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(sign.encode(), call.headers.get("X-Sign", "").encode()):
            raise Refused("the signature is not right")
        said = json.loads(call.body)
        return said["id"], said["order"]


def seen(link):
    """Return what the provider says of a link; its amounts are kopecks, its states are ours."""
    names = ("id", "state", "amount", "currency", "refunded")
    return Seen(tag=link["order"], **{name: link[name] for name in names})
