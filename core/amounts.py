"""Amounts of money as people type them."""

import re

MOST = 10**11  # minor units
AMOUNT = re.compile(r"0*(\d{1,12})(?:[.,](\d{1,2})0*)?")  # no signs, no exponents: 1e-9999999 is no amount of anything
SERVICE = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,2})0{0,16})?")
SPACES = str.maketrans("", "", " \u00a0\u202f")


WORDS = {  # how people write a currency, besides its code; other currencies are known by their code
    "RUB": "₽ р рб руб рублей рубль рубля рубли rub rubs ruble rubles rouble roubles rublo rublos".split(),
    "USD": "$ us$ dollar dollars buck bucks доллар доллара долларов dólar dólares dolar dolares".split(),
    "EUR": "€ euro euros евро".split(),
    "KZT": "₸ тг тенге tenge".split(),
    "UAH": "₴ грн гривна гривны гривен hryvnia".split(),
    "BYN": "br руб рублей рубль рубля р".split(),
}
AROUND = re.compile(r"(\D*)(\d(?:.*\d)?)(\D*)", re.DOTALL)
LONGEST = 64  # characters of an amount with its currency


def decimal(amount: int) -> str:
    """Return minor units in the format of payment services: `199.00`."""
    return f"{amount // 100}.{amount % 100:02}"


def minor(text: object) -> int | None:
    """Return the minor units of a service's amount, exactly (`199`, `199.0`, `199.00`), or None if it is not one."""
    found = SERVICE.fullmatch(text) if isinstance(text, str) else None
    return int(found[1]) * 100 + int((found[2] or "").ljust(2, "0")[:2]) if found else None


def read(text: str, currency: str | None = None) -> int | None:
    """Return the minor units of a typed amount (`100`, `1 000,50`), or None if it is no amount above zero.

    With a `currency` (`RUB`) it may be named beside the number: `300 rub`, `300₽`; another one is no amount of it.
    """
    if currency is not None:
        text = _without(text, currency)
    found = AMOUNT.fullmatch(text.strip().translate(SPACES))
    if found is None:
        return None
    amount = int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))
    return amount if 0 < amount <= MOST else None


def _without(text: str, currency: str) -> str:
    """Return an amount without the name of its currency; as it is if it has none, or another one."""
    found = AROUND.fullmatch(text.strip()) if len(text) <= LONGEST else None
    if found is None:
        return text
    known = {currency.casefold(), *WORDS.get(currency, ())}
    names = [part.strip().casefold() for part in (found[1], found[3])]
    named = [name for name in names if name and name.removesuffix(".") in known]
    return found[2] if len(named) == 1 and len([name for name in names if name]) == 1 else text
