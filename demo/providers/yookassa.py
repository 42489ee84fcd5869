"""A stand-in for YooKassa (API v3): `start()` inside a program, or `python -m demo.providers.yookassa --port N`.

It answers as the service's documents say, expires payments, and repeats notifications for 24 hours. Faults can be ordered
(demo/providers/faults.py, and KINDS in yookassa_shop.py). What the documents leave open is a setting of the shop.
"""

import base64
import binascii
import copy
import re
import uuid

from demo.providers import yookassa_rules as rules
from demo.providers.command import serve
from demo.providers.service import ApiError, Call, Service
from demo.providers.values import moment, stamp
from demo.providers.yookassa_shop import Shop, visible

SHOP_ID, SECRET_KEY = "500001", "test_demo-secret-key"
YEARS_3_S = 3 * 365 * 86400  # how far lists reach back, and refunds
STALE_S = 30  # how long a read with the trouble "stale" may lag behind


def start(port=0, *, shop_id=SHOP_ID, secret_key=SECRET_KEY, state_path=None, **settings):
    """Start a shop at a YooKassa of its own on 127.0.0.1; return a Service with `.url` (…/v3) and `.stop()`.

    `settings` are those of the shop (SETTINGS in yookassa_shop.py), such as `callback_url`, `test` and `receipts`.
    """
    return Service(Shop(shop_id, secret_key, **settings), Api(), "/v3", port, state_path)


class Api:
    """The calls of the API, and how it refuses."""

    async def open(self, shop, request):
        """Return (place, handler, Call) of a request; raise ApiError when it is refused before any work."""
        try:
            self._check_rights(shop, request)
            place, handler, groups = find(request.method, request.path)
            call = Call(request.method, request.path, dict(request.query), groups=groups)
            if request.method == "POST":
                call.body, call.key = await read_json(request), rules.key_of(request.headers)
            return place, answered(handler), call
        except ApiError as refused:
            raise finished(refused) from None

    def _check_rights(self, shop, request):
        """Compare shop id and secret key (HTTP Basic); a disabled shop may only call /me."""
        try:
            scheme, _, code = request.headers.get("Authorization", "").partition(" ")
            given = base64.b64decode(code, validate=True).decode() if scheme.lower() == "basic" else ""
        except (binascii.Error, ValueError):
            given = ""
        if given != f"{shop.settings['shop_id']}:{shop.settings['secret_key']}":
            raise rules.refused(
                "Authorization", "Error in shopId or secret key. Check their validity.", 401, "invalid_credentials"
            )
        if shop.settings["status"] != "enabled" and request.path != "/v3/me":
            raise rules.refused(None, "The shop is disabled", 403, "forbidden")

    def troubled(self, shop, kind, body, status):
        """Return (body, status) of an answer that `kind` of trouble changes."""
        if kind in REFUSALS:
            code, description, more = REFUSALS[kind]
            return {"type": "error", "id": str(uuid.uuid4()), "code": code, "description": description} | more, int(
                kind
            )
        if kind == "202":  # the older asynchronous way, which the SDK still knows; milliseconds
            return {"type": "processing", "description": "Request accepted", "retry_after": 800}, 202
        if status != 200:
            return body, status
        body = copy.deepcopy(body)
        for one in body.get("items", [body]):
            change(shop, kind, one)
        return body, status


REFUSALS = {
    "401": (
        "invalid_credentials",
        "Error in shopId or secret key. Check their validity.",
        {"parameter": "Authorization"},
    ),
    "403": ("forbidden", "The secret key has not enough rights", {}),
    "429": ("too_many_requests", "Too many requests", {"retry_after": 1500}),
    "500": ("internal_server_error", "Technical error. Repeat the request with the same key.", {}),
}


def finished(refused):
    """Return an error with its type and an id, which YooKassa's support asks for."""
    if refused.body is None:
        return refused
    return ApiError(refused.status, {"type": "error", "id": str(uuid.uuid4())} | refused.body)


def change(shop, kind, shown):
    """Change one object of an answer as `kind` of trouble says."""
    payment = shop.payments.get(shown["id"])
    if kind == "stale" and payment and shop.clock.now() < payment.changed_at + STALE_S:
        shown.clear()
        shown.update(copy.deepcopy(payment.before))
    elif kind == "no-amount":
        del shown["amount"]
    elif kind == "wrong-test":
        shown["test"] = not shown["test"]
    elif kind in CHANGES:
        for name, value in CHANGES[kind].items():
            shown[name] = shown.get(name, {}) | value if isinstance(value, dict) else value


CHANGES = {
    "wrong-amount": {"amount": {"value": "1.00"}},
    "wrong-currency": {"amount": {"currency": "KZT"}},
    "wrong-account": {"recipient": {"account_id": "999999"}},
    "wrong-id": {"id": "22d6d597-000f-5000-9000-145f6df21d6f"},
    "wrong-metadata": {"metadata": {"row": "999999", "bot": "999999"}},
    "unknown-status": {"status": "on_review"},
    "unknown-reason": {"cancellation_details": {"party": "space", "reason": "sunspots"}},
    "unknown-method": {"payment_method": {"type": "telepathy"}},
    "extra-keys": {"karma": 7, "more": {"and": ["more"]}},
    "paid-pending": {"paid": True, "status": "pending"},
}


async def read_json(request):
    """Return a POST's body, which must be JSON; a missing one is empty."""
    if not request.can_read_body:
        return {}
    if request.content_type != "application/json":
        raise ApiError(415, None)
    try:
        return await request.json()
    except ValueError:
        raise rules.refused(None, "The body is not JSON") from None


def find(method, path):
    """Return (place, handler, groups) of a path; raise ApiError 404 or 405."""
    fits = [(way, *rest, match) for way, pattern, *rest in ROUTES if (match := pattern.fullmatch(path))]
    if not fits:
        raise rules.refused(None, "There is no such path", 404, "not_found")
    for way, place, handler, match in fits:
        if way == method:
            return place, handler, match.groups()
    raise ApiError(405, None)


def answered(handler):
    """Return the handler with finished errors."""

    def answer(shop, call):
        try:
            return visible(copy.deepcopy(handler(shop, call)))
        except ApiError as refused:
            raise finished(refused) from None

    return answer


def create_payment(shop, call):
    """POST /payments."""

    def work():
        rules.check_payment(call.body, shop.settings)
        return shop.create(call.body)

    return shop.once(call, work)


def get_payment(shop, call):
    """GET /payments/{id}."""
    return payment_of(shop, call).object


def payment_of(shop, call):
    """Return the payment of a path, or refuse the call."""
    payment = shop.payments.get(call.groups[0])
    if payment is None:
        raise rules.refused(
            "payment_id", "Incorrect payment_id. Payment doesn't exist or access denied.", 404, "not_found"
        )
    return payment


def list_payments(shop, call):
    """GET /payments: newest first, with filters and pages, up to three years back (API reference, "List of payments")."""
    limit, filters = rules.check_query(call.query, rules.PAYMENT_FILTERS)
    shown = [payment.object for payment in shop.payments.values()]
    return page_of(shop, call, limit, [one for one in shown if fits(one, filters)])


def fits(shown, filters):
    """Return whether an object passes the filters."""
    for name, value in filters.items():
        field, _, way = name.partition(".")
        if field == "payment_method":
            if shown.get("payment_method", {}).get("type") != value:
                return False
        elif not way:
            if shown.get(field) != value:
                return False
        elif field not in shown or not COMPARE[way](moment(shown[field]), moment(value)):
            return False
    return True


COMPARE = {
    "gte": lambda one, other: one >= other,
    "gt": lambda one, other: one > other,
    "lte": lambda one, other: one <= other,
    "lt": lambda one, other: one < other,
}


def page_of(shop, call, limit, shown):
    """Return one page of objects (oldest first) as a list, newest first; the cursor names the last one of a page."""
    oldest = stamp(shop.clock.now() - YEARS_3_S)
    rows = [one for one in reversed(shown) if one["created_at"] >= oldest]
    if cursor := call.query.get("cursor"):
        ids = [one["id"] for one in rows]
        try:
            after = base64.urlsafe_b64decode(cursor).decode()
        except (binascii.Error, ValueError):
            after = ""
        if after not in ids:
            raise rules.refused("cursor", "Unknown cursor")
        rows = rows[ids.index(after) + 1 :]
    body = {"type": "list", "items": [visible(one) for one in rows[:limit]]}
    if len(rows) > limit:
        body["next_cursor"] = base64.urlsafe_b64encode(rows[limit - 1]["id"].encode()).decode()
    return body


def capture(shop, call):
    """POST /payments/{id}/capture."""
    payment = payment_of(shop, call)
    return shop.once(call, lambda: shop.capture(payment, call.body))


def cancel(shop, call):
    """POST /payments/{id}/cancel."""
    payment = payment_of(shop, call)
    return shop.once(call, lambda: shop.cancel(payment))


def create_refund(shop, call):
    """POST /refunds."""

    def work():
        id = call.body.get("payment_id") if isinstance(call.body, dict) else None
        payment = shop.payments.get(id) if isinstance(id, str) else None
        left = shop.left(payment) if payment else 0
        rules.check_refund(call.body, shop.settings, payment and payment.object, left)
        if moment(payment.object["created_at"]) < shop.clock.now() - YEARS_3_S:
            raise rules.refused("payment_id", "The payment is older than three years")
        return shop.refund(call.body)

    return shop.once(call, work)


def get_refund(shop, call):
    """GET /refunds/{id}."""
    refund = shop.refunds.get(call.groups[0])
    if refund is None:
        raise rules.refused(
            "refund_id", "Incorrect refund_id. Refund doesn't exist or access denied.", 404, "not_found"
        )
    return refund


def list_refunds(shop, call):
    """GET /refunds: as payments, and by `payment_id`."""
    limit, filters = rules.check_query(call.query, rules.REFUND_FILTERS)
    return page_of(shop, call, limit, [one for one in shop.refunds.values() if fits(one, filters)])


def get_me(shop, call):
    """GET /me: the shop itself."""
    own = shop.settings
    return {
        "account_id": own["shop_id"],
        "status": own["status"],
        "test": own["test"],
        "fiscalization": {"enabled": own["receipts"] != "off"},
        "payment_methods": own["methods"],
        "itn": "7707083893",
    }


ROUTES = [
    (method, re.compile(pattern), place, handler)
    for method, pattern, place, handler in [
        ("POST", "/v3/payments", "create", create_payment),
        ("GET", "/v3/payments", "list", list_payments),
        ("GET", "/v3/payments/([^/]+)", "read", get_payment),
        ("POST", "/v3/payments/([^/]+)/capture", "capture", capture),
        ("POST", "/v3/payments/([^/]+)/cancel", "cancel", cancel),
        ("POST", "/v3/refunds", "refund", create_refund),
        ("GET", "/v3/refunds", "refund-list", list_refunds),
        ("GET", "/v3/refunds/([^/]+)", "refund-read", get_refund),
        ("GET", "/v3/me", "me", get_me),
    ]
]


if __name__ == "__main__":
    serve(start, "YOOKASSA_SHOP_ID", "YOOKASSA_SECRET_KEY", "YOOKASSA_API_URL")
