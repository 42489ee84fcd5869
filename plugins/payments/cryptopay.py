"""Crypto by Crypto Pay (@CryptoBot): invoices in the shop's own currency, paid in the coins the operator accepts.

Telegram's terms want digital goods in its apps sold for Stars alone: what that means is in docs/payments.md.
Settings: CRYPTOPAY_TOKEN of the app (@CryptoBot, Crypto Pay, My Apps); empty, the default, turns it off. CRYPTOPAY_ASSETS, the
coins taken; `none` hides the button, while payments under way are followed to their end. CRYPTOPAY_TESTNET=1 for an app of
@CryptoTestnetBot; CRYPTOPAY_API_URL is for tests. Refunds are transfers, which the app's Security page has to allow; they go to who asked for the invoice.
Texts: cryptopay.* in data/texts/<lang>/payments/cryptopay.po.
"""

import hashlib
import hmac
import json
import logging
import re
from datetime import datetime
from decimal import ROUND_DOWN, Decimal, InvalidOperation

from core import amounts
from core.services.providers import Made, Provider, Refused, Returned, Seen, UnknownOutcome, read
from core.settings import names, url

log = logging.getLogger(__name__)
COINS = ("USDT", "TON", "BTC", "ETH", "LTC", "BNB", "TRX", "USDC")
# createInvoice takes these as `fiat`
CURRENCIES = set("USD EUR RUB BYN UAH GBP CNY KZT UZS GEL TRY AMD THB INR BRL IDR AZN AED PLN ILS".split())
HOSTS = {False: "https://pay.crypt.bot/api", True: "https://testnet-pay.crypt.bot/api"}
PAGE, SEARCHED = 1000, 5  # invoices in one answer; pages in which one of ours is looked for
STATES = {"paid": "paid", "expired": "expired"}  # any other is on its way
SMALLEST = Decimal("0.00000001")


def register(bot):
    """Declare the settings, and the app once it has a token."""
    token = bot.setting("CRYPTOPAY_TOKEN", app_token, default="", secret=True)
    coins = bot.setting("CRYPTOPAY_ASSETS", known_coins, default=("USDT", "TON", "BTC"))
    bot.setting("CRYPTOPAY_TESTNET", bool, default=False)
    bot.setting("CRYPTOPAY_API_URL", url, default="")
    if token and bot.settings["CURRENCY"] not in CURRENCIES:
        bot.settings.refuse(
            "CRYPTOPAY_TOKEN", f"one, with CURRENCY={bot.settings['CURRENCY']}", "a currency Crypto Pay knows"
        )
    elif token:
        bot.payment_provider(CryptoPay(bot), {"": "cryptopay.button"} if coins else {})


def app_token(text):
    """Parse an app's token."""
    if not re.fullmatch(r"\d{1,20}:[A-Za-z0-9_-]{5,200}", text):
        raise ValueError(text)
    return text


def known_coins(text):
    """Parse the coins that are taken; `none` takes none."""
    found = () if text == "none" else names(text.upper())
    if set(found) - {*COINS, "JET"}:
        raise ValueError(text)
    return found


class CryptoPay(Provider):
    """One app at Crypto Pay."""

    name, title = "cryptopay", "Crypto Pay"

    def __init__(self, bot):
        self._coins, self._token = bot.settings["CRYPTOPAY_ASSETS"], bot.settings["CRYPTOPAY_TOKEN"]
        self.account, self.test = self._token.partition(":")[0], bot.settings["CRYPTOPAY_TESTNET"]
        base = bot.settings["CRYPTOPAY_API_URL"] or HOSTS[self.test]
        self._http = bot.http(base, {"Crypto-Pay-API-Token": self._token})

    def _call(self, method, **params):
        """Return a method's result; what only reads goes as GET."""
        answer = (
            self._http.get(f"/{method}", **params)
            if method.startswith("get")
            else self._http.post(f"/{method}", params)
        )
        return _result(answer)

    def body(self, order):
        """Return the fields of an invoice in the shop's currency, with our number in it."""
        seconds = int(self.term.total_seconds())
        fields = {"currency_type": "fiat", "fiat": order.currency, "amount": amounts.decimal(order.amount)}
        fields |= {"accepted_assets": ",".join(self._coins), "description": order.text[:1024], "payload": order.tag}
        return fields | {"expires_in": seconds, "paid_btn_name": "openBot", "paid_btn_url": order.back}

    def create(self, order):
        """Have an invoice made. Crypto Pay knows no keys for that, so `find` looks for an earlier one first."""
        return _made(_result(self._http.post("/createInvoice", order.body)))

    def find(self, order):
        """Return the invoice that an earlier try has made after all: by its payload, among the newest."""
        for page in range(SEARCHED):
            items = _items(self._call("getInvoices", count=PAGE, offset=page * PAGE))
            for invoice in items:
                if invoice.get("payload") == order.tag and invoice.get("status") == "active":
                    return _made(invoice)
            if len(items) < PAGE:
                break
        return None

    def fetch(self, ids):
        """Yield the invoices of these numbers, all by one call."""
        for invoice in _items(self._call("getInvoices", invoice_ids=",".join(ids), count=PAGE)):
            yield from _seen(invoice)

    def recent(self, since):
        """Yield the invoices made since a time, newest first."""
        for page in range(1000):
            items = _items(self._call("getInvoices", count=PAGE, offset=page * PAGE))
            for invoice in items:
                yield from _seen(invoice)
            if len(items) < PAGE or all(_made_at(one) < since for one in items if _made_at(one)):
                break

    def discard(self, payment_id):
        """Delete an invoice whose link nobody has seen; one that was paid meanwhile stays, and is found again."""
        try:
            self._call("deleteInvoice", invoice_id=int(payment_id))
        except Refused as error:
            log.warning("invoice %s is not deleted: %s", payment_id, error.said)

    def refund(self, order, amount, key, again):
        """Send back the paid coins, or as large a part of them, to who asked for the invoice; `spend_id` is taken once."""
        if again:
            for transfer in _items(self._call("getTransfers", spend_id=key)):
                if transfer.get("spend_id") == key:
                    return Returned("done", str(transfer.get("transfer_id")), str(transfer.get("status")))
        coins, asset = _coins_of(order, amount)
        if order.payer is None or not coins:
            raise Refused("nobody to send it to" if order.payer is None else "what was paid is not known")
        sent = self._call("transfer", user_id=order.payer, asset=asset, amount=f"{coins:f}", spend_id=key)
        return Returned("done", str(sent.get("transfer_id")), str(sent.get("status")))

    def note(self, order, amount):
        """Tell the staff how many coins go, to whom, and that nobody knows the payer of an anonymous payment."""
        coins, asset = _coins_of(order, amount)
        anonymous = (order.details or {}).get("anonymous", True)
        return "cryptopay.note_anonymous" if anonymous else "cryptopay.note", {"coins": f"{coins:f}", "asset": asset}

    def called(self, call):
        """Return which invoice a signed callback is about: the signature is of the bytes as they came."""
        key = hashlib.sha256(self._token.encode()).digest()
        signed = hmac.new(key, call.body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(signed.encode(), call.headers.get("crypto-pay-api-signature", "").encode()):
            raise Refused("the signature is not right")
        invoice = json.loads(call.body)["payload"]
        return str(int(invoice["invoice_id"])), str(invoice.get("payload"))

    def check(self):
        """Return what is wrong with the app: another one, or one of the test net."""
        me = self._call("getMe")
        if str(me.get("app_id")) != self.account:
            return "cryptopay.other_app", {"app": str(me.get("app_id"))}
        return ("cryptopay.is_test", {}) if self.test else None


def _result(answer):
    """Return the result in the envelope of an answer; an envelope that contradicts its status tells nothing."""
    if answer.status >= 400 and b'"ok":true' in answer.body.replace(b" ", b""):
        raise UnknownOutcome(f"yes with status {answer.status}")
    data = read(answer)
    if data.get("ok") is not True or not isinstance(data.get("result"), dict | list | bool):
        raise UnknownOutcome("the answer is neither yes nor no")
    return data["result"]


def _items(result):
    found = result.get("items") if isinstance(result, dict) else None
    if not isinstance(found, list):
        raise UnknownOutcome("a list without items")
    return [one for one in found if isinstance(one, dict)]


def _made(invoice):
    number, link = (
        (invoice.get("invoice_id"), str(invoice.get("bot_invoice_url"))) if isinstance(invoice, dict) else (0, "")
    )
    if not isinstance(number, int) or number < 1 or not link.startswith(("https://", "http://")):
        raise UnknownOutcome("an invoice without a number or a link")
    return Made(str(number), link)


def _made_at(invoice):
    try:
        return datetime.fromisoformat(str(invoice.get("created_at")))
    except ValueError:
        return None


def _seen(invoice):
    """Yield what an invoice says; nothing if it has no number."""
    number, paid = invoice.get("invoice_id"), invoice.get("paid_amount")
    if not isinstance(number, int):
        log.error("an invoice without a number")
        return
    details = {"asset": str(invoice.get("paid_asset"))[:10], "amount": str(paid)[:40]} if paid else None
    yield Seen(
        id=str(number),
        state=STATES.get(str(invoice.get("status")), "pending"),
        amount=amounts.minor(invoice.get("amount")),
        currency=str(invoice.get("fiat", "")),
        tag=str(invoice.get("payload")),
        said=str(invoice.get("status"))[:40],
        details=details and details | {"anonymous": invoice.get("paid_anonymously") is not False},
    )


def _coins_of(order, amount):
    """Return (how many coins, which) an amount of a payment is worth: as many of those that were paid, rounded down."""
    try:
        paid = Decimal((order.details or {})["amount"])
    except (LookupError, InvalidOperation):
        return Decimal(0), ""
    return (paid * amount / order.amount).quantize(SMALLEST, ROUND_DOWN), order.details["asset"]
