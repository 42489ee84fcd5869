"""The stub's model discovery and price feed, answered from the facts file.

Discovery needs the key and allows one request a second for the account; the feed is the public one behind the price page
and needs no key.
"""

import math
from typing import Any
from urllib.parse import quote

from aiohttp import web

from kie.stub.facts import UNKNOWN_MODEL, ModelFacts
from kie.stub.http import WORLD, has_key, json_object, refused, reply, unauthorized
from kie.stub.tasks import World

CREDIT_USD = 0.005
PAGE_LIMIT = 100
BUCKET_S = 600
TASK_TYPES = {
    "image-edit": "Image Editing",
    "image-upscale": "Image Editing",
    "background-removal": "Image Editing",
    "image-layering": "Image Editing",
    "image-segmentation": "Image Editing",
    "reference-to-video": "Image to Video",
    "motion-transfer": "Image to Video",
    "video-edit": "Video Editing",
    "video-extend": "Video to Video",
    "video-upscale": "Video Editing",
    "watermark-removal": "Video Editing",
    "lip-sync": "Lip Sync",
    "sound-effects": "Text to Speech",
    "audio-isolation": "Audio to Audio",
    "stem-separation": "Audio to Audio",
    "speech-to-text": "Audio to Audio",
    "music-edit": "Text to Music",
    "lyrics": "Text to Music",
    "music-video": "Text to Music",
    "audio-convert": "Audio to Audio",
    "voice-persona": "Text to Music",
}
JSON_TYPES = {"integer": "integer", "number": "number", "boolean": "boolean", "object": "object"}


def add_routes(app: web.Application) -> None:
    """Add discovery and the price feed to the app."""
    app.router.add_get("/api/v1/models", models)
    app.router.add_get("/api/v1/models/{model:.+}/{what:schema|price|success-rate}", one_model)
    app.router.add_post("/client/v1/model-pricing/page", price_page)
    app.router.add_get("/client/v1/model-pricing/count", price_count)


async def models(request: web.Request) -> web.Response:
    """List the models, filtered by taskType (several with commas), provider and q."""
    if barred := _barred(request):
        return barred
    query = request.query
    wanted = {word.strip() for word in query.get("taskType", "").split(",") if word.strip()}
    listed = [
        entry
        for entry in (_entry(model) for model in request.app[WORLD].facts.values() if not _is_unlisted(model))
        if (not wanted or wanted & set(entry["taskType"]))
        and query.get("provider", "").lower() in entry["provider"].lower()
        and query.get("q", "").lower() in f"{entry['model']} {entry['title']}".lower()
    ]
    return reply({"total": len(listed), "models": listed})


async def one_model(request: web.Request) -> web.Response:
    """Return a model's schema, price text or success rate."""
    if barred := _barred(request):
        return barred
    world = request.app[WORLD]
    model = world.facts.get(request.match_info["model"])
    if model is None:
        return reply(None, code=404, msg=UNKNOWN_MODEL)
    what = request.match_info["what"]
    if what == "schema":
        return reply({"model": model.id, "openapi": _openapi(model)})
    if what == "price":
        return reply({"model": model.id, "pricingDesc": _price_text(model)})
    return reply({"model": model.id, "points": _points(world.clock.now())})


def _is_unlisted(model: ModelFacts) -> bool:
    """Return whether a model is documented by KIE, but missing in its list."""
    return bool(model.raw.get("unlisted")) or model.raw.get("status") == "listed-in-docs-only"


def _barred(request: web.Request) -> web.Response | None:
    if not has_key(request):
        return unauthorized()
    return None if request.app[WORLD].may_look_up() else refused("429")


def _entry(model: ModelFacts) -> dict[str, Any]:
    modes = model.raw.get("modes") or [model.kind]
    types = [TASK_TYPES.get(mode, mode.replace("-", " ").title().replace(" To ", " to ")) for mode in modes]
    return {
        "model": model.id,
        "slug": model.id.replace("/", "-"),
        "title": model.title,
        "provider": model.raw.get("vendor") or model.id.partition("/")[0],
        "taskType": list(dict.fromkeys(types)),
        "description": model.raw.get("description"),
        "pricingDesc": _price_text(model),
    }


def _price_text(model: ModelFacts) -> str | None:
    rows = [f"{_row_name(row)}: {row['credits']} credits per {row.get('per') or 'task'}" for row in model.price]
    return "; ".join(rows) or None


def _row_name(row: dict[str, Any]) -> str:
    return (
        row.get("feed_row")
        or row.get("feed")
        or ", ".join(f"{name} {value}" for name, value in row["when"].items())
        or "any"
    )


def _openapi(model: ModelFacts) -> dict[str, Any]:
    fields, needed = dict[str, Any](), list[str]()
    for spec in model.inputs:
        name, _, inside = (spec.get("into") or spec["name"]).partition(".")
        fields[name] = {"type": "array", "items": {"type": "object"}} if inside else _schema(spec)
        fields |= {also: {"type": "string"} for also in spec.get("also", ())}
        needed += [name] if spec.get("required") and name not in needed else []
    body = {
        "type": "object",
        "required": ["model", "input"],
        "properties": {
            "model": {"type": "string", "enum": [model.id]},
            "callBackUrl": {"type": "string", "format": "uri"},
            "input": {"type": "object", "required": needed, "properties": fields},
        },
    }
    content = {"application/json": {"schema": body}}
    post = {"operationId": "createTask", "requestBody": {"content": content}}
    return {"openapi": "3.1.0", "info": {"title": model.id}, "paths": {"/api/v1/jobs/createTask": {"post": post}}}


def _schema(spec: dict[str, Any]) -> dict[str, Any]:
    kind, many = spec["type"].removesuffix("[]"), spec["type"].endswith("[]")
    single: dict[str, Any] = {"type": "string" if spec.get("send_as") == "string" else JSON_TYPES.get(kind, "string")}
    names = {"enum": "enum", "min": "minimum", "max": "maximum", "max_length": "maxLength", "default": "default"}
    single |= {theirs: spec[ours] for ours, theirs in names.items() if ours in spec}
    listed: dict[str, Any] = {"type": "array", "items": single} | (
        {"maxItems": spec["max_items"]} if "max_items" in spec else {}
    )
    return (listed if many else single) | {"description": spec.get("description", "")}


def _points(now: float) -> list[dict[str, Any]]:
    start = int(now // BUCKET_S * BUCKET_S)
    return [
        {"start": at, "end": at + BUCKET_S, "successRate": 0.97, "errorRate": 0.03, "isNormal": True}
        for at in range(start - 144 * BUCKET_S, start, BUCKET_S)
    ]


async def price_page(request: web.Request) -> web.Response:
    """Return one page of price rows, as the feed of the price page does."""
    body = await json_object(request)
    size = min(PAGE_LIMIT, max(1, int(body.get("pageSize") or 10)))
    page = max(1, int(body.get("pageNum") or 1))
    wanted, kind = str(body.get("modelDescription") or "").lower(), body.get("interfaceType")
    rows = [
        row
        for row in _rows(request.app[WORLD])
        if wanted in row["modelDescription"].lower() and (not kind or row["interfaceType"] == kind)
    ]
    part = rows[(page - 1) * size : page * size]
    return reply({"records": part, "total": len(rows), "pages": math.ceil(len(rows) / size)})


async def price_count(request: web.Request) -> web.Response:
    """Count the price rows by kind."""
    kinds = [row["interfaceType"] for row in _rows(request.app[WORLD])]
    return reply({"all": len(kinds)} | {kind: kinds.count(kind) for kind in ("image", "video", "music", "chat")})


def _rows(world: World) -> list[dict[str, Any]]:
    return [_feed_row(model, row) for model in world.facts.values() for row in model.price]


def _feed_row(model: ModelFacts, row: dict[str, Any]) -> dict[str, Any]:
    credits = str(row.get("feed_credits", row["credits"]))
    usd = f"{float(credits) * CREDIT_USD:g}"
    return {
        "modelDescription": row.get("feed_row") or row.get("feed") or f"{model.title}, {_row_name(row)}",
        "interfaceType": {"audio": "music", "text": "chat"}.get(model.output, model.output),
        "provider": model.raw.get("vendor") or "",
        "creditPrice": credits,
        "creditUnit": f"per {row.get('per') or 'task'}",
        "usdPrice": usd,
        "falPrice": "",
        "discountRate": 0.0,
        "discountPrice": False,
        "anchor": f"https://kie.ai/market?model={quote(model.id, safe='')}",
    }
