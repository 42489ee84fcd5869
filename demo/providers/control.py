"""Clients for the stand-ins' control plane, for tests.

shop = YooKassaControl(server.origin)
shop.settings(callback_url="http://127.0.0.1:8080/yookassa")
shop.pay()  # the newest payment; shop.pay(id, method="sbp", callback="twice")
assert shop.payment()["status"] == "succeeded"
"""

import urllib3

TIMEOUT_S = 60


class Control:
    """The remote control of one stand-in; `url` is its origin or any address on it."""

    def __init__(self, url):
        parts = urllib3.util.parse_url(url)
        self.origin = f"http://{parts.host}:{parts.port}"
        self._pool = urllib3.PoolManager(maxsize=8, timeout=TIMEOUT_S, retries=False)

    def payments(self):
        """Return all payments, oldest first, as the API shows them; this does not count as a call of the API."""
        return self._get("payments")

    def payment(self, id=None):
        """Return one payment, the newest by default."""
        return next(one for one in reversed(self.payments()) if id in (None, self.id_of(one)))

    def pay(self, id=None, **how):
        """Pay as the payer, by default the newest payment; return it.

        `callback`: once (if left out), twice, four (at once), never, late (23 h), old-body (the true one, then a stale one).
        `amount`, `currency`: another sum than was asked. `late`: what happens to money for a payment that has ended:
        "returned" or "kept". More is with each provider.
        """
        return self._act("pay", id, how)

    def decline(self, id=None, **how):
        """Decline as the payer or the payer's bank; return the payment."""
        return self._act("decline", id, how)

    def expire(self, id=None, **how):
        """Let the time to pay run out now; return the payment."""
        return self._act("expire", id, how)

    def callbacks(self, id=None):
        """Return the callbacks, oldest first: {id, event, body, headers, waits, tries: [{at, status}]}."""
        return [one for one in self._get("callbacks") if id in (None, one["id"])]

    def message(self, id="newest", **more):
        """Return (body as bytes, headers) of a callback as it would be sent now, for a test that delivers it itself."""
        found = self._post("message", id=id, **more)
        return found["body"].encode(), found["headers"]

    def send_callback(self, id="newest", **more):
        """Send a callback now and return the answer's status; `raw`, `headers`, `method` and `changes` forge it."""
        return self._post("callbacks", id=id, **more)["status"]

    def trouble(self, at, kind, times=1, **more):
        """Order a trouble (see faults.py and the provider's KINDS); 0 `times` means until `calm`."""
        self._post("trouble", at=at, kind=kind, times=times, **more)

    def down(self, for_s=86400, kind="drop", **more):
        """Be down for `for_s` seconds of the service's clock: nothing is done, and no answer comes."""
        self._post("trouble", at="*", kind=kind, for_s=for_s, **{"done": False} | more)

    def calm(self):
        """Cancel all troubles."""
        self._send("DELETE", "trouble")

    def forward(self, seconds):
        """Move the service's own clock ahead; everything due on the way happens. The bot has another clock."""
        self._post("clock", forward_s=seconds)

    def freeze(self, now=None):
        """Stop the clock, at `now` (seconds since 1970) or where it is."""
        self._post("clock", now=self.now() if now is None else now)

    def now(self):
        """Return the service's time in seconds since 1970."""
        return self._get("clock")["now"]

    def settings(self, **changes):
        """Change settings by name; return them all."""
        return self._post("settings", **changes)

    def calls(self, path="", method=None):
        """Return the API's calls, oldest first: {at, method, path, query, body, key, user, status}."""
        return [one for one in self._get("calls") if path in one["path"] and method in (None, one["method"])]

    def books(self):
        """Return {payment id: {…}} with all money taken and given back."""
        return self._get("books")

    def reset(self):
        """Reset everything."""
        self._post("reset")

    @staticmethod
    def id_of(payment):
        """Return a payment's id as text."""
        return str(payment.get("id") or payment.get("invoice_id"))

    def _act(self, act, id, body):
        return self._post(f"payments/{id or 'newest'}/{act}", **body)

    def _do(self, act, body):
        return self._post(f"do/{act}", **body)

    def _get(self, path):
        return self._send("GET", path)

    def _post(self, path, **body):
        return self._send("POST", path, json=body)

    def _send(self, method, path, **options):
        answer = self._pool.request(method, f"{self.origin}/control/{path}", **options)
        if answer.status >= 400:
            raise ValueError(f"{method} {path}: {answer.data.decode()}")
        return answer.json()


class YooKassaControl(Control):
    """The remote control of a YooKassa shop.

    `pay` also takes `method` (bank_card, sbp, …) and `hold`: the money is only held, although `capture` was asked for.
    """

    def refund(self, id=None, **how):
        """Refund in the cabinet, behind the bot's back: `amount` or all of it; return the refund."""
        return self._act("refund", id, how)

    def chargeback(self, id=None, **how):
        """Have the payer's bank take money back: no event is sent for it."""
        return self._act("chargeback", id, how)

    def set(self, id=None, **fields):
        """Overwrite fields of a payment's object, such as `recipient` or `test`, to make it unexpected."""
        return self._act("set", id, fields)

    def refunds(self):
        """Return all refunds, oldest first."""
        return self._do("refunds", {})

    def settle_refunds(self, **how):
        """End the refunds that are pending now: `status` succeeded or canceled (`reason`)."""
        return self._do("settle_refunds", how)


class CryptoPayControl(Control):
    """The remote control of a Crypto Pay app. `pay` also takes `asset`, `rate`, `fee`, `paid_amount`, `anonymous`."""

    def set(self, id=None, **fields):
        """Overwrite fields of an invoice, to make it unexpected."""
        return self._act("set", id, fields)

    def transfers(self):
        """Return all transfers, oldest first."""
        return self._do("transfers", {})

    def transfer(self, **how):
        """Transfer by hand, behind the bot's back: `user_id`, `asset`, `amount`."""
        return self._do("transfer", how)

    def regenerate_token(self, token):
        """Give the app another token; the old one is refused from now on."""
        return self._do("regenerate_token", {"token": token})
