"""Settings from the environment: declared once, read once, validated together.

A wrong start shows every problem at once, each as name, value found and value wanted.
"""

import difflib
import re
from collections.abc import Callable, Collection, Container
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_MISSING = object()
KIE_HOSTS = ("kie.ai", "redpandaai.co")
TELEGRAM_PORTS = (None, 443, 80, 88, 8443)  # Bot API, setWebhook


class SettingsError(Exception):
    """The environment cannot be used; `problems` has one line for each setting."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Setting:
    """One declared setting; `advanced` ones stay out of the README's first table.

    One with `chat` can be changed in the chat; the stored value then wins over the environment, at once.
    """

    name: str
    kind: Callable[[str], Any]
    default: Any
    minimum: Any = None
    choices: tuple[str, ...] = ()
    secret: bool = False
    advanced: bool = True
    maximum: Any = None
    chat: bool = False


RULES = tuple(field.name for field in fields(Setting) if field.name not in ("name", "kind"))


class Settings:
    """What the operator set, by name: `settings["MARKUP"]`."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._environ = environ
        self._values: dict[str, Any] = {}
        self.declared: dict[str, Setting] = {}
        self.owners: dict[str, str] = {}  # of those that plugins have declared, which plugin
        self.problems: list[str] = []
        # what was set in the chat, once the database is open
        self.stored: Callable[[str], str | None] = lambda _name: None

    def __getitem__(self, name: str) -> Any:
        text = self.stored(name) if self.declared[name].chat else None
        return self.read(name, text) if text else self._values[name]

    def read(self, name: str, text: str) -> Any:
        """Return the value of a text; raise ValueError or InvalidOperation if it is not valid."""
        return _parse(self.declared[name], text)

    def declare(self, name: str, kind: Callable[[str], Any] = str, default: Any = _MISSING, **rules: Any) -> Any:
        """Declare a setting and return its value; a wrong one is noted and shown with all the others."""
        kind = switch if kind is bool else kind  # bool("0") is true
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

    def refuse(self, name: str, found: str, wanted: str) -> None:
        """Note a problem that concerns several settings together."""
        self.problems.append(f"{name}: found {found}; want {wanted}")

    def check(self, only: Container[str] | None = None) -> None:
        """Raise SettingsError with every problem noted so far, or those of the names in `only`."""
        problems = [line for line in self.problems if only is None or line.partition(":")[0] in only]
        if problems:
            raise SettingsError(problems)

    def unknown_names(self, known: Collection[str] = ()) -> list[tuple[str, str]]:
        """Return (found, ours) pairs of environment names that look like a misspelling of one of ours, and are not `known`."""
        pairs = []
        for name in sorted(set(self._environ) - set(self.declared) - set(known)):
            close = difflib.get_close_matches(name, self.declared, n=1, cutoff=0.86)
            if close:
                pairs.append((name, close[0]))
        return pairs

    def secrets(self) -> list[str]:
        """Return the values that must never be shown."""
        return [str(self._values[s.name]) for s in self.declared.values() if s.secret and self._values[s.name]]


def check_together(found: Settings) -> None:
    """Note contradictions: an address that nobody serves, a webhook that Telegram would refuse."""
    public, webhook = urlsplit(found["PUBLIC_URL"] or ""), found["BOT_MODE"] == "webhook"
    if public.scheme and not found["PORT"]:
        found.refuse("PORT", "nothing, with a PUBLIC_URL that leads to it", "the port that PUBLIC_URL is passed on to")
    if webhook and not public.scheme:
        found.refuse("PUBLIC_URL", "nothing, with BOT_MODE=webhook", "the address at which the internet finds PORT")
    for name in ("KIE_API_URL", "KIE_UPLOAD_URL"):
        if found["KIE_STUB"] and (urlsplit(found[name]).hostname or "").endswith(KIE_HOSTS):
            found.refuse(name, f"{found[name]}, with KIE_STUB=1", "the line removed, for the stub; or KIE_STUB=0")
    here = public.hostname in ("127.0.0.1", "localhost")
    if webhook and public.scheme and not here and (public.scheme != "https" or public.port not in TELEGRAM_PORTS):
        found.refuse("PUBLIC_URL", repr(found["PUBLIC_URL"]), "https on port 443, 80, 88 or 8443, as Telegram demands")


def telegram_token(text: str) -> str:
    """Parse a bot token, `123456:letters`."""
    if not re.fullmatch(r"\d+:[A-Za-z0-9_-]{3,}", text):
        raise ValueError(text)
    return text


def ids(text: str) -> tuple[int, ...]:
    """Parse comma separated Telegram ids."""
    return tuple(int(part) for part in text.replace(" ", "").split(",") if part)


def url(text: str) -> str:
    """Parse a base address; a slash at its end is dropped."""
    if not re.fullmatch(r"https?://[^\s/]+\S*", text):
        raise ValueError(text)
    return text.rstrip("/")


def address(text: str) -> str:
    """Parse an address of this machine to listen on, such as 127.0.0.1 or ::."""
    return str(ip_address(text))


def networks(text: str) -> tuple[Any, ...]:
    """Parse comma separated networks or addresses, such as 10.0.0.0/8,192.0.2.1."""
    return tuple(ip_network(part, strict=False) for part in names(text))


def certificate(text: str) -> str:
    """Read the public certificate (PEM) in a file; one with a private key beside it is refused."""
    try:
        pem = Path(text).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(text) from error
    if "-----BEGIN CERTIFICATE-----" not in pem or "PRIVATE KEY" in pem:
        raise ValueError(text)
    return pem


def contact(text: str) -> str:
    """Parse a @name or a link people can write to, and return the link."""
    if re.fullmatch(r"@?[A-Za-z]\w{3,31}", text):
        return f"https://t.me/{text.removeprefix('@')}"
    if not re.fullmatch(r"(https?|tg)://\S+", text):
        raise ValueError(text)
    return text


def names(text: str) -> tuple[str, ...]:
    """Parse comma separated words."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def zone(text: str) -> ZoneInfo:
    """Parse a time zone by its name, such as Europe/Moscow."""
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(text) from error


def whole_numbers(text: str) -> tuple[int, ...]:
    """Parse comma separated whole numbers above zero."""
    found = tuple(int(part) for part in text.split(",") if part.strip())
    if not found or min(found) <= 0:
        raise ValueError(text)
    return found


def switch(text: str) -> bool:
    """Parse on or off: 1, true, yes, on; 0, false, no, off."""
    low = text.lower()
    if low in ("1", "true", "yes", "on"):
        return True
    if low in ("0", "false", "no", "off"):
        return False
    raise ValueError(text)


_WANTED: dict[Callable[[str], Any], str] = {
    int: "a whole number",
    whole_numbers: "whole numbers separated by commas",
    Decimal: "a number",
    switch: "1 or 0",
    ids: "Telegram ids separated by commas",
    url: "an address such as https://example.org",
    names: "words separated by commas",
    address: "an address of this machine, such as 127.0.0.1 or 0.0.0.0",
    networks: "networks separated by commas, such as 10.0.0.0/8",
    certificate: "a file with a certificate in PEM, without its key",
    contact: "a @name or a link such as https://t.me/name",
    zone: "a time zone such as Europe/Moscow",
    telegram_token: "a bot token from @BotFather, such as 123456:ABC-DEF",
}


def _wanted(setting: Setting) -> str:
    if setting.choices:
        return " or ".join(setting.choices)
    text = _WANTED.get(setting.kind, "a text")
    text += "" if setting.minimum is None else f", at least {setting.minimum}"
    return text if setting.maximum is None else f"{text}, at most {setting.maximum}"


_COMMA = re.compile(r"(?<=^0),(?=\d+$)|,(?!\d{3}$)(?=\d+$)")  # 92,5; but 1,234 may be a thousand


def _parse(setting: Setting, found: str) -> Any:
    value = setting.kind(_COMMA.sub(".", found) if setting.kind is Decimal else found)
    if setting.kind is Decimal and not value.is_finite():
        raise ValueError(found)
    if setting.minimum is not None and value < setting.minimum:
        raise ValueError(found)
    if setting.maximum is not None and value > setting.maximum:
        raise ValueError(found)
    if setting.choices and value not in setting.choices:
        raise ValueError(found)
    return value
