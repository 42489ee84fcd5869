"""What YooKassa refuses (API v3): bodies, headers and queries checked as its documents say, and its error answers.

Unknown fields are refused too: the documents do not say so, but they are a client's mistake.
"""

import re
from decimal import Decimal
from urllib.parse import urlsplit

from demo.providers.service import ApiError
from demo.providers.values import decimal, moment

KEY = re.compile(r"[A-Za-z0-9+\-_.]{1,64}")  # Idempotence-Key: at most 64 characters of these
AMOUNT = re.compile(r"\d{1,12}\.\d{2}")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
PHONE = re.compile(r"\+?\d{7,15}")
CURRENCIES = set("RUB USD EUR KZT BYN UAH UZS TRY INR MDL AZN".split())
# Largest payment of each method, in roubles; a wallet's depends on its level, up to 250,000.
LARGEST = {"bank_card": 350_000, "sbp": 700_000, "yoo_money": 250_000, "mobile_balance": 5_000, "cash": 15_000}
METHODS = {
    "bank_card", "sbp", "yoo_money", "sberbank", "tinkoff_bank", "sber_loan", "sber_bnpl", "b2b_sberbank",
    "mobile_balance", "cash", "electronic_certificate", "alfa_pay",
}  # fmt: skip
CONFIRMATIONS = {
    "redirect": {"return_url", "locale", "enforce"},
    "embedded": {"locale"},
    "external": {"locale"},
    "qr": {"locale", "return_url"},
    "mobile_application": {"return_url", "locale"},
}
PAYMENT_FIELDS = {
    "amount", "capture", "confirmation", "description", "metadata", "payment_method_data", "receipt", "client_ip",
    "merchant_customer_id", "save_payment_method", "payment_method_id", "payment_token", "recipient", "airline",
    "transfers", "deal", "fraud_data",
}  # fmt: skip
REFUND_FIELDS = {"payment_id", "amount", "description", "receipt", "metadata", "sources", "deal", "refund_method_data"}
PERIODS = {f"{name}.{way}" for name in ("created_at", "captured_at") for way in ("gte", "gt", "lte", "lt")}
PAYMENT_FILTERS = PERIODS | {"status", "payment_method", "limit", "cursor"}
REFUND_FILTERS = {name for name in PERIODS if name.startswith("created")} | {"status", "payment_id", "limit", "cursor"}
ITEMS = {"yookassa": 80, "other": 100, "self-employed": 6}  # in one receipt, by who makes it


def refused(parameter, description, status=400, code="invalid_request", **more):
    """Return an error, with the `parameter` it is about unless that is None."""
    named = {} if parameter is None else {"parameter": parameter}
    return ApiError(status, {"code": code, "description": description} | named | more)


def key_of(headers):
    """Return a POST's Idempotence-Key, or refuse the call (developers, using-api/interaction-format)."""
    key = headers.get("Idempotence-Key", "")
    if not KEY.fullmatch(key):
        raise refused("Idempotence-Key", "Idempotence key is missing, longer than 64 characters or has strange ones")
    return key


def check_payment(body, settings):
    """Refuse a body of POST /payments that is wrong for this shop."""
    _known(body, PAYMENT_FIELDS)
    method = _method(body, settings)
    amount = _amount(body.get("amount"), settings["currency"])
    if amount > LARGEST.get(method, max(LARGEST.values())):
        raise refused("amount.value", "The amount is above the limit of the payment method")
    capture = body.get("capture", False)
    if not isinstance(capture, bool):
        raise refused("capture", "Want true or false")
    if method == "sbp" and not capture:  # SBP has no two-stage mode (developers, manual-integration/other/sbp)
        raise refused("capture", "Payments by SBP are captured at once")
    _text(body, "description", 128)
    _text(body, "merchant_customer_id", 200)
    _metadata(body.get("metadata", {}))
    if "confirmation" in body:
        _confirmation(body["confirmation"])
    _receipt(body, settings, amount)


def check_refund(body, settings, payment, left):
    """Refuse a body of POST /refunds; `payment` is the object it names or None, `left` what is not refunded yet."""
    _known(body, REFUND_FIELDS)
    if not isinstance(body.get("payment_id"), str) or payment is None:
        raise refused("payment_id", "There is no such payment")
    amount = _amount(body.get("amount"), payment["amount"]["currency"], least=Decimal("0.01"))
    _text(body, "description", 250)
    _metadata(body.get("metadata", {}))
    if payment["status"] != "succeeded":
        raise refused("payment_id", "The payment is not succeeded")
    if amount > left:
        raise refused("amount.value", "The amount is above what is left of the payment")
    method = payment["payment_method"]["type"]
    if method == "cash":
        raise refused("payment_id", "Payments in cash cannot be refunded")
    if method == "mobile_balance" and amount != Decimal(payment["amount"]["value"]):
        raise refused("amount.value", "Payments from a mobile balance are refunded in full only")
    _receipt(body, settings, amount)


def check_capture(body, payment):
    """Refuse a body of POST …/capture; it may lower the amount."""
    _known(body, {"amount", "receipt", "airline", "transfers", "deal"})
    if "amount" in body:
        asked = payment["amount"]
        if _amount(body["amount"], asked["currency"]) > Decimal(asked["value"]):
            raise refused("amount.value", "More than was held")


def check_query(query, known):
    """Refuse a list's query; return (limit, {name: value} of its filters)."""
    if strange := sorted(set(query) - known):
        raise refused(strange[0], "Unknown parameter")
    try:
        limit = int(query.get("limit", "10"))
    except ValueError:
        limit = 0
    if not 1 <= limit <= 100:
        raise refused("limit", "Want 1 to 100")
    for name in PERIODS & set(query):
        try:
            moment(query[name])
        except ValueError:
            raise refused(name, "Want a time in ISO 8601") from None
    return limit, {name: value for name, value in query.items() if name not in ("limit", "cursor")}


def _known(body, fields):
    if not isinstance(body, dict):
        raise refused(None, "Want a JSON object")
    if strange := sorted(set(body) - fields):
        raise refused(strange[0], "Unknown field")


def _method(body, settings):
    data = body.get("payment_method_data")
    if data is None:
        return None
    method = data.get("type") if isinstance(data, dict) else None
    if method not in METHODS or method not in settings["methods"]:
        raise refused("payment_method_data.type", "This shop has no such payment method")
    return method


def _amount(amount, currency, least=Decimal(1)):
    if not isinstance(amount, dict) or set(amount) != {"value", "currency"}:
        raise refused("amount", "Want value and currency")
    if not isinstance(amount["value"], str) or not AMOUNT.fullmatch(amount["value"]):
        raise refused("amount.value", "Want a string with two decimals")
    if amount["currency"] not in CURRENCIES or amount["currency"] != currency:
        raise refused("amount.currency", f"Want {currency}")
    if Decimal(amount["value"]) < least:
        raise refused("amount.value", f"Want at least {least}")
    return Decimal(amount["value"])


def _text(body, name, longest, required=False):
    if not required and name not in body:
        return
    if not isinstance(body.get(name), str) or not required <= len(body[name]) <= longest:
        raise refused(name, f"Want a text of at most {longest} characters")


def _metadata(metadata):
    """Refuse anything but at most 16 pairs of strings, names of up to 32 and values of up to 512 characters."""
    good = isinstance(metadata, dict) and len(metadata) <= 16
    if not good or not all(isinstance(v, str) and len(k) <= 32 and len(v) <= 512 for k, v in metadata.items()):
        raise refused("metadata", "Want at most 16 pairs of short strings")


def _confirmation(confirmation):
    kind = confirmation.get("type") if isinstance(confirmation, dict) else None
    if kind not in CONFIRMATIONS:
        raise refused("confirmation.type", "Unknown type")
    if strange := sorted(set(confirmation) - CONFIRMATIONS[kind] - {"type"}):
        raise refused(f"confirmation.{strange[0]}", "Unknown field")
    if confirmation.get("locale", "ru_RU") not in ("ru_RU", "en_US"):
        raise refused("confirmation.locale", "Want ru_RU or en_US")
    url = confirmation.get("return_url", "" if kind == "redirect" else "https://example.com")
    if not isinstance(url, str) or len(url) > 2048 or not is_address(url):
        raise refused("confirmation.return_url", "Want an address of at most 2048 characters")


def is_address(url):
    """Return whether a text is an absolute address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.scheme and (parts.netloc or parts.path))


def _receipt(body, settings, amount):
    """Check a receipt; shops with receipts (54-FZ) need one with each payment and refund."""
    receipt, maker = body.get("receipt"), settings["receipts"]
    if receipt is None and maker == "off":
        return
    if not isinstance(receipt, dict):
        raise refused("receipt", "Receipt is missing or illegal")
    _customer(receipt.get("customer"), maker)
    items = receipt.get("items")
    if not isinstance(items, list) or not 1 <= len(items) <= ITEMS.get(maker, 100):
        raise refused("receipt.items", "Want items, and not so many")
    total = sum(_item(item, settings["currency"]) for item in items)
    if total != amount:
        raise refused("receipt.items", f"The items are {total} together, the amount is {amount}")
    if receipt.get("tax_system_code", 1) not in range(1, 7):
        raise refused("receipt.tax_system_code", "Want 1 to 6")


def _customer(customer, maker):
    customer = customer if isinstance(customer, dict) else {}
    has_email = EMAIL.fullmatch(str(customer.get("email", "")))
    has_phone = PHONE.fullmatch(str(customer.get("phone", "")))
    if not has_email and (
        maker == "yookassa" or not has_phone
    ):  # YooKassa's own receipts go by e-mail only (developers, receipts/54fz/yoomoney/basics)
        raise refused("receipt.customer", "Want an e-mail" if maker == "yookassa" else "Want an e-mail or a phone")


def _item(item, currency):
    """Return an item's total, or refuse it."""
    if not isinstance(item, dict):
        raise refused("receipt.items", "Want objects")
    _text(item, "description", 128, required=True)
    try:
        quantity = decimal(str(item.get("quantity")))
    except ValueError:
        raise refused("receipt.items.quantity", "Want a positive number") from None
    if item.get("vat_code") not in range(1, 11) or isinstance(item.get("vat_code"), bool):
        raise refused("receipt.items.vat_code", "Want 1 to 10")
    return _amount(item.get("amount"), currency, least=Decimal("0.00")) * quantity
