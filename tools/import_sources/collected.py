"""What the readers of another bot's data collect: people, what cannot be read, and how single values are parsed.

A person is read completely or not at all: one wrong value anywhere excludes them from `arrivals()`.
"""

import re
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from core.amounts import MOST
from storage.people.arrivals import Arrival

NUMBER = re.compile(r"[+-]?\d{1,15}(?:[.,]\d{1,20})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
LANGUAGE = re.compile(r"([a-z]{2,3})([-_][a-z0-9]+)*", re.IGNORECASE)
YES, NO = ("1", "true", "yes", "on", "да"), ("", "0", "false", "no", "off", "нет", "null", "none")
MOST_ID = 2**52  # Telegram: an id has at most 52 significant bits
KEPT_PAST = 100  # entries in a person's history
GROUPS = re.compile(r"(?<=\d)[ \u00a0\u202f](?=\d{3}(?!\d))")  # 1 000,50, as spreadsheets write it
THOUSANDS = re.compile(r"[1-9][0-9]{0,2},[0-9]{3}")  # one thousand, or just over one: ambiguous
DUST = Decimal("0.000001")  # rounding errors of floats


class Unreadable(Exception):
    """The source as a whole cannot be read; nothing is imported."""


class Wrong(ValueError):
    """A value that cannot be read; the text names it and says what is expected."""


class Reading:
    """The people read so far: `note(id, name=value)` adds a fact, `wrong(place, why, id)` sets a person aside."""

    def __init__(self, name, languages):
        self.name = name
        self.problems = []  # "place: why", in the order of the source
        self.remarks = []  # ignored without harm
        self.rounded = 0
        self._languages = languages
        self._people, self._past, self._spoilt = {}, {}, set()

    def note(self, telegram_id, **found):
        """Add facts about a person."""
        self._people.setdefault(telegram_id, {}).update(found)

    def remember(self, telegram_id, at, kind, what, amount, prompt=""):
        """Add to a person's history: an `order` or a `payment`."""
        entry = {"at": at.isoformat(), "kind": kind, "what": what[:80], "amount": amount, "prompt": prompt[:100]}
        self._past.setdefault(telegram_id, []).append(entry)

    def wrong(self, place, why, telegram_id=None):
        """Set aside a person, or something that belongs to nobody."""
        self.problems.append(f"{place}: {why}")
        if telegram_id is not None:
            self._spoilt.add(telegram_id)

    def left_out(self, what):
        """Record that something is ignored, and why."""
        self.remarks.append(what)

    def __contains__(self, telegram_id):
        return telegram_id in self._people

    def known(self, telegram_id):
        """Return what is known of a person so far."""
        return self._people.get(telegram_id, {})

    def money(self, found):
        """Return minor units; excess decimals are rounded, and the roundings counted."""
        exact = 100 * decimal(found)
        whole = int(exact.to_integral_value(ROUND_HALF_UP))
        if not 0 <= whole <= MOST:
            raise Wrong(f"an amount of {found}; want one from 0 to {MOST // 100}")
        self.rounded += abs(exact - whole) > DUST
        return whole

    def language(self, found):
        """Return the fields of a language: one of the bot's is set, another is a hint."""
        text = str(found or "").strip()
        if not text:
            return {}
        if not (match := LANGUAGE.fullmatch(text)):
            raise Wrong(f"the language {text[:20]!r}; want a code such as ru")
        code = match[1].lower()
        return {"lang": code} if code in self._languages else {"language_code": code}

    def arrivals(self):
        """Return everybody who could be read, ordered by id."""
        whole = sorted(set(self._people) - self._spoilt)
        return [Arrival(one, **self._people[one], past=self._newest(one)) for one in whole]

    def _newest(self, telegram_id):
        past = sorted(self._past.get(telegram_id, ()), key=lambda entry: entry["at"], reverse=True)
        return past[:KEPT_PAST]


def decimal(found):
    """Return a number, written with a dot or a comma; raise Wrong for anything else, such as 1.234,50."""
    if isinstance(found, bool) or found is None:
        raise Wrong(f"{found!r}; want a number such as 12.50")
    text = GROUPS.sub("", str(found).strip())
    try:
        if not NUMBER.fullmatch(text) or THOUSANDS.fullmatch(text):
            raise InvalidOperation
        return Decimal(text.replace(",", "."))
    except InvalidOperation:
        raise Wrong(f"{text[:30]!r}; want a number such as 12.50 or 12,50") from None


def person_id(found):
    """Return a person's Telegram id; raise Wrong for anything else, such as a group's."""
    text = str(found).strip()
    if isinstance(found, bool) or not re.fullmatch("[0-9]{1,16}", text) or not 0 < int(text) < MOST_ID:
        raise Wrong(f"{text[:30]!r}; want the Telegram id of a person, such as 123456789")
    return int(text)


def switch(found):
    """Return True or False; raise Wrong for anything else."""
    text = str("" if found is None else found).strip().lower()
    if text in YES or text in NO:
        return text in YES
    raise Wrong(f"{text[:20]!r}; want 1 or 0")


def moment(found):
    """Return a time, aware; a naive one counts as UTC. Raise Wrong if it is not a time."""
    try:
        at = (
            datetime.fromtimestamp(float(found), UTC)
            if isinstance(found, int | float | Decimal)
            else found
            if isinstance(found, datetime)
            else datetime.fromisoformat(str(found).strip())
        )
    except (ValueError, OverflowError, OSError):
        raise Wrong(f"the time {str(found)[:30]!r}; want one such as 2026-01-31 or 2026-01-31T12:00:00") from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    if not 2013 <= at.year <= 2100:  # there were no bots before
        raise Wrong(f"the time {str(found)[:30]!r}; want one of this century")
    return at


def text(found):
    """Return a short text."""
    return str("" if found is None else found).strip()[:128]


def username(found):
    """Return a @name without its @, or None."""
    return text(found).removeprefix("@")[:64] or None
