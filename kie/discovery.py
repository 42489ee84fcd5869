"""What KIE offers today: its list of models, their schemas, and the rows behind its price page.

`look` asks for all of it, one request a second, as KIE demands (docs.kie.ai, Models API): about four minutes.
The price feed is not documented and may vanish; then there are no rows, and prices are not compared.
"""

import logging
import re
from dataclasses import dataclass, field

from kie.errors import KieError, Refused

log = logging.getLogger(__name__)
PAUSE_S = 1.05  # KIE takes one request a second
FEED_PAGE, FEED_PAGES = 100, 50
JOBS = "/api/v1/jobs/createTask"
PLAIN_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


@dataclass(frozen=True, slots=True)
class Offer:
    """One model as KIE describes it; `inputs` is {name: JSON schema}, None when KIE shows no schema."""

    id: str
    title: str = ""
    provider: str = ""
    kinds: tuple = ()
    about: str = ""
    inputs: dict | None = None
    required: frozenset = frozenset()


@dataclass(frozen=True, slots=True)
class Found:
    """What was found: {model id: Offer} of what createTask takes, every id that is listed, and {feed row: Row}."""

    offers: dict
    listed: frozenset
    rows: dict = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the price feed: credits as text, what they are for, and the model's slug in its link."""

    credits: str
    unit: str
    slug: str


def look(client, sleep, tell=lambda done, total: None):
    """Ask KIE for everything; raise KieError when its list cannot be had. `sleep(seconds)` keeps the pace."""
    listed = {entry["model"]: entry for entry in _listed(client)}
    offers = {}
    for done, (model_id, entry) in enumerate(listed.items(), start=1):
        sleep(PAUSE_S)
        offer = _offer(entry, _schema(client, model_id))
        if offer is not None:
            offers[model_id] = offer
        tell(done, len(listed))
    return Found(offers, frozenset(listed), _feed(client, sleep))


def _listed(client):
    data = client.look_up("api/v1/models")
    entries = data.get("models") if isinstance(data, dict) else None
    if not isinstance(entries, list) or not entries:
        raise KieError("the list of models is empty")
    return [entry for entry in entries if isinstance(entry, dict) and PLAIN_ID.fullmatch(str(entry.get("model")))]


def _schema(client, model_id):
    """Return the OpenAPI object of a model, or None when KIE has none to show."""
    try:
        data = client.look_up(f"api/v1/models/{model_id}/schema")
    except Refused as error:
        if error.reason == "key":
            raise
        log.warning("no schema of %s: %s", model_id, error)
        return None
    return data.get("openapi") if isinstance(data, dict) else None


def _offer(entry, openapi):
    """Return the Offer of an entry of the list; None when the model is not one that createTask takes."""
    openapi = openapi or {}
    if openapi and JOBS not in openapi.get("paths", {}):
        return None
    inputs, required = _inputs(openapi) if openapi else (None, frozenset())
    return Offer(
        entry["model"],
        str(entry.get("title") or ""),
        str(entry.get("provider") or ""),
        tuple(entry.get("taskType") or ()),
        str(entry.get("description") or ""),
        inputs,
        required,
    )


def _inputs(openapi):
    """Return ({name: schema}, required names) of the request's `input`; names are stripped, as some end in a space."""
    content = openapi["paths"][JOBS].get("post", {}).get("requestBody", {}).get("content", {})
    body = _resolved(openapi, content.get("application/json", {}).get("schema", {}))
    given = _resolved(openapi, body.get("properties", {}).get("input", {}))
    variants = [_resolved(openapi, one) for one in given.get("oneOf", given.get("anyOf", [given]))]
    fields, needed = {}, []
    for variant in variants:
        fields |= {name.strip(): _resolved(openapi, one) for name, one in variant.get("properties", {}).items()}
        needed.append({name.strip() for name in variant.get("required", ())})
    return fields, frozenset(set.intersection(*needed) if needed else ())


def _resolved(openapi, schema):
    """Follow a local reference, such as #/components/schemas/Input; their names may hold %20."""
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


def _feed(client, sleep):
    rows = {}
    try:
        for page in range(1, FEED_PAGES + 1):
            sleep(PAUSE_S)
            data = client.look_up("client/v1/model-pricing/page", {"pageNum": page, "pageSize": FEED_PAGE})
            for row in data["records"]:
                slug = str(row.get("anchor") or "").partition("model=")[2].partition("&")[0]
                credits, unit = str(row["creditPrice"]).strip(), str(row.get("creditUnit") or "")
                rows[str(row["modelDescription"]).strip()] = Row(credits, unit, slug)
            if page >= data["pages"]:
                break
    except (KieError, KeyError, TypeError, AttributeError) as error:
        log.warning("the price feed cannot be read, so prices are not compared: %s", error)
        return {}
    return rows
