"""The predecessor's folder of JSON files, such as `data/` with `user_balances.json` in it, and the same files in a table.

A file that is not JSON never counts as empty: then nothing is read at all.
"""

import json
import re
from decimal import Decimal

from tools.import_sources.collected import Reading, Unreadable, Wrong, moment, person_id, switch, text, username

BALANCES, LANGUAGES, REFERRALS, PAYMENTS = (
    "user_balances.json", "user_languages.json", "referrals.json", "payments.json"
)  # fmt: skip
BLOCKED, GIFTS, REGISTRY, HISTORY, EVENTS = (
    "blocked_users.json", "gift_claimed.json", "user_registry.json", "generations_history.json", "referral_events.json"
)  # fmt: skip
FILES = (BALANCES, LANGUAGES, REFERRALS, PAYMENTS, BLOCKED, GIFTS, REGISTRY, HISTORY, EVENTS)
SIGNS = (BALANCES, REGISTRY, LANGUAGES)  # at least one of these is required
ELSEWHERE = {  # without a counterpart here
    "daily_free_generations.json": "free generations",
    "referral_free_bank.json": "free generations earned by invitations",
    "admin_limits.json": "limits of admins: give roles with /role",
    "promocodes.json": "promo codes: make them with /newpromo",
}
PAID = ("approved", "completed", "success", "paid", "done", "confirmed")


def read(path, languages):
    """Return a Reading of the folder; raise Unreadable if it is not the predecessor's, or a file in it is not JSON."""
    here = {name: path / name for name in (*FILES, *ELSEWHERE) if (path / name).is_file()}
    if not any(name in here for name in SIGNS):
        below = sorted({file.parent.name for name in SIGNS for file in path.glob(f"*/{name}")})
        more = f"; there is one in {', '.join(below)}" if below else ""
        raise Unreadable(f"{path}: no {BALANCES} in it{more}")
    files = {}
    for name, file in here.items():
        try:
            files[name] = file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise Unreadable(f"{file}: not UTF-8; nothing was taken") from None
    return read_texts(files, languages, f"{path.resolve().name}/{BALANCES}")


def read_texts(files, languages, name):
    """Return a Reading of {file name: its text}."""
    found = Reading(name, languages)
    loaded = {name: File(name, text) for name, text in files.items() if text.strip()}
    for name, about in READERS.items():
        if name in loaded:
            about(found, loaded[name])
    for name, what in ELSEWHERE.items():
        if name in loaded and loaded[name].content:
            found.left_out(f"{what} ({name})")
    return found


class File:
    """One file: its content, and the position of its keys."""

    def __init__(self, name, text):
        self.name, self._text, self._lines = name, text, None
        try:
            self.content = json.loads(text, parse_float=Decimal, object_pairs_hook=self._once)
        except ValueError as error:
            raise Unreadable(f"{name}: {error}; nothing was taken") from None
        if not isinstance(self.content, dict):
            raise Unreadable(f"{name}: a list; want names with values; nothing was taken")

    def _once(self, pairs):
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [key for key, _value in pairs]
            raise ValueError(f"{next(key for key in names if names.count(key) > 1)!r} is there twice")
        return found

    def place(self, key):
        """Return the position of a key, for messages."""
        if self._lines is None:
            self._lines = {}
            for number, line in enumerate(self._text.splitlines(), start=1):
                for known in re.findall(r'"([^"]+)"\s*:', line):
                    self._lines.setdefault(known, number)
        return f"{self.name} line {self._lines.get(str(key), 1)}"

    def each(self, found, work):
        """Call `work(person, value)` for every key that is a person; set aside those that cannot be read."""
        for key, value in self.content.items():
            one = None
            try:
                one = person_id(key)
                work(one, value)
            except Wrong as error:
                found.wrong(self.place(key), f"{key}: {error}" if one else str(error), one)


def _balances(found, file):
    file.each(found, lambda one, value: found.note(one, balance=found.money(_amount(value))))


def _amount(value):
    return value.get("balance") if isinstance(value, dict) else value


def _languages(found, file):
    file.each(found, lambda one, value: found.note(one, **found.language(value)))


def _blocked(found, file):
    file.each(found, lambda one, value: found.note(one, banned=_truth(value)))


def _gifts(found, file):
    file.each(found, lambda one, value: found.note(one, had_gift=_truth(value)))


def _truth(value):
    return True if isinstance(value, dict) else switch(value)


def _registry(found, file):
    def note(one, value):
        said = value if isinstance(value, dict) else {}
        found.note(one, first_name=text(said.get("first_name")), username=username(said.get("username")))

    file.each(found, note)


def _referrals(found, file):
    """Read {invited: inviter}, and the list of each inviter beside it, which says the same."""
    for key, value in file.content.items():
        if key == "referrals":
            continue
        one = None
        try:
            one = person_id(key)
            if value:
                inviter = person_id(value.get("referrer_id") if isinstance(value, dict) else value)
                found.note(one, inviter=inviter)
                found.note(inviter)
        except Wrong as error:
            found.wrong(file.place(key), f"who invited {key}: {error}", one)


def _events(found, file):
    """Read the log of invitations of later versions; if both have a person, the first file counts."""
    events = file.content.get("events")
    for key, value in (events if isinstance(events, dict) else {}).items():
        try:
            one, inviter = person_id(value["referred_user_id"]), person_id(value["referrer_id"])
        except (Wrong, KeyError, TypeError) as error:
            found.wrong(file.place(key), f"an invitation: {error}")
            continue
        found.note(inviter)
        if "inviter" not in found.known(one):
            found.note(one, inviter=inviter)


def _payments(found, file):
    """Read people's payments: for the history, and to know who has topped up before. No money is moved."""
    for key, value in file.content.items():
        one = None
        try:
            one = person_id(value["user_id"])
            if str(value.get("status", "approved")).lower() in PAID:
                method = text(value.get("payment_method")) or "payment"
                amount = found.money(value["amount"])
                found.remember(one, moment(value.get("created_at") or value["timestamp"]), "payment", method, amount)
                found.note(one, paid=True)
        except (Wrong, KeyError, TypeError, AttributeError) as error:
            found.wrong(file.place(key), f"the payment {key}: {_said(error)}", one)


def _history(found, file):
    def note(one, value):
        for order in value:
            at, amount = moment(order.get("timestamp")), found.money(order.get("price") or 0)
            what = text(order.get("model_name")) or text(order.get("model_id"))
            prompt = order.get("params") or {}
            found.remember(one, at, "order", what, amount, text(prompt.get("prompt")))
        found.note(one)

    def checked(one, value):
        try:
            note(one, value)
        except (TypeError, AttributeError) as error:
            raise Wrong(f"the history: {error}") from None

    file.each(found, checked)


def _said(error):
    return f"no {error.args[0]}" if isinstance(error, KeyError) else str(error)


READERS = {
    REGISTRY: _registry, BALANCES: _balances, LANGUAGES: _languages, BLOCKED: _blocked, GIFTS: _gifts,
    REFERRALS: _referrals, EVENTS: _events, PAYMENTS: _payments, HISTORY: _history,
}  # fmt: skip
