"""Methods for Telegram Stars: invoices, the pre-checkout, refunds, the list of transactions.

Digital goods are sold in XTR only: no provider token, exactly one price item (Bot API, sendInvoice). A charge id
is the transaction's id; a refund is a second transaction under the same id (Bot API, StarTransaction).
"""

import json
import re
import secrets
from pathlib import Path

from demo.methods.sending import post
from demo.rules import CHECKOUT_S, TOO_OLD, bad

STARS_MAX = 100_000  # a price item in Stars: limits.tginfo.me
MONTH_S = 2_592_000  # the only subscription period (Bot API, createInvoiceLink)
SUBSCRIPTION_MAX = 10_000  # Stars (Bot API, createInvoiceLink)


def read_invoice(params):
    """Return the checked invoice of a call."""
    invoice = {
        "title": limited(params, "title", 32, "INVOICE_TITLE_INVALID"),
        "description": limited(params, "description", 255, "INVOICE_DESCRIPTION_INVALID"),
        "payload": limited(params, "payload", 128, "INVOICE_PAYLOAD_INVALID"),
        "start_parameter": params.text("start_parameter"),
        "currency": params.need("currency"),
    }
    if invoice["currency"] != "XTR":
        raise bad("CURRENCY_INVALID")
    if params.text("provider_token"):
        raise bad("PAYMENT_PROVIDER_INVALID")
    if not re.fullmatch(r"[A-Za-z0-9_-]{0,64}", invoice["start_parameter"]):
        raise bad("START_PARAM_INVALID")
    invoice["total_amount"] = read_price(params)
    invoice["period_s"] = params.number("subscription_period")
    return invoice


def limited(params, name, most, wrong):
    """Return a text that is required and has at most `most` bytes."""
    value = params.need(name)
    if len(value.encode()) > most and (name == "payload" or len(value) > most):
        raise bad(wrong)
    return value


def read_price(params):
    """Return the amount of the one price item, in Stars."""
    prices = params.json("prices", list, [])
    if len(prices) != 1:
        raise bad("STARS_INVOICE_INVALID")
    price = prices[0] if isinstance(prices[0], dict) else {}
    if not price.get("label") or not isinstance(price.get("amount"), int):
        raise bad('can\'t parse LabeledPrice: Field "amount" must be of type Integer')
    if not 1 <= price["amount"] <= STARS_MAX:
        raise bad("CURRENCY_TOTAL_AMOUNT_INVALID")
    period = params.number("subscription_period")
    if period and (period != MONTH_S or price["amount"] > SUBSCRIPTION_MAX):
        raise bad("SUBSCRIPTION_PERIOD_INVALID")
    return price["amount"]


# Telegram labels the button in the language of the payer's app; "" is for languages not listed
PAY = json.loads(Path(__file__).with_name("pay.json").read_text(encoding="utf-8"))


def send_invoice(world, params):
    """Send an invoice message; without a keyboard of its own it gets the Pay button."""
    invoice = read_invoice(params)
    shown = {key: invoice[key] for key in ("title", "description", "start_parameter", "currency", "total_amount")}
    pay = {"inline_keyboard": [[{"text": f"{_pay_word(world, params)} ⭐️{invoice['total_amount']}", "pay": True}]]}
    message = post(world, params, {"invoice": shown} if params.markup() else {"invoice": shown, "reply_markup": pay})
    world.chat(message["chat"]["id"]).invoices[message["message_id"]] = invoice
    return message


def _pay_word(world, params):
    """Return the word on the Pay button for the chat's person (English in a group)."""
    person = world.people.get(params.number("chat_id"))
    return PAY.get(person.language_code if person else "", PAY[""])


def create_invoice_link(world, params):
    """Return a link that anybody can pay."""
    invoice = read_invoice(params)
    link = f"https://t.me/${secrets.token_urlsafe(12)}"
    world.links[link] = invoice
    return link


def answer_pre_checkout_query(world, params):
    """Let a payment proceed or refuse it, once and within 10 seconds."""
    checkout = world.checkouts.get(params.need("pre_checkout_query_id"))
    if checkout is None or checkout["answer"] or world.clock.now() - checkout["at"] > CHECKOUT_S:
        raise bad(TOO_OLD)
    fine = params.flag("ok")
    if not fine and not params.text("error_message"):
        raise bad('parameter "error_message" is required')
    checkout["answer"] = {"ok": fine, "error": params.text("error_message")}
    checkout["done"].set()
    return True


def refund_star_payment(world, params):
    """Refund a payment."""
    user_id = params.number("user_id")
    if user_id not in world.people:
        raise bad("user not found")
    payment = world.payment(params.need("telegram_payment_charge_id"))
    if payment is None or payment["user_id"] != user_id:
        raise bad("CHARGE_NOT_FOUND")
    if payment["refunded_at"]:
        raise bad("CHARGE_ALREADY_REFUNDED")
    world.refund(payment)
    return True


def edit_user_star_subscription(world, params):
    """Cancel or re-enable the extension of a subscription, by the charge of its first payment (Bot API, editUserStarSubscription)."""
    payment = world.payment(params.need("telegram_payment_charge_id"))
    if payment is None or payment["user_id"] != params.number("user_id") or not payment.get("until"):
        raise bad("SUBSCRIPTION_NOT_FOUND")
    if payment["until"] <= world.clock.now():
        raise bad("SUBSCRIPTION_EXPIRED")
    payment["stopped"] = params.flag("is_canceled")
    return True


def transactions(world):
    """Return all StarTransactions, oldest first."""
    rows = []
    for payment in world.payments:
        partner = {
            "type": "user",
            "transaction_type": "invoice_payment",
            "user": world.people[payment["user_id"]].user(),
            "invoice_payload": payment["payload"],
        }
        partner |= {"subscription_period": MONTH_S} if payment.get("period_s") else {}
        row = {"id": payment["charge_id"], "amount": payment["amount"], "date": payment["date"], "source": partner}
        rows.append((payment["date"], row))
        if payment["refunded_at"]:
            back = {"id": row["id"], "amount": row["amount"], "date": payment["refunded_at"], "receiver": partner}
            rows.append((payment["refunded_at"], back))
    return [row for _, row in sorted(rows, key=lambda row: row[0])]


def get_star_transactions(world, params):
    """Return up to 100 transactions, oldest first."""
    limit, offset = params.number("limit", 100), params.number("offset")
    if not 1 <= limit <= 100 or offset < 0:
        raise bad("LIMIT_INVALID" if offset >= 0 else "OFFSET_INVALID")
    return {"transactions": transactions(world)[offset : offset + limit]}


def get_my_star_balance(world, _params):
    """Return the bot's Stars."""
    return {"amount": sum(row["amount"] if "source" in row else -row["amount"] for row in transactions(world))}


METHODS = {
    "sendInvoice": send_invoice,
    "createInvoiceLink": create_invoice_link,
    "answerPreCheckoutQuery": answer_pre_checkout_query,
    "refundStarPayment": refund_star_payment,
    "editUserStarSubscription": edit_user_star_subscription,
    "getStarTransactions": get_star_transactions,
    "getMyStarBalance": get_my_star_balance,
}
