"""A shop at YooKassa without HTTP: payments, refunds, and what payers, banks and the cabinet do.

States: pending → [waiting_for_capture →] succeeded | canceled; the last two are final (developers, payment-process). Money
for a canceled payment goes straight back.
"""

import copy
import json
import uuid
from dataclasses import asdict, dataclass
from decimal import Decimal

from demo.providers import yookassa_rules as rules
from demo.providers.admin import Refused
from demo.providers.faults import ANY, CALLBACKS
from demo.providers.page import way_back
from demo.providers.service import World
from demo.providers.values import money, stamp

TO_PAY_S = 3600  # for cards, SBP, the wallet and SberPay (developers, payment-methods)
TO_CAPTURE_S = 7 * 86400
KEY_LIFE_S = 86400  # from the first request (developers, using-api/interaction-format)
REFUND_S = 60  # of a refund that is pending first
# Seconds between attempts of a notification: it is repeated for 24 hours (developers, using-api/webhooks), how often is not
# published.
WAITS = [10, 60, 300, 900, 3600, *[7200] * 11]
EVENTS = ["payment.waiting_for_capture", "payment.succeeded", "payment.canceled", "refund.succeeded"]
EVENT_OF = {name.partition(".")[2]: name for name in EVENTS[:3]}
OBJECTS = {
    "stale", "wrong-amount", "wrong-currency", "wrong-account", "wrong-test", "wrong-id", "wrong-metadata",
    "unknown-status", "unknown-reason", "unknown-method", "extra-keys", "paid-pending", "no-amount",
}  # fmt: skip
SETTINGS = {
    "name": "Demo",
    "callback_url": None,
    "callback_timeout_s": 10,
    "events": EVENTS,  # ticked in the cabinet
    "test": True,
    "status": "enabled",
    "currency": "RUB",
    "receipts": "off",  # or who makes them: yookassa, other, self-employed
    "methods": ["bank_card", "sbp", "yoo_money", "sberbank"],
    "fee_percent": "3.5",  # the true rates stand in each shop's cabinet
    "repeat": "current",  # what a repeated key returns: "current" or "first"; the documents do not say
    "other_body": "refuse",  # the same key with another body: "refuse" or "first"; the documents do not say
    "home": None,  # where the payment page leads back to, instead of a return_url in Telegram
}


@dataclass
class Payment:
    """One payment: its object as the API shows it, and what the API does not show."""

    object: dict
    capture: bool
    return_url: str
    due: float | None  # when it ends by itself
    before: dict  # the object before its last change
    changed_at: float = 0.0
    returned: str = "0.00"  # arrived too late and went back
    clawed_back: str = "0.00"  # chargebacks


class Shop(World):
    """One shop: its payments by id, its refunds by id, its idempotence keys."""

    KINDS = {
        "*": ANY | {"202"},
        "create": OBJECTS,
        "read": OBJECTS,
        "list": OBJECTS,
        "refund": {"pending", "pending-canceled", "canceled"},
        **{name: set() for name in ("refund-read", "refund-list", "capture", "cancel", "me")},
        "callback": CALLBACKS,
    }
    WORK = {"pending", "pending-canceled", "canceled"}

    def __init__(self, shop_id, secret_key, **settings):
        super().__init__(SETTINGS | {"shop_id": shop_id, "secret_key": secret_key} | settings)

    def forget(self):
        """Forget payments, refunds and keys."""
        self.payments, self.refunds, self.keys = {}, {}, {}

    def dump(self):
        """Return what outlives a restart."""
        payments = {id: asdict(payment) for id, payment in self.payments.items()}
        return {"payments": payments, "refunds": self.refunds, "keys": self.keys, "callbacks": self.courier.dump()}

    def load(self, saved):
        """Restore what `dump` returned, with links to this server's address."""
        self.payments = {id: Payment(**one) for id, one in saved["payments"].items()}
        self.refunds, self.keys = saved["refunds"], saved["keys"]
        self.courier.load(saved["callbacks"])
        for payment in self.payments.values():
            if "confirmation_url" in payment.object.get("confirmation", {}):
                payment.object["confirmation"]["confirmation_url"] = self._page_of(payment.object["id"])

    # what the API does

    def once(self, call, work):
        """Do a POST's work once for its key: the same key with the same data returns what was made.

        A refused call leaves its key free, as nothing was made.
        """
        now, said = self.clock.now(), [call.path, call.body]
        known = self.keys.get(call.key)
        if known and now < known["at"] + KEY_LIFE_S:
            if known["said"] != said and self.settings["other_body"] == "refuse":
                raise rules.refused("Idempotence-Key", "The key was used with other data")
            if self.settings["repeat"] == "first":
                return known["answer"]
            return (self.refunds if known["is_refund"] else self._objects())[known["id"]]
        made = work()
        self.keys[call.key] = {
            "at": now,
            "said": copy.deepcopy(said),
            "id": made["id"],
            "is_refund": "payment_id" in made,
            "answer": copy.deepcopy(made),
        }
        return made

    def _objects(self):
        return {id: payment.object for id, payment in self.payments.items()}

    def create(self, body):
        """Make a payment from a checked body and return its object."""
        id, now = self._new_id(), self.clock.now()
        made = {
            "id": id,
            "status": "pending",
            "amount": dict(body["amount"]),
            "recipient": {"account_id": self.settings["shop_id"], "gateway_id": "900001"},
            "created_at": stamp(now),
            "paid": False,
            "refundable": False,
            "test": self.settings["test"],
            "metadata": dict(body.get("metadata", {})),
        }
        if "payment_method_data" in body:
            made["payment_method"] = {"type": body["payment_method_data"]["type"], "id": id, "saved": False}
        made |= {name: body[name] for name in ("description", "merchant_customer_id") if name in body}
        if "receipt" in body:
            made["receipt_registration"] = "pending"
        confirmation = body.get("confirmation", {})
        if confirmation:
            made["confirmation"] = self._confirmation(id, confirmation)
        back = confirmation.get("return_url", "")
        self.payments[id] = Payment(made, body.get("capture", False), back, now + TO_PAY_S, copy.deepcopy(made))
        return made

    def _confirmation(self, id, asked):
        kept = {"type": asked["type"]} | {name: asked[name] for name in ("return_url", "enforce") if name in asked}
        if asked["type"] in ("redirect", "mobile_application"):
            return kept | {"confirmation_url": self._page_of(id)}
        more = {"embedded": {"confirmation_token": f"ct-{id}"}, "qr": {"confirmation_data": self._page_of(id)}}
        return kept | more.get(asked["type"], {})

    def _page_of(self, id):
        return f"{self.origin}/pay/{id}"

    def _new_id(self):
        """Return an id of 36 characters."""
        return str(uuid.uuid4())

    def capture(self, payment, body):
        """Capture held money, all of it or less."""
        if payment.object["status"] != "waiting_for_capture":
            raise rules.refused("payment_id", "The payment is not waiting for capture")
        rules.check_capture(body, payment.object)
        self._succeed(payment, body.get("amount") or payment.object["amount"])
        return payment.object

    def cancel(self, payment):
        """Release held money; a pending payment cannot be cancelled (API reference, "Cancel a payment")."""
        if payment.object["status"] != "waiting_for_capture":
            raise rules.refused("payment_id", "The payment is not waiting for capture")
        self._cancel(payment, "merchant", "canceled_by_merchant")
        return payment.object

    def refund(self, body):
        """Make a refund from a checked body and return it."""
        order = self.troubles.take("refund", self.WORK)
        fate = order.kind if order else "succeeded"
        payment = self.payments[body["payment_id"]]
        made = {
            "id": self._new_id(),
            "payment_id": payment.object["id"],
            "status": "pending",
            "created_at": stamp(self.clock.now()),
            "amount": dict(body["amount"]),
        }
        made |= {name: body[name] for name in ("description", "metadata") if name in body}
        self.refunds[made["id"]] = made
        if fate.startswith("pending"):
            made["_ends"] = [self.clock.now() + REFUND_S, "canceled" if fate != "pending" else "succeeded"]
        else:
            self.end_refund(made, fate)
        return made

    def left(self, payment):
        """Return how much of a payment can still be refunded: pending refunds count as given back."""
        waiting = sum(
            Decimal(one["amount"]["value"])
            for one in self.refunds.values()
            if one["payment_id"] == payment.object["id"] and one["status"] == "pending"
        )
        given = Decimal(payment.object.get("refunded_amount", {}).get("value", 0))
        return Decimal(payment.object["amount"]["value"]) - given - waiting

    def end_refund(self, refund, status, reason="insufficient_funds", tell=True):
        """End a refund; only a succeeded one has an event."""
        refund.pop("_ends", None)
        refund["status"] = status
        if status == "canceled":
            refund["cancellation_details"] = {"party": "refund_network", "reason": reason}
            return
        payment = self.payments[refund["payment_id"]]
        value = Decimal(refund["amount"]["value"]) + Decimal(payment.object["refunded_amount"]["value"])
        self._change(payment, refunded_amount=payment.object["amount"] | {"value": money(value)})
        payment.object["refundable"] = self.left(payment) > 0
        if tell:
            self._tell("refund.succeeded", refund)

    # what happens by itself

    def next_due(self):
        """Return when the next payment runs out or the next refund ends, or None."""
        moments = [payment.due for payment in self.payments.values() if payment.due is not None]
        moments += [refund["_ends"][0] for refund in self.refunds.values() if "_ends" in refund]
        return min(moments, default=None)

    def settle(self):
        """End what is due."""
        now = self.clock.now()
        for payment in [one for one in self.payments.values() if one.due is not None and one.due <= now]:
            held = payment.object["status"] == "waiting_for_capture"
            self._cancel(payment, "yoo_money", "expired_on_capture" if held else "expired_on_confirmation")
        for refund in [one for one in self.refunds.values() if "_ends" in one and one["_ends"][0] <= now]:
            self.end_refund(refund, refund["_ends"][1])

    def taken(self, status):
        """Return whether a notification was accepted: only by HTTP 200 (developers, using-api/webhooks)."""
        return status == 200

    # what people do

    def pay(self, payment, body):
        """Pay: the payer's money arrives."""
        status, late = payment.object["status"], body.get("late", "returned")
        asked = payment.object["amount"]
        amount = {"value": body.get("amount", asked["value"]), "currency": body.get("currency", asked["currency"])}
        if status == "canceled" and late == "returned":
            payment.returned = money(Decimal(payment.returned) + Decimal(amount["value"]))
            return payment.object
        if status not in ("pending", "canceled"):
            raise Refused(f"the payment is {status}")
        self._choose(payment, body.get("method"))
        if payment.capture and not body.get("hold"):
            self._succeed(payment, amount)
        else:
            self._hold(payment, amount)
        return payment.object

    def pay_at_once(self):
        """Pay the newest payment before the shop has heard of it."""
        self.pay(self.payment("newest"), {})

    def _choose(self, payment, method):
        """Note the payment method once the payer has chosen it."""
        chosen = payment.object.get("payment_method", {}).get("type")
        if method and chosen and method != chosen:
            raise Refused(f"this payment is by {chosen}")
        kind = method or chosen or self.settings["methods"][0]
        about = {"type": kind, "id": payment.object["id"], "saved": False}
        if kind == "bank_card":
            card = {"first6": "555555", "last4": "4444", "expiry_year": "2030", "expiry_month": "12"}
            about |= {"title": "Bank card *4444", "card": card | {"card_type": "MasterCard", "issuer_country": "RU"}}
        payment.object["payment_method"] = about

    def decline(self, payment, body):
        """Decline: the bank or the payer says no, and the payment is over."""
        if payment.object["status"] != "pending":
            raise Refused(f"the payment is {payment.object['status']}")
        self._choose(payment, body.get("method"))
        self._cancel(payment, body.get("party", "payment_network"), body.get("reason", "general_decline"))
        return payment.object

    def expire(self, payment, _body):
        """Expire now."""
        if payment.due is None:
            raise Refused(f"the payment is {payment.object['status']}")
        payment.due = self.clock.now()
        self.settle()
        return payment.object

    def refund_in_cabinet(self, payment, body):
        """Refund behind the bot's back."""
        amount = payment.object["amount"] | {"value": body.get("amount", money(self.left(payment)))}
        if payment.object["status"] != "succeeded" or Decimal(amount["value"]) > self.left(payment):
            raise Refused("there is not so much to refund")
        return self.refund({"payment_id": payment.object["id"], "amount": amount})

    def charge_back(self, payment, body):
        """Take money back, as the payer's bank does; no event for it is documented, so only the object shows it."""
        value = body.get("amount", money(self.left(payment)))
        if payment.object["status"] != "succeeded" or Decimal(value) > self.left(payment):
            raise Refused("there is not so much to take back")
        payment.clawed_back = money(Decimal(payment.clawed_back) + Decimal(value))
        given = Decimal(payment.object["refunded_amount"]["value"]) + Decimal(value)
        self._change(payment, refunded_amount=payment.object["amount"] | {"value": money(given)})
        payment.object["refundable"] = self.left(payment) > 0
        return payment.object

    def alter(self, payment, body):
        """Overwrite fields of the object, without an event."""
        self._change(payment, **body)
        return payment.object

    def list_refunds(self, _body):
        """Return all refunds."""
        return [visible(refund) for refund in self.refunds.values()]

    def settle_refunds(self, body):
        """End all pending refunds now."""
        for refund in [one for one in self.refunds.values() if one["status"] == "pending"]:
            self.end_refund(refund, body.get("status", "succeeded"), body.get("reason", "insufficient_funds"))
        return self.list_refunds(body)

    ACTS = {
        "pay": pay,
        "decline": decline,
        "expire": expire,
        "refund": refund_in_cabinet,
        "chargeback": charge_back,
        "set": alter,
        "refunds": list_refunds,
        "settle_refunds": settle_refunds,
    }

    def payment(self, id):
        """Return a payment by its id, or the newest; raise Refused without one."""
        if not self.payments or (id != "newest" and id not in self.payments):
            raise Refused(f"no payment {id}")
        return self.payments[id] if id != "newest" else next(reversed(self.payments.values()))

    def listed(self):
        """Return the objects, oldest first."""
        return list(self._objects().values())

    def books(self):
        """Return {id: {status, amount, currency, refunded, income, returned, metadata, test}}; amounts as in the API."""
        return {
            id: {
                "status": one.object["status"],
                "amount": one.object["amount"]["value"],
                "currency": one.object["amount"]["currency"],
                "refunded": one.object.get("refunded_amount", {}).get("value", "0.00"),
                "income": one.object.get("income_amount", {}).get("value", "0.00"),
                "returned": one.returned,
                "metadata": one.object["metadata"],
                "test": one.object["test"],
            }
            for id, one in self.payments.items()
        }

    def message(self, payment, event=None, changes=None):
        """Return (event, body, headers) of a notification about a payment; `changes` are put into its object."""
        event = event or EVENT_OF.get(payment.object["status"], "payment.succeeded")
        shown = payment.object
        if event.startswith("refund"):
            mine = [one for one in self.refunds.values() if one["payment_id"] == payment.object["id"]]
            if not mine:
                raise Refused("the payment has no refund")
            shown = mine[-1]
        return notification(event, shown | (changes or {}))

    def page(self, id):
        """Return what the payment page shows, or None."""
        if id not in self.payments:
            return None
        payment = self.payments[id]
        shown = payment.object
        value, currency = Decimal(shown["amount"]["value"]), shown["amount"]["currency"]
        state = page_state(payment)
        chosen = shown.get("payment_method", {}).get("type")
        methods = [chosen] if chosen else self.settings["methods"]
        return {
            "id": id,
            "accent": "yookassa",
            "shop": self.settings["name"],
            "amount": (value, currency),
            "what": shown.get("description"),
            "status": state,
            "test": shown["test"],
            "back": way_back(payment.return_url, self.settings["home"]),
            "ends_at": payment.due,
            "acts": PAGE_ACTS[state],
            "choice": ("method", [(name, name) for name in methods]),
            "other": "",
        }

    # how the objects change

    def _hold(self, payment, amount):
        payment.due = self.clock.now() + TO_CAPTURE_S
        self._change(
            payment,
            status="waiting_for_capture",
            paid=True,
            amount=amount,
            expires_at=stamp(payment.due),
            confirmation=None,
        )
        self._tell_of(payment)

    def _succeed(self, payment, amount):
        value = Decimal(amount["value"])
        fee = (value * Decimal(self.settings["fee_percent"]) / 100).quantize(Decimal("0.01"))
        payment.due = None
        more = {} if "receipt_registration" not in payment.object else {"receipt_registration": "succeeded"}
        self._change(
            payment,
            status="succeeded",
            paid=True,
            amount=dict(amount),
            income_amount=amount | {"value": money(value - fee)},
            captured_at=stamp(self.clock.now()),
            refundable=True,
            refunded_amount=amount | {"value": "0.00"},
            confirmation=None,
            expires_at=None,
            cancellation_details=None,
            **more,
        )
        self._tell_of(payment)

    def _cancel(self, payment, party, reason):
        payment.due = None
        details = {"party": party, "reason": reason}
        self._change(
            payment, status="canceled", paid=False, cancellation_details=details, confirmation=None, expires_at=None
        )
        self._tell_of(payment)

    def _change(self, payment, **fields):
        """Change an object; None removes a field."""
        payment.before, payment.changed_at = copy.deepcopy(payment.object), self.clock.now()
        payment.object |= fields
        for name in [name for name, value in fields.items() if value is None]:
            del payment.object[name]
        self.changed()

    def _tell_of(self, payment):
        stale = "canceled" if payment.object["status"] != "canceled" else "succeeded"
        old = (f"payment.{stale}", payment.before | {"status": stale})
        self._tell(EVENT_OF[payment.object["status"]], payment.object, old)

    def _tell(self, event, shown, old=None):
        """Send a notification, if the event is ticked in the cabinet; its body is the object as of the change."""
        if event in self.settings["events"]:
            about = shown.get("payment_id", shown["id"])
            self.send(about, notification(event, shown), WAITS, old and notification(*old))


LATE = ("late", "kept")
PAGE_ACTS = {
    "open": ("pay", "decline", "expire", "less", "more", "twice", "never"),
    "expired": LATE,
    "declined": LATE,
    "returned": LATE,
    "held": (),
    "paid": ("refund",),
    "refunded": (),
}


def page_state(payment):
    """Return the page's word for a payment's state."""
    shown = payment.object
    if shown["status"] == "succeeded":
        return "paid" if shown["refundable"] else "refunded"
    if shown["status"] == "canceled":
        is_expired = shown["cancellation_details"]["reason"].startswith("expired")
        return "returned" if Decimal(payment.returned) else "expired" if is_expired else "declined"
    return {"pending": "open", "waiting_for_capture": "held"}[shown["status"]]


def visible(refund):
    """Return a refund as the API shows it."""
    return {name: value for name, value in refund.items() if name != "_ends"}


def notification(event, shown):
    """Return (event, body, headers); there is no signature, so a receiver has to ask the API."""
    body = {"type": "notification", "event": event, "object": visible(shown)}
    return event, json.dumps(body, ensure_ascii=False), {"Content-Type": "application/json"}
