"""Cards and SBP by YooKassa, through its HTTP API (v3) without its SDK, which knows no time limit.

Telegram's terms want digital goods in its apps sold for Stars alone: what that means is in docs/payments.md.
Settings: YOOKASSA_SHOP_ID and YOOKASSA_SECRET_KEY of the shop; empty, the default, turns YooKassa off. A key that begins
with `test_` is of a test shop, whose payments are no money. YOOKASSA_WAYS, the buttons shown, of bank_card, sbp, yoo_money,
sberbank, tinkoff_bank; `none` hides them, while payments under way are followed to their end. YOOKASSA_RECEIPT=1 for a
shop whose receipts (54-FZ) go through YooKassa: then YOOKASSA_RECEIPT_EMAIL, YOOKASSA_RECEIPT_VAT, YOOKASSA_RECEIPT_SUBJECT,
YOOKASSA_RECEIPT_MODE and YOOKASSA_RECEIPT_TAX_SYSTEM are what they say. YOOKASSA_API_URL is for tests.
Texts: yookassa.* in data/texts/<lang>/payments/yookassa.po.
"""

import base64
import json
import logging
import re

from core import amounts
from core.services.providers import Made, Provider, Refused, Returned, Seen, UnknownOutcome, WrongKeys, read
from core.settings import names, url

log = logging.getLogger(__name__)
WAYS = {"bank_card": "card", "sbp": "sbp", "yoo_money": "wallet", "sberbank": "sber", "tinkoff_bank": "tinkoff"}
LIMIT_S = 35  # YooKassa answers within 30 s, if with a 500
PAGE = 100
STATES = {"succeeded": "paid", "canceled": "cancelled"}  # any other is on its way
# cancellation_details.reason → the end of a text key; every other one is "declined"
WHY = {
    "insufficient_funds": "funds", "card_expired": "card", "invalid_card_number": "card", "invalid_csc": "card",
    "3d_secure_failed": "confirm", "issuer_unavailable": "bank", "call_issuer": "bank", "internal_timeout": "bank",
    "payment_method_limit_exceeded": "limit", "payment_method_restricted": "bank", "country_forbidden": "bank",
}  # fmt: skip


def register(bot):
    """Declare the settings, and the shop once it has a key."""
    bot.setting("YOOKASSA_SHOP_ID", number, default="")
    bot.setting("YOOKASSA_SECRET_KEY", secret_key, default="", secret=True)
    bot.setting("YOOKASSA_API_URL", url, default="https://api.yookassa.ru/v3")
    ways = bot.setting("YOOKASSA_WAYS", known_ways, default=("bank_card", "sbp"))
    bot.setting("YOOKASSA_RECEIPT", bool, default=False)
    bot.setting("YOOKASSA_RECEIPT_EMAIL", default="")
    bot.setting("YOOKASSA_RECEIPT_VAT", int, default=1, minimum=1, maximum=10)
    bot.setting("YOOKASSA_RECEIPT_SUBJECT", default="service")
    bot.setting("YOOKASSA_RECEIPT_MODE", default="full_payment")
    bot.setting("YOOKASSA_RECEIPT_TAX_SYSTEM", int, default=0, minimum=0, maximum=6)
    found, shop, key = bot.settings, bot.settings["YOOKASSA_SHOP_ID"], bot.settings["YOOKASSA_SECRET_KEY"]
    if bool(shop) != bool(key):
        found.refuse(
            "YOOKASSA_SECRET_KEY" if shop else "YOOKASSA_SHOP_ID", "nothing", "both, as the shop's cabinet shows them"
        )
    if found["YOOKASSA_RECEIPT"] and "@" not in found["YOOKASSA_RECEIPT_EMAIL"]:
        found.refuse("YOOKASSA_RECEIPT_EMAIL", "nothing", "the address that receipts go to, with YOOKASSA_RECEIPT=1")
    if shop and key:
        bot.payment_provider(YooKassa(bot), {way: f"yookassa.{WAYS[way]}" for way in ways})


def number(text):
    """Parse a shop's number."""
    if not re.fullmatch(r"\d{1,20}", text):
        raise ValueError(text)
    return text


def secret_key(text):
    """Parse a secret key; those of test shops begin with test_."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{8,200}", text):
        raise ValueError(text)
    return text


def known_ways(text):
    """Parse the ways to pay that are shown; `none` shows none."""
    found = () if text == "none" else names(text)
    if set(found) - set(WAYS):
        raise ValueError(text)
    return found


class YooKassa(Provider):
    """One shop at YooKassa."""

    name, title = "yookassa", "YooKassa"

    def __init__(self, bot):
        self._settings = bot.settings
        self.account, key = bot.settings["YOOKASSA_SHOP_ID"], bot.settings["YOOKASSA_SECRET_KEY"]
        self.test = key.startswith("test_")
        basic = base64.b64encode(f"{self.account}:{key}".encode()).decode()
        self._http = bot.http(bot.settings["YOOKASSA_API_URL"], {"Authorization": f"Basic {basic}"}, LIMIT_S)

    def _get(self, path, **params):
        return read(self._http.get(path, **params))

    def _post(self, path, body, key):
        return read(self._http.post(path, body, **{"Idempotence-Key": key}))

    def body(self, order):
        """Return what a payment is made of: captured at once, and with our number in it."""
        bot_id, _, number = order.tag.partition(":")
        body = {
            "amount": _money(order.amount, order.currency),
            "capture": True,
            "description": order.text[:128],
            "metadata": {"bot": bot_id, "row": number, "v": "1"},
            "confirmation": {"type": "redirect", "return_url": order.back},
        }
        body |= {"payment_method_data": {"type": order.way}} if order.way else {}
        return body | self._receipt(order.text, order.amount, order.currency)

    def _receipt(self, text, amount, currency):
        """Return the receipt, for shops that need one: Telegram tells no address, so it goes to the operator's."""
        own = {
            name: self._settings[f"YOOKASSA_RECEIPT_{name}"]
            for name in ("EMAIL", "VAT", "SUBJECT", "MODE", "TAX_SYSTEM")
        }
        if not self._settings["YOOKASSA_RECEIPT"]:
            return {}
        item = {"description": text[:128], "quantity": "1", "measure": "piece", "amount": _money(amount, currency)}
        item |= {"vat_code": own["VAT"], "payment_subject": own["SUBJECT"], "payment_mode": own["MODE"]}
        tax = {"tax_system_code": own["TAX_SYSTEM"]} if own["TAX_SYSTEM"] else {}
        return {"receipt": {"customer": {"email": own["EMAIL"]}, "items": [item]} | tax}

    def create(self, order):
        """Have a payment made; the same key and the same bytes find it again for a day."""
        made = self._post("/payments", order.body, order.key)
        address = str((made.get("confirmation") or {}).get("confirmation_url") or "")
        is_open = made.get("status") == "pending"  # one that was made by an earlier try may have ended by now
        if not _is_id(made.get("id")) or is_open and not address.startswith(("https://", "http://")):
            raise UnknownOutcome("a payment without an id or a link")
        return Made(made["id"], address)

    def fetch(self, ids):
        """Yield each payment as YooKassa has it now; one it does not know, or cannot be read, is left out."""
        for payment_id in ids:
            try:
                found = self._get(f"/payments/{payment_id}")
                if found.get("status") == "waiting_for_capture":  # made with capture, so this should not be
                    found = self._post(f"/payments/{payment_id}/capture", "{}", f"capture-{payment_id}")
            except WrongKeys:
                raise
            except Refused as error:
                log.error("payment %s: %s", payment_id, error.said)
                continue
            yield from _seen(found)

    def recent(self, since):
        """Yield the payments made since a time, then those made before of which something went back since."""
        known = set()
        for payment in self._pages("/payments", since):
            for seen in _seen(payment):
                known.add(seen.id)
                yield seen
        older = {str(refund.get("payment_id")) for refund in self._pages("/refunds", since)} - known
        yield from self.fetch(sorted(filter(_is_id, older)))

    def _pages(self, path, since):
        more = {"created_at.gte": since.strftime("%Y-%m-%dT%H:%M:%S.000Z"), "limit": PAGE}
        while more:
            page = self._get(path, **more)
            if not isinstance(page.get("items"), list):
                raise UnknownOutcome("a list without items")
            yield from (one for one in page["items"] if isinstance(one, dict))
            more = more | {"cursor": page["next_cursor"]} if page.get("next_cursor") else None

    def refund(self, order, amount, key, again):
        """Give back: what an earlier try may have done is read first, as a key is forgotten after a day."""
        if again:
            for one in self._get("/refunds", payment_id=order.id, limit=PAGE).get("items", []):
                if (one.get("metadata") or {}).get("refund") == key:
                    return _returned(one)
        body = {"payment_id": order.id, "amount": _money(amount, order.currency), "metadata": {"refund": key}}
        body |= self._receipt(order.text or f"№{order.number}", amount, order.currency)
        return _returned(self._post("/refunds", json.dumps(body, ensure_ascii=False), key))

    def called(self, call):
        """Return which payment a notification is about; it has no signature, so nothing else in it counts."""
        said = json.loads(call.body)["object"]
        payment_id, more = said.get("payment_id", said["id"]), said.get("metadata") or {}
        if not _is_id(payment_id):
            raise Refused("not a payment's id")
        return payment_id, f"{more.get('bot')}:{more.get('row')}"

    def check(self):
        """Return what is wrong with the shop: switched off, another one, a test shop, receipts that are missing."""
        me = self._get("/me")
        if str(me.get("account_id")) != self.account or me.get("status") != "enabled":
            return "yookassa.shop_closed", {"shop": self.account, "status": str(me.get("status"))}
        if (me.get("fiscalization") or {}).get("enabled") and not self._settings["YOOKASSA_RECEIPT"]:
            return "yookassa.wants_receipts", {}
        return ("yookassa.is_test", {}) if me.get("test") or self.test else None


def _money(amount, currency):
    return {"value": amounts.decimal(amount), "currency": currency}


def _is_id(text):
    return isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text) is not None


def _seen(payment):
    """Yield what a payment's object says; nothing if it is none."""
    if not isinstance(payment, dict) or not _is_id(payment.get("id")):
        log.error("an object that is no payment")
        return
    amount, cancelled, more, back, shop = (
        payment[name] if isinstance(payment.get(name), dict) else {}
        for name in ("amount", "cancellation_details", "metadata", "refunded_amount", "recipient")
    )
    said, reason = str(payment.get("status"))[:40], str(cancelled.get("reason", ""))[:60]
    state = STATES.get(said, "pending")
    if state == "paid" and payment.get("paid") is not True:
        state = "pending"
    yield Seen(
        id=payment["id"],
        state="expired" if (state, reason) == ("cancelled", "expired_on_confirmation") else state,
        amount=amounts.minor(amount.get("value")),
        currency=str(amount.get("currency", "")),
        refunded=amounts.minor(back.get("value")) or 0,
        tag=f"{more.get('bot')}:{more.get('row')}",
        account=str(shop.get("account_id")),
        test=payment.get("test") is True,
        said=f"{said} {reason}".strip(),
        why=f"yookassa.why_{WHY.get(reason, 'declined')}" if state == "cancelled" else "",
    )


def _returned(refund):
    state = {"succeeded": "done", "canceled": "refused"}.get(refund.get("status"), "asked")
    reason = (refund.get("cancellation_details") or {}).get("reason", "")
    return Returned(state, refund.get("id"), f"{refund.get('status')} {reason}".strip())
