"""An app at Crypto Pay without HTTP: invoices, transfers, and what payers do with them.

States of an invoice: active → paid | expired. Payers pay the exact sum from a wallet in the service's bot; the documents
have no under- or overpayment. Other sums, which tests can order, are for clients that trust nothing.
"""

import copy
import hashlib
import hmac
import itertools
import json
import secrets
from dataclasses import asdict, dataclass
from decimal import ROUND_UP, Decimal

from demo.providers import cryptopay_rules as rules
from demo.providers.admin import Refused
from demo.providers.faults import ANY, CALLBACKS
from demo.providers.page import way_back
from demo.providers.service import World
from demo.providers.values import shortest, stamp

TRIES, FIRST_WAIT_S, PERIOD_S = (
    17,
    10,
    3 * 86400,
)  # help.send.tg, Crypto Pay API 1.5.2 (March 2026): 17 attempts in 3 days
SIGNATURES = {"wrong-signature", "no-signature", "upper-signature", "other-body-signature", "old-token-signature"}
OBJECTS = {
    "stale", "wrong-amount", "wrong-currency", "wrong-id", "wrong-payload", "null-payload", "null-fiat", "no-paid-amount",
    "unknown-status", "extra-keys", "ok-400", "not-ok-200",
}  # fmt: skip
PLACES = Decimal("0.00000001")
USD_PER = {
    "USDT": "1",
    "TON": "2.4",
    "BTC": "91000",
    "ETH": "3050",
    "LTC": "84",
    "BNB": "880",
    "TRX": "0.28",
    "USDC": "1",
}
PER_USD = {
    "USD": "1", "EUR": "0.86", "RUB": "91.2", "BYN": "2.95", "UAH": "42", "GBP": "0.76", "CNY": "7.1", "KZT": "520",
    "UZS": "12000", "GEL": "2.7", "TRY": "42", "AMD": "382", "THB": "32.5", "INR": "89", "BRL": "5.35", "IDR": "16700",
    "AZN": "1.7", "AED": "3.67", "PLN": "3.65", "ILS": "3.25",
}  # fmt: skip
SETTINGS = {
    "name": "Demo",
    "app_id": 7001,
    "bot": "CryptoBot",
    "callback_url": None,
    "callback_timeout_s": 10,
    "callbacks_on": True,  # off for good after 17 tries, until the owner switches it on
    "testnet": False,
    "suspended": False,
    "transfer": False,  # the switch on the app's Security page, off at first
    "strangers": [],  # user ids that have never used the bot
    "usd_per": USD_PER | {rules.TEST_ASSET: "1"},
    "per_usd": PER_USD,
    "invalid_rates": ["BNB"],  # whose exchange rate is currently not valid
    "fee_percent": "3",  # the true ones are shown to each owner
    "spelling": "shortest",  # of amounts echoed: "shortest" ("199" for "199.00") or "sent"
    "home": None,
}

LATE = ("late", "kept")
PAGE_ACTS = {
    "open": ("pay", "decline", "expire", "less", "more", "twice", "never"),
    "expired": LATE,
    "returned": LATE,
    "paid": (),
}


@dataclass
class Invoice:
    """One invoice: its object as the API shows it, and what the API does not show."""

    object: dict
    back: str
    due: float | None  # when it expires
    before: dict  # the object before its last change
    deleted: bool = False
    returned: str = "0"  # arrived too late and went back


def waits():
    """Return the seconds between attempts: doubling from 10 s, with the last at 72 h. The true spacing is not published."""
    found = []
    for place in range(TRIES - 1):
        even = (PERIOD_S - sum(found)) / (TRIES - 1 - place)
        found.append(min(FIRST_WAIT_S * 2**place, even))
    return found


class App(World):
    """One app: its invoices by number, transfers and balance."""

    KINDS = {
        "*": ANY,
        "create": OBJECTS,
        "list": OBJECTS | {"empty-items"},
        **{
            name: {"ok-400", "not-ok-200"}
            for name in ("delete", "transfer", "transfers", "me", "balance", "rates", "stats")
        },
        "callback": CALLBACKS | SIGNATURES | {"same-update-id"},
    }

    def __init__(self, token, **settings):
        super().__init__(SETTINGS | {"token": token, "old_token": "1:old"} | settings)

    def forget(self):
        """Forget invoices and transfers."""
        self.invoices, self.transfers, self.balance = {}, [], {}
        self._number, self._update = itertools.count(1), itertools.count(1)
        self._update_id = 0

    def dump(self):
        """Return what outlives a restart."""
        return {
            "invoices": [asdict(invoice) for invoice in self.invoices.values()],
            "transfers": self.transfers,
            "balance": {asset: str(amount) for asset, amount in self.balance.items()},
            "update_id": self._update_id,
            "callbacks": self.courier.dump(),
        }

    def load(self, saved):
        """Restore what `dump` returned, with links to this server's address."""
        self.invoices = {one["object"]["invoice_id"]: Invoice(**one) for one in saved["invoices"]}
        self.transfers = saved["transfers"]
        self.balance = {asset: Decimal(amount) for asset, amount in saved["balance"].items()}
        self._number = itertools.count(len(self.invoices) + 1)
        self._update_id, self._update = saved["update_id"], itertools.count(saved["update_id"] + 1)
        self.courier.load(saved["callbacks"])
        for invoice in self.invoices.values():
            invoice.object |= self._links(invoice.object["hash"])

    # what the API does

    def create(self, asked, params):
        """Make an invoice from checked fields and return its object."""
        number, code, now = next(self._number), f"IV{secrets.token_hex(5)}", self.clock.now()
        due = None if asked["expires_in"] is None else now + asked["expires_in"]
        spelt = params["amount"] if self.settings["spelling"] == "sent" else shortest(asked["amount"])
        fiat = asked["kind"] == "fiat"
        made = {
            "invoice_id": number,
            "hash": code,
            "currency_type": asked["kind"],
            "fiat" if fiat else "asset": asked["currency"],
            "amount": spelt,
            **({"accepted_assets": asked["accepted"]} if fiat else {}),
            **self._links(code),
            "status": "active",
            "created_at": stamp(now),
            "allow_comments": asked["allow_comments"],
            "allow_anonymous": asked["allow_anonymous"],
        }
        made |= {name: asked[name] for name in ("description", "hidden_message", "payload") if asked[name] is not None}
        made |= {name: params[name] for name in ("paid_btn_name", "paid_btn_url", "swap_to") if name in params}
        if due is not None:
            made["expiration_date"] = stamp(due)
        self.invoices[number] = Invoice(made, params.get("paid_btn_url", ""), due, copy.deepcopy(made))
        return made

    def _links(self, code):
        page = f"{self.origin}/pay/{code}"
        names = ("bot_invoice_url", "mini_app_invoice_url", "web_app_invoice_url")
        return {name: f"{page}?by={name.partition('_')[0]}" for name in names}

    def delete(self, number):
        """Delete an active invoice; refuse anything else."""
        invoice = self.invoices.get(number)
        if invoice is None or invoice.deleted or invoice.object["status"] != "active":
            raise rules.refused("INVOICE_NOT_FOUND" if invoice is None or invoice.deleted else "INVOICE_NOT_ACTIVE")
        invoice.deleted, invoice.due = True, None
        return True

    def transfer(self, asked):
        """Send coins to a person; each `spend_id` is accepted once."""
        if not self.settings["transfer"]:
            raise rules.refused("METHOD_DISABLED", 403)
        if any(one["spend_id"] == asked["spend_id"] for one in self.transfers):
            raise rules.refused("SPEND_ID_ALREADY_USED")
        usd = asked["amount"] * Decimal(self.settings["usd_per"][asked["asset"]])
        if not rules.LEAST_USD <= usd <= rules.MOST_USD:
            raise rules.refused("AMOUNT_TOO_SMALL" if usd < rules.LEAST_USD else "AMOUNT_TOO_BIG")
        if self.balance.get(asked["asset"], 0) < asked["amount"]:
            raise rules.refused("NOT_ENOUGH_COINS")
        return self._sent(asked)

    def _sent(self, asked):
        self.balance[asked["asset"]] = self.balance.get(asked["asset"], Decimal(0)) - asked["amount"]
        made = {
            "transfer_id": len(self.transfers) + 1,
            "spend_id": asked["spend_id"],
            "user_id": asked["user_id"],
            "asset": asked["asset"],
            "amount": shortest(asked["amount"]),
            "status": "completed",
            "completed_at": stamp(self.clock.now()),
        }
        made |= {"comment": asked["comment"]} if asked.get("comment") else {}
        self.transfers.append(made)
        return made

    # what happens by itself

    def next_due(self):
        """Return when the next invoice expires, or None."""
        return min((one.due for one in self.invoices.values() if one.due is not None), default=None)

    def settle(self):
        """Expire what is due; there is no event for it."""
        now = self.clock.now()
        for invoice in [one for one in self.invoices.values() if one.due is not None and one.due <= now]:
            invoice.due = None
            self._change(invoice, status="expired")

    def taken(self, status):
        """Return whether a callback was accepted: by any 2xx here, as the codes are not published."""
        return status is not None and 200 <= status < 300

    def unheard(self, delivery):
        """Switch callbacks off after the last attempt, until the owner switches them on again (1.5.2)."""
        self.settings["callbacks_on"] = False

    # what people do

    def pay(self, invoice, body):
        """Pay: by default the exact sum, in the first accepted asset."""
        status = invoice.object["status"]
        if status == "expired" and body.get("late", "returned") == "returned":
            invoice.returned = shortest(Decimal(invoice.returned) + Decimal(invoice.object["amount"]))
            return invoice.object
        if status == "paid" or (invoice.deleted and body.get("late") != "kept"):
            raise Refused("the invoice is deleted" if invoice.deleted else f"the invoice is {status}")
        invoice.due = None
        self._change(invoice, **self._paid(invoice, body))
        self._tell(invoice)
        return invoice.object

    def pay_at_once(self):
        """Pay the newest invoice before the app has heard of it."""
        self.pay(self.payment("newest"), {})

    def _paid(self, invoice, body):
        """Return the fields that a payment adds."""
        shown, own = invoice.object, self.settings
        fiat = body.get("currency", shown.get("fiat"))
        asset = body.get("asset") or shown.get("asset") or shown["accepted_assets"][0]
        amount = Decimal(body.get("amount", shown["amount"]))
        usd = Decimal(own["usd_per"][asset])
        rate = (
            Decimal(str(body["rate"]))
            if "rate" in body
            else usd * Decimal(own["per_usd"][fiat])
            if fiat
            else Decimal(1)
        )
        paid = Decimal(body["paid_amount"]) if "paid_amount" in body else (amount / rate).quantize(PLACES, ROUND_UP)
        fee = (paid * Decimal(str(body.get("fee", own["fee_percent"]))) / 100).quantize(PLACES)
        self.balance[asset] = self.balance.get(asset, Decimal(0)) + paid - fee
        return {
            "status": "paid",
            "amount": shown["amount"] if "amount" not in body else shortest(amount),
            "paid_at": stamp(self.clock.now()),
            "paid_anonymously": bool(body.get("anonymous", False)),
            "paid_asset": asset,
            "paid_amount": shortest(paid),
            "paid_usd_rate": shortest(usd),
            "fee_asset": asset,
            "fee_amount": shortest(fee),
            "fee_in_usd": shortest(fee * usd),
            **({"fiat": fiat, "paid_fiat_rate": shortest(rate)} if fiat else {}),
            **({"comment": body["comment"]} if "comment" in body else {}),
        }

    def decline(self, invoice, _body):
        """Decline: the payer closes the page; the invoice stays active until it expires."""
        return invoice.object

    def expire(self, invoice, _body):
        """Expire now."""
        if invoice.object["status"] != "active":
            raise Refused(f"the invoice is {invoice.object['status']}")
        invoice.due = self.clock.now()
        self.settle()
        return invoice.object

    def alter(self, invoice, body):
        """Overwrite fields of the object, without an event."""
        self._change(invoice, **body)
        return invoice.object

    def list_transfers(self, _body):
        """Return all transfers."""
        return self.transfers

    def transfer_by_hand(self, body):
        """Send coins by hand, as the owner does in the bot."""
        asked = {"spend_id": body.get("spend_id", f"by-hand-{len(self.transfers)}"), "user_id": body["user_id"]}
        return self._sent(asked | {"asset": body["asset"], "amount": Decimal(body["amount"])})

    def regenerate_token(self, body):
        """Give the app another token."""
        self.settings["old_token"], self.settings["token"] = self.settings["token"], body["token"]
        return {}

    ACTS = {
        "pay": pay,
        "decline": decline,
        "expire": expire,
        "set": alter,
        "transfers": list_transfers,
        "transfer": transfer_by_hand,
        "regenerate_token": regenerate_token,
    }

    def payment(self, id):
        """Return an invoice by its number, deleted or not, or the newest; raise Refused without one."""
        found = None
        if id == "newest" and self.invoices:
            found = next(reversed(self.invoices.values()))
        elif id != "newest":
            found = self.invoices.get(int(id))
        if found is None:
            raise Refused(f"no invoice {id}")
        return found

    def listed(self):
        """Return the objects of invoices that are not deleted, oldest first."""
        return [invoice.object for invoice in self.invoices.values() if not invoice.deleted]

    def books(self):
        """Return {number: {status, amount, currency, asset, paid, fee, returned, payload}}."""
        return {
            str(number): {
                "status": "deleted" if one.deleted else one.object["status"],
                "amount": one.object["amount"],
                "currency": one.object.get("fiat") or one.object.get("asset"),
                "asset": one.object.get("paid_asset"),
                "paid": one.object.get("paid_amount", "0"),
                "fee": one.object.get("fee_amount", "0"),
                "returned": one.returned,
                "payload": one.object.get("payload"),
            }
            for number, one in self.invoices.items()
        }

    def message(self, invoice, changes=None, signature="", event="invoice_paid", repeat_id=False):
        """Return (event, body, headers) of a callback; `signature` is "" or a word of SIGNATURES."""
        if not repeat_id or not self._update_id:
            self._update_id = next(self._update)
        body = {
            "update_id": self._update_id,
            "update_type": event,
            "request_date": stamp(self.clock.now()),
            "payload": invoice.object | (changes or {}),
        }
        text = json.dumps(body, ensure_ascii=False)
        return event, text, self._headers(text.encode(), signature)

    def _headers(self, content, kind):
        """Return the headers, with the signature that `kind` names."""
        headers, own = {"Content-Type": "application/json"}, self.settings
        if kind == "no-signature":
            return headers
        token = own["old_token"] if kind == "old-token-signature" else own["token"]
        signed = sign(token, content + (b" " if kind == "other-body-signature" else b""))
        signed = {"wrong-signature": "0" * 64, "upper-signature": signed.upper()}.get(kind, signed)
        return headers | {"crypto-pay-api-signature": signed}

    def page(self, code):
        """Return what the payment page shows, or None."""
        invoice = next((one for one in self.invoices.values() if one.object["hash"] == code and not one.deleted), None)
        if invoice is None:
            return None
        shown, own = invoice.object, self.settings
        ended = "returned" if Decimal(invoice.returned) else "expired"
        state = {"active": "open", "paid": "paid", "expired": ended}[shown["status"]]
        value, currency = Decimal(shown["amount"]), shown.get("fiat") or shown["asset"]
        accepted = shown.get("accepted_assets") or [shown["asset"]]
        prices = [(asset, self._price(value, shown.get("fiat"), asset)) for asset in accepted]
        strange = [asset for asset in rules.known_assets(own) if asset not in accepted]
        return {
            "id": str(shown["invoice_id"]),
            "accent": "crypto",
            "shop": own["name"],
            "amount": (value, currency),
            "what": shown.get("description"),
            "status": state,
            "test": own["testnet"],
            "back": way_back(invoice.back or f"https://t.me/{own['bot']}", own["home"]),
            "ends_at": invoice.due,
            "acts": (*PAGE_ACTS[state], *(["other"] if strange and state == "open" else [])),
            "choice": ("asset", prices),
            "other": strange[0] if strange else "",
        }

    def _price(self, value, fiat, asset):
        rate = (
            Decimal(self.settings["usd_per"][asset]) * Decimal(self.settings["per_usd"][fiat]) if fiat else Decimal(1)
        )
        return f"{shortest((value / rate).quantize(PLACES, ROUND_UP))} {asset}"

    # how the objects change

    def _change(self, invoice, **fields):
        invoice.before = copy.deepcopy(invoice.object)
        invoice.object |= fields
        self.changed()

    def _tell(self, invoice):
        if not self.settings["callbacks_on"]:
            return
        signature = self.troubles.take("callback", SIGNATURES)
        repeat_id = bool(self.troubles.take("callback", ("same-update-id",)))
        message = self.message(invoice, signature=signature.kind if signature else "", repeat_id=repeat_id)
        old = self.message(Invoice(invoice.before, "", None, {}), repeat_id=True)
        self.send(str(invoice.object["invoice_id"]), message, waits(), old)


def sign(token, content):
    """Return crypto-pay-api-signature: hex of HMAC-SHA-256 over the raw bytes; the key is the SHA-256 of the token."""
    return hmac.new(hashlib.sha256(token.encode()).digest(), content, hashlib.sha256).hexdigest()
