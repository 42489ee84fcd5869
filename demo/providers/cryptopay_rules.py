"""What Crypto Pay refuses: tokens, methods and parameters checked as its documents say, and its error answers.

The complete list of error names is not published: all but UNAUTHORIZED and METHOD_NOT_FOUND are invented here, so a client
must not depend on them. Unknown parameters are refused too: they are a client's mistake.
"""

from demo.providers.service import ApiError
from demo.providers.values import decimal
from demo.providers.yookassa_rules import is_address

ASSETS = ("USDT", "TON", "BTC", "ETH", "LTC", "BNB", "TRX", "USDC")
TEST_ASSET = "JET"  # of the test net alone
FIATS = set("USD EUR RUB BYN UAH GBP CNY KZT UZS GEL TRY AMD THB INR BRL IDR AZN AED PLN ILS".split())
BUTTONS = {"viewItem", "openChannel", "openBot", "callback"}
LONGEST_S = 2_678_400  # 31 days, of expires_in
LEAST_USD, MOST_USD = 1, 25_000  # of one transfer, about
INVOICE_FIELDS = {
    "currency_type", "asset", "fiat", "accepted_assets", "amount", "swap_to", "description", "hidden_message", "payload",
    "paid_btn_name", "paid_btn_url", "allow_comments", "allow_anonymous", "expires_in",
}  # fmt: skip
TRANSFER_FIELDS = {"user_id", "asset", "amount", "spend_id", "comment", "disable_send_notification"}
PAGES = {"offset", "count"}


def refused(name, status=400):
    """Return an error in Crypto Pay's envelope."""
    return ApiError(status, {"ok": False, "error": {"code": status, "name": name}})


def checked_invoice(params, settings):
    """Return {field: value} of createInvoice, with types and defaults; refuse what is wrong."""
    _known(params, INVOICE_FIELDS)
    assets = known_assets(settings)
    kind = params.get("currency_type", "crypto")
    if kind not in ("crypto", "fiat"):
        raise refused("CURRENCY_TYPE_INVALID")
    currency = params.get("fiat" if kind == "fiat" else "asset")
    if kind == "fiat" and (currency not in FIATS or "asset" in params):
        raise refused("FIAT_INVALID")
    if kind == "crypto" and (currency not in assets or {"fiat", "accepted_assets"} & set(params)):
        raise refused("ASSET_INVALID")
    accepted = _text(params, "accepted_assets", 1024)
    accepted = list(assets) if accepted is None else accepted.split(",")
    if not set(accepted) <= set(assets):
        raise refused("ACCEPTED_ASSETS_INVALID")
    if params.get("swap_to", assets[0]) not in assets:
        raise refused("SWAP_TO_INVALID")
    _check_button(params)
    return {
        "kind": kind,
        "currency": currency,
        "accepted": accepted,
        "amount": amount_of(params),
        "description": _text(params, "description", 1024),
        "hidden_message": _text(params, "hidden_message", 2048),
        "payload": _text(params, "payload", 4096, in_bytes=True),
        "expires_in": whole(params, "expires_in", None, 1, LONGEST_S),
        "allow_comments": _switch(params, "allow_comments", True),
        "allow_anonymous": _switch(params, "allow_anonymous", True),
    }


def checked_transfer(params, settings):
    """Return {field: value} of transfer; refuse what is wrong in itself."""
    _known(params, TRANSFER_FIELDS)
    spend_id = _text(params, "spend_id", 64)
    if not spend_id:
        raise refused("SPEND_ID_INVALID")
    if params.get("asset") not in known_assets(settings):
        raise refused("ASSET_INVALID")
    user_id = whole(params, "user_id", None, 1, 1 << 53)
    if user_id is None or user_id in settings["strangers"]:  # only people who have used the bot can be paid
        raise refused("USER_NOT_FOUND")
    _switch(params, "disable_send_notification", False)
    return {
        "spend_id": spend_id,
        "asset": params["asset"],
        "user_id": user_id,
        "amount": amount_of(params),
        "comment": _text(params, "comment", 1024),
    }


def checked_page(params, more):
    """Return (offset, count, the other parameters) of a list."""
    _known(params, PAGES | more)
    offset = whole(params, "offset", 0, 0, 1 << 53)
    count = whole(params, "count", 100, 1, 1000)
    return offset, count, {name: value for name, value in params.items() if name in more}


def known_assets(settings):
    """Return the assets; the test net has one of its own."""
    return (*ASSETS, TEST_ASSET) if settings["testnet"] else ASSETS


def amount_of(params):
    """Return the amount as Decimal: amounts are strings."""
    try:
        return decimal(params.get("amount"))
    except ValueError:
        raise refused("AMOUNT_INVALID") from None


def ids_of(params, name):
    """Return the comma-joined numbers of a parameter, or None without one."""
    if name not in params:
        return None
    try:
        return [int(part) for part in str(params[name]).split(",")]
    except ValueError:
        raise refused(f"{name.upper()}_INVALID") from None


def whole(params, name, default, least, most):
    """Return a whole number, from JSON or as text."""
    value = params.get(name, default)
    if value is default:
        return value
    try:
        found = int(value) if isinstance(value, str) or (isinstance(value, int) and value is not True) else least - 1
    except ValueError:
        found = least - 1
    if not least <= found <= most:
        raise refused(f"{name.upper()}_INVALID")
    return found


def _switch(params, name, default):
    value = params.get(name, default)
    found = {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())
    if found is None:
        raise refused(f"{name.upper()}_INVALID")
    return found


def _text(params, name, longest, in_bytes=False):
    value = params.get(name)
    if name not in params:
        return None
    if not isinstance(value, str) or len(value.encode() if in_bytes else value) > longest:
        raise refused(f"{name.upper()}_INVALID")
    return value


def _check_button(params):
    """Refuse a button after the payment that has no address."""
    if params.get("paid_btn_name", "viewItem") not in BUTTONS:
        raise refused("PAID_BTN_NAME_INVALID")
    url = params.get("paid_btn_url", "")
    if ("paid_btn_name" in params) != bool(url) or (url and not (isinstance(url, str) and is_address(url))):
        raise refused("PAID_BTN_URL_INVALID")


def _known(params, fields):
    if strange := sorted(set(params) - fields):
        raise refused(f"UNKNOWN_PARAMETER_{strange[0].upper()}")
