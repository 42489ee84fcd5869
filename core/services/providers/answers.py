"""What a provider's functions answer: anything they stumble over becomes an unknown outcome, and refused keys an alert."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from core.services.http import ServiceFailed, UnknownOutcome
from core.services.providers import Provider, Refused, WrongKeys
from storage.money.provider_payments import Seen

log = logging.getLogger(__name__)
MOST_BAD = 50  # answers that cannot be read, until the rest of them is let go
_END: Any = object()


class _Unreadable(UnknownOutcome):
    """A provider's function stumbled over the answer: no service failed."""


@contextmanager
def sensible() -> Iterator[None]:
    """Turn whatever else a provider's function raises into an unknown outcome."""
    try:
        yield
    except (Refused, ServiceFailed):
        raise
    except Exception as error:  # a provider's code is somebody's own: whatever it stumbles over, the others go on
        log.exception("an answer that makes no sense")
        raise _Unreadable(f"an answer that makes no sense: {type(error).__name__} {error}"[:200]) from error


def told(ask: Callable[[], Iterable[Seen]], bad: list[str]) -> Iterator[Seen]:
    """Yield a provider's answers; what cannot be read is left out and named in `bad`.

    A generator is at its end once it has raised, so those after it are missing, too.
    """
    pages: Iterator[Seen] | None = None
    while len(bad) < MOST_BAD:
        try:
            with sensible():
                pages = iter(ask()) if pages is None else pages
                one = next(pages, _END)
                if one is not _END:
                    _check(one)
        except _Unreadable as error:
            bad.append(str(error))
            if pages is None:
                return
        else:
            if one is _END:
                return
            yield one


def _check(seen: Seen) -> None:
    """Raise TypeError or ValueError if a Seen is not of the types it says."""
    for amount in (seen.amount, seen.refunded):
        if amount is not None and (type(amount) is not int or amount < 0):
            raise ValueError(f"an amount that is no count of minor units: {amount!r:.40}")
    if not isinstance(seen.id, str) or not seen.id:
        raise ValueError(f"an id that is no text: {seen.id!r:.40}")
    json.dumps(seen.details)


def name_of(provider: Provider) -> str:
    """Return what people call a provider."""
    return provider.title or provider.name


def keys_refused(bot: Any, provider: Provider, what: str, error: WrongKeys) -> None:
    """Remember, for doctor, the kind of call (`what`) whose keys were refused, and alert the staff."""
    provider.refused = what, error.said
    log.error("%s does not take our keys: %s", provider.name, error.said)
    bot.alert("common.alert_provider_keys", cause=f"keys of {provider.name}", name=name_of(provider), said=error.said)


def keys_taken(provider: Provider, what: str) -> None:
    """Forget a refusal of the keys once the same kind of call (`what`) has worked."""
    if provider.refused and provider.refused[0] == what:
        provider.refused = None


def cannot_read(bot: Any, provider: Provider, said: str) -> None:
    """Alert the staff that a provider says what makes no sense."""
    bot.alert(
        "common.alert_provider_unreadable", cause=f"unreadable {provider.name}", name=name_of(provider), said=said
    )
