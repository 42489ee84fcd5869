"""What KIE offers today: its list of models, their schemas, and the rows behind its price page.

`look` asks for all of it, one request a second, as KIE demands (docs.kie.ai, Models API): about four minutes.
The price feed is undocumented and may vanish; then there are no rows, and prices are not compared. Answers are not
trusted: an entry that cannot be read is noted in `Listing.skipped`, and the others are used.
"""

import logging
import math
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kie.api.client import Client
from kie.api.errors import KieError, Reason

log = logging.getLogger(__name__)
PAUSE_S = 1.05  # KIE takes one request a second
FEED_PAGE, FEED_PAGES = 100, 50
JOBS = "/api/v1/jobs/createTask"
PLAIN_ID = re.compile(r"[A-Za-z0-9_.-]{1,60}(/[A-Za-z0-9_.-]{1,60})?")
PRICE = re.compile(r"\d{1,7}(\.\d{1,8})?")  # credits; no powers of ten
MOST_LISTED = 2_000  # KIE lists a few hundred; each costs a second
MOST_UNREAD = 20  # schemas that cannot be fetched before the comparison is given up
MOST_SKIPPED = 100  # named ones; the rest is only counted
DEEPEST, LONGEST, WIDEST, LARGEST = 40, 2_000, 2_000, 10**30  # limits for plain data in an answer
MOST_INPUTS, MOST_CHOICES = 100, 200


class Strange(ValueError):
    """Something in an answer is not as it should be; the text says what."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One model as KIE describes it; `inputs` is {name: JSON schema}, None when KIE shows no schema."""

    id: str
    title: str = ""
    provider: str = ""
    kinds: tuple[str, ...] = ()
    about: str = ""
    inputs: dict[str, Any] | None = None
    required: frozenset[str] = frozenset()


def _shown(value: object, length: int) -> str:
    return "".join(filter(str.isprintable, str(value)[:length]))


class Skipped(dict[str, str]):
    """What could not be read, {name: reason}; `count` includes those beyond MOST_SKIPPED."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def note(self, name: str, why: object) -> None:
        name = _shown(name, 80)
        reason = _shown(f"{type(why).__name__}: {why}" if isinstance(why, Exception) else why, 200)
        self.count += 1
        if len(self) < MOST_SKIPPED:
            self[name] = reason
        log.warning("skipped in KIE's offer: %s: %s", name, reason)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the price feed: credits as text, what they are for, and the model's slug in its link."""

    credits: str
    unit: str
    slug: str


Rows = dict[str, Row | None]  # by name; None for one that cannot be read


@dataclass(frozen=True, slots=True)
class Listing:
    """KIE's offer: {model id: Offer} of what createTask accepts, the ids of all listed models, and the price feed.

    `skipped` names what could not be read.
    """

    offers: dict[str, Offer]
    listed: frozenset[str]
    rows: Rows = field(default_factory=dict)
    skipped: Skipped = field(default_factory=Skipped)


def look(
    client: Client, sleep: Callable[[float], object], tell: Callable[[int, int], object] = lambda done, total: None
) -> Listing:
    """Ask KIE for everything, with `sleep(seconds)` between requests; raise KieError if its list cannot be fetched."""
    skipped = Skipped()
    listed = {entry["model"]: entry for entry in _listed(client, skipped)}
    offers, unread = dict[str, Offer](), 0
    for done, (model_id, entry) in enumerate(listed.items(), start=1):
        sleep(PAUSE_S)
        try:
            offer = _offer(entry, _schema(client, model_id))
        except KieError as error:
            unread += 1
            if unread > MOST_UNREAD or getattr(error, "reason", None) == Reason.KEY:
                raise
            skipped.note(model_id, error)
        except Exception as error:  # one schema, whatever is in it, must not prevent the comparison of the others
            skipped.note(model_id, error)
        else:
            if offer is not None:
                offers[model_id] = offer
        tell(done, len(listed))
    return Listing(offers, frozenset(listed), _feed(client, sleep, skipped), skipped)


def _listed(client: Client, skipped: Skipped) -> list[Any]:
    data = client.look_up("api/v1/models")
    entries = data.get("models") if isinstance(data, dict) else None
    if not isinstance(entries, list) or not entries:
        raise KieError("the list of models is empty")
    if len(entries) > MOST_LISTED:
        raise KieError(f"the list of models has {len(entries)} entries")
    readable = []
    for place, entry in enumerate(entries, start=1):
        try:
            entry = clean(entry)
            if not PLAIN_ID.fullmatch(entry["model"]):
                raise Strange(f"the id {entry['model']!r}")
            readable.append(entry)
        except Exception as error:  # an entry may be anything
            skipped.note(f"entry {place} of the list", error)
    return readable


def _schema(client: Client, model_id: str) -> dict[str, Any] | None:
    """Return the OpenAPI object of a model, or None if KIE has none."""
    data = clean(client.look_up(f"api/v1/models/{model_id}/schema"))
    openapi = data["openapi"]
    if openapi is not None and not isinstance(openapi, dict):
        raise Strange("its schema is no object")
    return openapi


def clean(value: Any, depth: int = 0) -> Any:
    """Return plain data that a database and a chat can hold; raise Strange for absurd data.

    Control characters and lone surrogates are removed and long texts cut; infinite or huge numbers, deep nesting and
    very long lists are refused.
    """
    if depth > DEEPEST:
        raise Strange("nested too deeply")
    if isinstance(value, str):
        return "".join(c for c in value[:LONGEST] if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))
    if isinstance(value, (list, dict)) and len(value) > WIDEST:
        raise Strange(f"a list of {len(value)}")
    if isinstance(value, dict):
        return {clean(name): clean(one, depth + 1) for name, one in value.items()}
    if isinstance(value, list):
        return [clean(one, depth + 1) for one in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if not math.isfinite(value) or abs(value) > LARGEST:
            raise Strange(f"the number {str(value)[:20]}")
    return value


def _offer(entry: dict[str, Any], openapi: dict[str, Any] | None) -> Offer | None:
    """Return the Offer of an entry in the list; None if createTask does not accept the model."""
    openapi = openapi or {}
    if openapi and JOBS not in openapi.get("paths", {}):
        return None
    inputs, required = _inputs(openapi) if openapi else (None, frozenset())
    kinds = entry.get("taskType") or ()
    return Offer(
        entry["model"],
        str(entry.get("title") or "")[:100],
        str(entry.get("provider") or "")[:100],
        tuple(str(kind)[:60] for kind in ([kinds] if isinstance(kinds, str) else kinds)),
        str(entry.get("description") or ""),
        inputs,
        required,
    )


def _inputs(openapi: dict[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
    """Return ({name: schema}, required names) of the request's `input`; names are stripped, as some end with a space."""
    content = openapi["paths"][JOBS].get("post", {}).get("requestBody", {}).get("content", {})
    body = _resolved(openapi, content.get("application/json", {}).get("schema", {}))
    given = _resolved(openapi, body.get("properties", {}).get("input", {}))
    variants = [_resolved(openapi, one) for one in given.get("oneOf", given.get("anyOf", [given]))]
    fields, needed = dict[str, Any](), []
    for variant in variants:
        fields |= {name.strip(): _field(openapi, name, one) for name, one in variant.get("properties", {}).items()}
        needed.append({name.strip() for name in variant.get("required", ())})
    if len(fields) > MOST_INPUTS:
        raise Strange(f"{len(fields)} inputs")
    return fields, frozenset(set.intersection(*needed) if needed else ())


def _field(openapi: dict[str, Any], name: str, schema: Any) -> dict[str, Any]:
    """Return the schema of one input, after checking the types of all parts that are used later."""
    resolved = _resolved(openapi, schema)
    items = resolved.get("items", {})
    for part in (resolved, items):
        if not isinstance(part, dict) or not isinstance(part.get("type", ""), str):
            raise Strange(f"the type of {name!r}")
        if not all(_is_number(part.get(word, 0)) for word in BOUNDS):
            raise Strange(f"a limit of {name!r}")
        choices = part.get("enum", [""])
        if not isinstance(choices, list) or not 0 < len(choices) <= MOST_CHOICES:
            raise Strange(f"the choices of {name!r}")
        if not all(isinstance(one, (str, int, float)) for one in choices) or len(set(choices)) < len(choices):
            raise Strange(f"a choice of {name!r}")
    return resolved


BOUNDS = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _resolved(openapi: dict[str, Any], schema: Any) -> dict[str, Any]:
    """Follow a local reference, such as #/components/schemas/Input; names may contain %20."""
    for _hop in range(5):
        if not isinstance(schema, dict):
            return {}
        way = schema.get("$ref")
        if not way:
            return schema
        schema = openapi
        for step in way.removeprefix("#/").split("/"):
            schema = schema.get(step, schema.get(step.replace("%20", " "), {}))
    return {}


def _feed(client: Client, sleep: Callable[[float], object], skipped: Skipped) -> Rows:
    rows: Rows = {}
    try:
        for page in range(1, FEED_PAGES + 1):
            sleep(PAUSE_S)
            data = client.look_up("client/v1/model-pricing/page", {"pageNum": page, "pageSize": FEED_PAGE})
            for place, row in enumerate(data["records"], start=1):
                _take_row(rows, row, skipped, f"row {place} on page {page} of the price feed")
            if page >= data["pages"]:
                break
    except (KieError, LookupError, TypeError, AttributeError) as error:
        skipped.note("the price feed", error)
        return {}
    return rows


def _take_row(rows: Rows, row: Any, skipped: Skipped, place: str) -> None:
    """Add a row of the feed; a name whose row cannot be read, or has two prices, gets None."""
    name = None
    try:
        row = clean(row)
        name = row["modelDescription"].strip()
        if not name:
            raise Strange("it has no name")
        slug = parse_qs(urlsplit(row.get("anchor") or "").query).get("model", [""])[0]
        credits = str(row["creditPrice"]).strip()
        if not PRICE.fullmatch(credits):
            raise Strange(f"the price {credits[:20]!r}")
        new = Row(credits, str(row.get("creditUnit") or "")[:60], slug)
        known = rows.setdefault(name, new)
        if known is None or known.credits != credits:
            raise Strange("two rows have this name")
    except Exception as error:  # a row may be anything
        skipped.note(name or place, error)
        if name:
            rows[name] = None
