"""An amount as people type it where money is asked for: with the currency beside the number, or without."""

import re

from core import amounts

WORDS = {  # how people write a currency, besides its code
    "RUB": "₽ р рб руб рублей рубль рубля рубли rub rubs ruble rubles rouble roubles rublo rublos".split(),
    "USD": "$ us$ dollar dollars buck bucks доллар доллара долларов dólar dólares dolar dolares".split(),
    "EUR": "€ euro euros евро".split(),
    "KZT": "₸ тг тенге tenge".split(),
    "UAH": "₴ грн гривна гривны гривен hryvnia".split(),
    "BYN": "br руб рублей рубль рубля р".split(),
}
AROUND = re.compile(r"(\D*)(\d(?:.*\d)?)(\D*)", re.DOTALL)
LONGEST = 64  # characters of an amount with its currency


def read(text, currency):
    """Return the minor units of a typed amount (`300 rub`, `300₽`, `300`), or None if it is none, or of another currency."""
    return amounts.read(_without(text, currency))


def _without(text, currency):
    """Return an amount without the name of its currency; as it is if it has none, or another one."""
    found = AROUND.fullmatch(text.strip()) if len(text) <= LONGEST else None
    if found is None:
        return text
    names = [name for part in (found[1], found[3]) if (name := part.strip().casefold())]
    known = {currency.casefold(), *WORDS.get(currency, ())}
    return found[2] if len(names) == 1 and names[0].removesuffix(".") in known else text
