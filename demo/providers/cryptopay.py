"""A stand-in for Crypto Pay: `start()` inside a program, or `python -m demo.providers.cryptopay --port N`.

It answers as the service's documents say, expires invoices, signs its callbacks and sends each up to 17 times in 3 days, and has
bad days to order (demo/providers/faults.py, and KINDS in cryptopay_app.py).
"""

import copy
import hmac
from decimal import Decimal

from demo.providers import cryptopay_rules as rules
from demo.providers.command import serve
from demo.providers.cryptopay_app import App
from demo.providers.service import Call, Service
from demo.providers.values import shortest

TOKEN = "7001:DEMO-crypto-pay-token"


def start(port=0, *, token=TOKEN, state_path=None, **settings):
    """Start an app at a Crypto Pay of its own on 127.0.0.1; return a Service with `.url` (…/api) and `.stop()`.

    `settings` are those of the app (SETTINGS in cryptopay_app.py), such as `callback_url`, `testnet` and `transfer`.
    """
    return Service(App(token, **settings), Api(), "/api", port, state_path)


class Api:
    """The calls of the API, and how it refuses."""

    async def open(self, app, request):
        """Return (place, handler, Call) of a request; raise ApiError when it is refused before any work."""
        given = request.headers.get("Crypto-Pay-API-Token", "")
        if not hmac.compare_digest(given.encode(), app.settings["token"].encode()):
            raise rules.refused("UNAUTHORIZED", 401)
        if app.settings["suspended"]:
            raise rules.refused("APP_SUSPENDED", 423)
        name = request.path.removeprefix("/api/")
        if name not in METHODS or request.method not in ("GET", "POST") or request.path == name:
            raise rules.refused("METHOD_NOT_FOUND", 405)
        place, handler = METHODS[name]
        call = Call(request.method, request.path, dict(request.query), await read_params(request))
        return place, in_envelope(handler), call

    def troubled(self, app, kind, body, status):
        """Return (body, status) of an answer that `kind` of trouble changes."""
        if kind in REFUSALS:
            refused = rules.refused(REFUSALS[kind], int(kind))
            return refused.body, refused.status
        if kind == "ok-400":
            return body, 400
        if kind == "not-ok-200":
            return rules.refused("INTERNAL", 500).body, 200
        if status == 200:
            body = copy.deepcopy(body)
            result = body["result"]
            if kind == "empty-items":
                result["items"] = []
            for one in result.get("items", [result]):
                change(app, kind, one)
        return body, status


REFUSALS = {"401": "UNAUTHORIZED", "403": "FORBIDDEN", "429": "TOO_MANY_REQUESTS", "500": "INTERNAL"}
CHANGES = {
    "wrong-amount": {"amount": "1"},
    "wrong-currency": {"fiat": "KZT"},
    "wrong-id": {"invoice_id": 999_999},
    "wrong-payload": {"payload": "999999:999999"},
    "null-payload": {"payload": None},
    "null-fiat": {"fiat": None},
    "unknown-status": {"status": "on_review"},
    "extra-keys": {"karma": 7, "more": {"and": ["more"]}},
}


def change(app, kind, shown):
    """Change one invoice of an answer as `kind` of trouble says."""
    invoice = app.invoices[shown["invoice_id"]]
    if kind == "stale":
        shown.clear()
        shown.update(copy.deepcopy(invoice.before))
    elif kind == "no-paid-amount":
        shown.pop("paid_amount", None)
    else:
        shown.update(CHANGES.get(kind, {}))


async def read_params(request):
    """Return the parameters: from the query, a form, multipart or JSON (help.send.tg, Crypto Pay API)."""
    found = dict(request.query)
    if request.content_type == "application/json" and request.can_read_body:
        try:
            body = await request.json()
        except ValueError:
            raise rules.refused("BODY_INVALID") from None
        if not isinstance(body, dict):
            raise rules.refused("BODY_INVALID")
        found |= body
    elif request.method == "POST":
        found |= dict(await request.post())
    return found


def in_envelope(handler):
    """Return the handler with its result in Crypto Pay's envelope."""
    return lambda app, call: {"ok": True, "result": copy.deepcopy(handler(app, call.body))}


def get_me(app, params):
    """Return the app itself."""
    own = app.settings
    return {"app_id": own["app_id"], "name": own["name"], "payment_processing_bot_username": own["bot"]}


def create_invoice(app, params):
    """Make an invoice; a repeat makes another one, as no key exists (help.send.tg, Crypto Pay API)."""
    return app.create(rules.checked_invoice(params, app.settings), params)


def delete_invoice(app, params):
    """Delete an invoice nobody has paid."""
    return app.delete(rules.whole(params, "invoice_id", None, 1, 1 << 53))


def get_invoices(app, params):
    """List invoices, newest first; those asked for by id are listed whatever their status."""
    offset, count, asked = rules.checked_page(params, {"asset", "fiat", "invoice_ids", "status"})
    if asked.get("status", "active") not in ("active", "paid"):
        raise rules.refused("STATUS_INVALID")
    if asked.get("fiat", "RUB") not in rules.FIATS or asked.get("asset", "USDT") not in rules.known_assets(
        app.settings
    ):
        raise rules.refused("CURRENCY_INVALID")
    ids = rules.ids_of(asked, "invoice_ids")
    rows = [
        one
        for one in reversed(app.listed())
        if (ids is None or one["invoice_id"] in ids)
        and all(one.get(name) == asked[name] for name in ("asset", "fiat", "status") if name in asked)
    ]
    return {"items": rows[offset : offset + count]}


def transfer(app, params):
    """Send coins to a person."""
    return app.transfer(rules.checked_transfer(params, app.settings))


def get_transfers(app, params):
    """List transfers, newest first."""
    offset, count, asked = rules.checked_page(params, {"asset", "transfer_ids", "spend_id"})
    ids = rules.ids_of(asked, "transfer_ids")
    rows = [
        one
        for one in reversed(app.transfers)
        if (ids is None or one["transfer_id"] in ids)
        and all(one[name] == asked[name] for name in ("asset", "spend_id") if name in asked)
    ]
    return {"items": rows[offset : offset + count]}


def get_balance(app, params):
    """Return what the app has of each asset."""
    return [
        {"currency_code": asset, "available": shortest(app.balance.get(asset, Decimal(0))), "onhold": "0"}
        for asset in rules.known_assets(app.settings)
    ]


def get_exchange_rates(app, params):
    """Return the rate of every asset in every fiat currency; some are currently not valid."""
    own = app.settings
    return [
        {
            "is_valid": asset not in own["invalid_rates"],
            "is_crypto": True,
            "is_fiat": False,
            "source": asset,
            "target": fiat,
            "rate": shortest(Decimal(own["usd_per"][asset]) * Decimal(per_usd)),
        }
        for asset in rules.known_assets(own)
        for fiat, per_usd in own["per_usd"].items()
    ]


def get_stats(app, params):
    """Return sums over everything there is."""
    paid = [one for one in app.listed() if one["status"] == "paid"]
    volume = sum(Decimal(one["paid_amount"]) * Decimal(one["paid_usd_rate"]) for one in paid)
    conversion = len(paid) / len(app.invoices) if app.invoices else 0
    counts = {"created_invoice_count": len(app.invoices), "paid_invoice_count": len(paid)}
    return {"volume": float(volume), "conversion": conversion, **counts}


METHODS = {
    "getMe": ("me", get_me),
    "createInvoice": ("create", create_invoice),
    "deleteInvoice": ("delete", delete_invoice),
    "getInvoices": ("list", get_invoices),
    "transfer": ("transfer", transfer),
    "getTransfers": ("transfers", get_transfers),
    "getBalance": ("balance", get_balance),
    "getExchangeRates": ("rates", get_exchange_rates),
    "getStats": ("stats", get_stats),
}


if __name__ == "__main__":
    serve(start, None, "CRYPTOPAY_TOKEN", "CRYPTOPAY_API_URL")
