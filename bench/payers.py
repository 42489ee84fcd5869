"""People of the town who pay by card and by crypto: at the providers' own stand-ins, on good days and on bad ones.

What a provider has taken and given back is its own record; `differences` compares it with the ledger.
"""

from collections import defaultdict
from decimal import Decimal

from demo.providers import cryptopay, yookassa
from demo.providers.control import CryptoPayControl, YooKassaControl

ACTS = {"pay": 6, "twice": 2, "never": 3, "decline": 2, "less": 1, "nothing": 2}  # what a payer does, and how often
REFUNDS = 0.1  # of the paid payments at YooKassa are given back in the cabinet
WEATHER = ("500", "503", "drop", "cut")  # of the providers


class Providers:
    """Both stand-ins, in this process, so that they survive the bot."""

    def __init__(self):
        self._servers = {"yookassa": yookassa.start(), "cryptopay": cryptopay.start()}
        self.urls = {name: server.url for name, server in self._servers.items()}
        kinds = {"yookassa": YooKassaControl, "cryptopay": CryptoPayControl}
        self.controls = {name: kinds[name](server.url) for name, server in self._servers.items()}

    def settings(self, port=None):
        """Return the settings of a bot that takes payments by both; with a port they call back."""
        if port:
            for name, control in self.controls.items():
                control.settings(callback_url=f"http://127.0.0.1:{port}/pay/{name}", callback_timeout_s=2)
        return {
            "YOOKASSA_API_URL": self.urls["yookassa"],
            "YOOKASSA_SHOP_ID": yookassa.SHOP_ID,
            "YOOKASSA_SECRET_KEY": yookassa.SECRET_KEY,
            "CRYPTOPAY_API_URL": self.urls["cryptopay"],
            "CRYPTOPAY_TOKEN": cryptopay.TOKEN,
        }

    def act(self, name, url, rng):
        """Do what a payer does with the payment of a link; return (the provider's id, what it was)."""
        control, code = self.controls[name], url.partition("/pay/")[2].partition("?")[0]
        mine = [one for one in control.payments() if code in (one.get("id"), one.get("hash"))]
        chosen = rng.choices(list(ACTS), list(ACTS.values()))[0]
        number = control.id_of(mine[0])
        try:
            if chosen in ("pay", "twice", "never"):
                control.pay(number, **({} if chosen == "pay" else {"callback": chosen}))
            elif chosen == "less":
                control.pay(number, amount="1.00")
            elif chosen == "decline":
                control.decline(number)
            if chosen == "pay" and name == "yookassa" and rng.random() < REFUNDS:
                control.refund(number, amount="10.00")
        except ValueError as refused:  # the link was shown again, and it is paid already
            return number, f"{chosen} refused" if "the" in str(refused) else chosen
        return number, chosen

    def spoil(self, rng):
        """Have one of the providers answer a call badly."""
        rng.choice(list(self.controls.values())).trouble("*", rng.choice(WEATHER))

    def books(self):
        """Return {provider's id: (kopecks taken, kopecks given back)} of what was paid as it was asked for."""
        found = {}
        for control in self.controls.values():
            for number, one in control.books().items():
                taken = one["status"] in ("succeeded", "paid")
                found[number] = (kopecks(one["amount"]) if taken else 0, kopecks(one.get("refunded", "0")))
        return {number: sums for number, sums in found.items() if sums[0] > 100}  # what came short is not credited

    def stop(self):
        """Stop both."""
        for server in self._servers.values():
            server.stop()


def kopecks(text):
    """Return a service's amount in kopecks."""
    return int(Decimal(str(text)) * 100)


def differences(providers):
    """Return (what the providers have, what the ledger has, what differs), as {id: (taken, given back)}."""
    from storage.base.tables import Entry, ProviderPayment, ProviderRefund

    world, books = providers.books(), {}
    sums = defaultdict(int)
    refunds = dict(ProviderRefund.select(ProviderRefund.id, ProviderRefund.topup).tuples())
    for key, amount in Entry.select(Entry.key, Entry.amount).where(Entry.kind.in_(("refund", "chargeback"))).tuples():
        if ":pay:" in key:
            sums[refunds[int(key.rpartition(":")[2])]] -= amount
    credits = dict(Entry.select(Entry.key, Entry.amount).where(Entry.key.startswith("pay:")).tuples())
    for row in ProviderPayment.select():
        if f"pay:{row.topup_id}" in credits:
            books[row.external_id] = (credits[f"pay:{row.topup_id}"], sums[row.topup_id])
    wrong = [
        (number, world.get(number), books.get(number))
        for number in {*world, *books}
        if world.get(number) != books.get(number)
    ]
    return world, books, wrong
