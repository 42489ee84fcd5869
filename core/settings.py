"""Settings from the environment: declared once, read once, validated together.

A wrong start shows every problem at once, each as name, value found and value wanted.
"""

import difflib
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

_MISSING = object()


class SettingsError(Exception):
    """The environment cannot be used; `problems` has one line for each setting."""

    def __init__(self, problems):
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Setting:
    """One declared setting; `advanced` ones stay out of the README's first table."""

    name: str
    kind: object
    default: object
    minimum: object = None
    choices: tuple = ()
    secret: bool = False
    advanced: bool = True


class Settings:
    """What the operator set, by name: `settings["MARKUP"]`."""

    def __init__(self, environ):
        self._environ = environ
        self._values = {}
        self.declared = {}
        self.problems = []

    def __getitem__(self, name):
        return self._values[name]

    def declare(self, name, kind=str, default=_MISSING, **rules):
        """Declare a setting and return its value; a wrong one is noted and shown with all the others."""
        required = default is _MISSING
        default = None if required else default
        setting = self.declared[name] = Setting(name, kind, default, **rules)
        found = (self._environ.get(name) or "").strip()
        if not found and required:
            self.problems.append(f"{name}: not set; want {_wanted(setting)}")
        self._values[name] = default
        if found:
            try:
                self._values[name] = _parse(setting, found)
            except (ValueError, InvalidOperation):
                shown = "(hidden)" if setting.secret else repr(found)
                self.problems.append(f"{name}: found {shown}; want {_wanted(setting)}")
        return self._values[name]

    def refuse(self, name, found, wanted):
        """Note a problem that concerns several settings together."""
        self.problems.append(f"{name}: found {found}; want {wanted}")

    def check(self):
        """Raise SettingsError with every problem noted so far."""
        if self.problems:
            raise SettingsError(self.problems)

    def strangers(self):
        """Return (found, ours) pairs of environment names that look like a slip of one of ours."""
        pairs = []
        for name in sorted(set(self._environ) - set(self.declared)):
            close = difflib.get_close_matches(name, self.declared, n=1, cutoff=0.86)
            if close:
                pairs.append((name, close[0]))
        return pairs

    def secrets(self):
        """Return the values that must never be shown."""
        return [str(self._values[s.name]) for s in self.declared.values() if s.secret and self._values[s.name]]


def telegram_token(text):
    """Parse a bot token, `123456:letters`."""
    if not re.fullmatch(r"\d+:[A-Za-z0-9_-]{3,}", text):
        raise ValueError(text)
    return text


def ids(text):
    """Parse comma separated Telegram ids."""
    return tuple(int(part) for part in text.replace(" ", "").split(",") if part)


def url(text):
    """Parse a base address; a slash at its end is dropped."""
    if not re.fullmatch(r"https?://[^\s/]+\S*", text):
        raise ValueError(text)
    return text.rstrip("/")


def names(text):
    """Parse comma separated words."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def switch(text):
    """Parse on or off: 1, true, yes, on; 0, false, no, off."""
    low = text.lower()
    if low in ("1", "true", "yes", "on"):
        return True
    if low in ("0", "false", "no", "off"):
        return False
    raise ValueError(text)


_WANTED = {
    int: "a whole number",
    Decimal: "a number",
    switch: "1 or 0",
    ids: "Telegram ids separated by commas",
    url: "an address such as https://example.org",
    names: "words separated by commas",
    telegram_token: "a bot token from @BotFather, such as 123456:ABC-DEF",
}


def _wanted(setting):
    if setting.choices:
        return " or ".join(setting.choices)
    text = _WANTED.get(setting.kind, "a text")
    return text if setting.minimum is None else f"{text}, at least {setting.minimum}"


def _parse(setting, found):
    value = setting.kind(found)
    if setting.kind is Decimal and not value.is_finite():
        raise ValueError(found)
    if setting.minimum is not None and value < setting.minimum:
        raise ValueError(found)
    if setting.choices and value not in setting.choices:
        raise ValueError(found)
    return value
