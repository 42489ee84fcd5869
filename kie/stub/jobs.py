"""The stub's jobs API: createTask, recordInfo and the balance, each with the troubles that can be ordered."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from kie.stub import media as stub_media
from kie.stub.facts import SIZES, UNKNOWN_MODEL, Media
from kie.stub.faults import CREDITS_TEXT, FATES, REFUSALS, SILENT, Trouble
from kie.stub.http import (
    COURIER,
    ORIGIN,
    WORLD,
    fetch,
    has_key,
    held_back,
    json_object,
    raw,
    refused,
    reply,
    silence,
    unauthorized,
)
from kie.stub.tasks import Task, World, echo

SONG_S = 12.0  # the length of the sample melodies
UNREACHABLE = "Failed to fetch the file. Please check that the URL is public"
UNSEEN = {"502", "no-task-id", "null-data", "hang-unseen", "drop-unseen"}  # a bad answer, and no task is created


def add_routes(app: web.Application) -> None:
    """Add the jobs API to the app."""
    app.router.add_post("/api/v1/jobs/createTask", create_task)
    app.router.add_get("/api/v1/jobs/recordInfo", record_info)
    app.router.add_get("/api/v1/chat/credit", credit)


async def create_task(request: web.Request) -> web.Response:
    """Create a task, take its credits, and answer, with any trouble ordered."""
    world = request.app[WORLD]
    if not has_key(request):
        return unauthorized()
    body = await json_object(request)
    order = world.troubles.take("create", set(REFUSALS) | UNSEEN, model=body.get("model"))
    if order:
        return await _answer_create(request, order, None)
    made = await _make(request, body)
    answer = world.troubles.take("create", _BAD_ANSWERS, model=body.get("model"))
    if isinstance(made, web.Response):
        return made
    await _hurry(request, made)
    return await _answer_create(request, answer, made)


_BAD_ANSWERS = {"drop", "hang", "502-created", "no-record-id", "message", "slow"}


async def _answer_create(request: web.Request, order: Trouble | None, task: Task | None) -> web.Response:
    """Return the reply to a create, spoilt as `order` says; `task` is None if none was created."""
    kind = order.kind if order else ""
    await held_back(order)
    if kind in REFUSALS:
        return refused(kind)
    if kind in ("null-data", "no-task-id"):
        return reply(None if kind == "null-data" else {})
    if order and kind.partition("-")[0] in SILENT:
        return await silence(request, order)
    if task is None:
        raise ValueError(f"no task was made, and {kind!r} is no answer to that")
    data = {"taskId": task.id} | ({} if kind == "no-record-id" else {"recordId": task.id})
    return reply(data, msg_name="message" if kind == "message" else "msg")


async def _make(request: web.Request, body: dict[str, Any]) -> Task | web.Response:
    """Check a request in the same order as KIE does, and return its new Task, or the Response that refuses it."""
    world, inputs = request.app[WORLD], body.get("input")
    if not world.may_create():
        return refused("429")
    model = world.facts.get(body.get("model", ""))
    if model is None:
        return reply(None, code=422, msg=UNKNOWN_MODEL)
    if not isinstance(inputs, dict):
        return reply(None, code=422, msg="input cannot be null")
    if wrong := model.refusal(inputs):
        return reply(None, code=wrong[0], msg=wrong[1])
    fetched = await _fetch_all(request.app, model.media(inputs))
    lost = any(not file["ok"] for file in fetched)
    if lost and world.settings["unreachable"] == "451":
        return reply(None, code=451, msg=UNREACHABLE)
    seconds = {file["url"]: file["seconds"] for file in fetched}
    credits = model.credits(inputs, seconds, _known(world, inputs, fetched))
    if credits > world.credits:
        return reply(None, code=402, msg=CREDITS_TEXT)
    task = world.create(model, inputs, body.get("callBackUrl"), credits)
    task.picture = next((file["content"] for file in fetched if file["kind"] == "image" and file["content"]), None)
    task.fetched = [{name: file[name] for name in ("url", "status", "size", "seconds")} for file in fetched]
    _decide(world, task, lost)
    return task


def _known(world: World, inputs: dict[str, Any], fetched: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the $-facts that are known: the resolution of an earlier task's clip, the size of an upscaled picture."""
    known, earlier = {}, [world.tasks.get(value) for value in inputs.values() if isinstance(value, str)]
    for task in filter(None, earlier):
        known["$source_resolution"] = task.model.values(task.inputs).get("resolution")
    sides = [stub_media.longer_side(file["content"]) for file in fetched if file["kind"] == "image"]
    factor = str(inputs.get("upscale_factor", ""))
    if sides and sides[0] and factor.isdecimal():
        side = sides[0] * int(factor)
        known["$output_size"] = next((name for name, limit in SIZES if side <= limit), None)
    return known


def _decide(world: World, task: Task, lost: bool) -> None:
    """Decide how a new task will end: by an order, a lost input, or inputs that do not go together."""
    order = world.troubles.take("create", set(FATES) | {"stall"}, model=task.model.id)
    if order and order.kind == "stall":
        world.stall(task)
    elif order:
        task.fate = FATES[order.kind]
    elif lost:
        task.fate = FATES["500-upload"]
    else:
        task.fate = task.model.late_failure(task.inputs)


async def _hurry(request: web.Request, task: Task) -> None:
    """With the trouble "early", end the task and deliver its callback before the create is answered."""
    world, courier = request.app[WORLD], request.app[COURIER]
    if task.callback_url and world.troubles.take("callback", {"early"}, model=task.model.id):
        world.end(task)
        courier.announce(task)
        courier.deliver_due()
        await courier.drain()


async def _fetch_all(app: web.Application, media: list[Media]) -> list[dict[str, Any]]:
    return await asyncio.gather(*(_fetch_one(app, item) for item in media))


async def _fetch_one(app: web.Application, item: Media) -> dict[str, Any]:
    """Fetch one input file and measure its length, which affects the price."""
    status, content = await fetch(app, item.url)
    return {
        "url": item.url,
        "kind": item.kind,
        "status": status,
        "content": content,
        "ok": status == 200,
        "size": len(content),
        "seconds": stub_media.seconds(content),
    }


async def record_info(request: web.Request) -> web.Response:
    """Return the state of a task, with any trouble ordered."""
    world = request.app[WORLD]
    if not has_key(request):
        return unauthorized()
    task = world.tasks.get(request.query.get("taskId", ""))
    if task:
        task.looks += 1
    model, age = (task.model.id, world.clock.now() - task.created) if task else (None, None)
    order = world.troubles.take("poll", model=model, age_s=age)
    kind = order.kind if order else ""
    await held_back(order)
    if kind in REFUSALS:
        return refused(kind)
    if kind in ("408", "501"):
        return reply(None, code=int(kind), msg=FATES["408-timeout" if kind == "408" else "501-failed"][1])
    if order and kind in SILENT:
        return await silence(request, order)
    if task is None or kind == "null":
        return reply(None, code=422, msg="recordInfo is null")
    if kind in FATES and world.end(task, failure=FATES[kind]):
        request.app[COURIER].announce(task)
    return _record_reply(request.app, task, kind)


def _record_reply(app: web.Application, task: Task, kind: str) -> web.Response:
    data = record(app, task)
    if kind in ("waiting", "unknown-state"):
        data |= _still_running(task, "waiting" if kind == "waiting" else "post-processing")
    if task.state == "succeeded" and kind in _ODD_RESULTS:
        data.pop("response", None)
        data["resultJson"] = _ODD_RESULTS[kind](data["resultJson"])
    if kind == "consume-credits":
        data["consumeCredits"] = data.pop("creditsConsumed")
    answer = reply(data, msg_name="message" if kind == "message" else "msg")
    return raw(_one_backslash_short(answer.text or "")) if kind == "bad-json" else answer


_ODD_RESULTS: dict[str, Callable[[str], Any]] = {
    "empty-urls": lambda text: json.dumps({"resultUrls": []}),
    "result-as-object": json.loads,
    "result-object": lambda text: json.dumps({"resultObject": {"text": "A result in words", "score": 0.5}}),
}


def _still_running(task: Task, word: str) -> dict[str, Any]:
    return {
        "state": word,
        "resultJson": "",
        "failCode": None,
        "failMsg": None,
        "costTime": None,
        "completeTime": None,
        "creditsConsumed": float(task.credits),
        "successFlag": 0,
        "response": None,
    }


def _one_backslash_short(text: str) -> str:
    """Break the JSON as seen live: the inner quotes of `param` and `paramJson` lose one backslash."""
    envelope = json.loads(text)
    for name in ("param", "paramJson"):
        good = json.dumps(envelope["data"][name], ensure_ascii=False)
        inner = good[1:-1].replace('\\"', '"')
        text = text.replace(f'"{name}":{good}', f'"{name}":"{inner}"')
    return text


def record(app: web.Application, task: Task) -> dict[str, Any]:
    """Return a task's `data` with the keys in KIE's order."""
    ended, failed = task.state != "running", task.state == "failed"
    timed = ended and not task.blank
    text = result_json(app, task)
    data = {
        "taskId": task.id,
        "model": task.model.id,
        "state": task.word(app[WORLD].clock.now()),
        "param": echo(task),
        "resultJson": text,
        "failCode": task.fail_code,
        "failMsg": task.fail_msg,
        "costTime": round(task.ended - task.created) if timed else None,
        "completeTime": round(task.ended * 1000) if timed else None,
        "createTime": round(task.created * 1000),
        "creditsConsumed": 0.0 if failed else float(task.credits),
        "operationType": task.model.id,
    }
    if _is_music(task):
        data |= {"status": "SUCCESS" if text else "PENDING", "type": "chirp-hawk", "parentMusicId": ""}
    if text:
        data["response"] = json.loads(text)
    return data | {"successFlag": 3 if failed else int(ended), "paramJson": echo(task)}


def result_json(app: web.Application, task: Task) -> str:
    """Return `resultJson`: JSON text if the task has succeeded, else empty."""
    if task.state != "succeeded":
        return ""
    urls = [f"{app[ORIGIN]}/files/{path}" for path in task.paths]
    if task.model.output == "text":
        return json.dumps(_words(task), ensure_ascii=False)
    if _is_music(task):
        return json.dumps(_tracks(task, urls), ensure_ascii=False)
    if task.inputs.get("return_last_frame") and len(urls) > 1:
        return json.dumps({"resultUrls": urls[:1], "firstFrameUrl": urls[1:2], "lastFrameUrl": urls[2:]})
    return json.dumps({"resultUrls": urls})


def _is_music(task: Task) -> bool:
    return task.model.id.startswith("ai-music-api/") and task.model.output == "audio"


def _tracks(task: Task, urls: list[str]) -> dict[str, Any]:
    values = task.model.values(task.inputs)
    tracks = [
        {
            "id": f"{task.id[:8]}-{number}",
            "audio_url": url,
            "stream_audio_url": url,
            "image_url": "",
            "title": values.get("title") or "Evening tune",
            "tags": values.get("style") or "calm",
            "prompt": stub_media.words(values),
            "model_name": "chirp-hawk",
            "duration": SONG_S,
            "createTime": round(task.ended * 1000),
        }
        for number, url in enumerate(urls)
    ]
    return {"code": 200, "msg": "success", "task_id": task.id, "data": tracks}


def _words(task: Task) -> dict[str, Any]:
    said = stub_media.words(task.model.values(task.inputs)) or "the evening"
    if task.model.kind == "lyrics":
        verses = f"[Verse]\nI walked all day with {said}\nand the light stayed on\n\n[Chorus]\nStay, evening, stay"
        return {"resultObject": {"lyricsData": [{"text": verses, "title": "Evening tune"}]}}
    if task.model.kind == "voice-persona":
        named = {name: task.inputs.get(name) for name in ("name", "description")}
        return {"resultObject": {"personaId": f"persona-{task.id[:8]}", **named}}
    return {"resultObject": {"text": f"About {said}: a sample answer of the stub."}}


async def credit(request: web.Request) -> web.Response:
    """Return the balance, a plain float."""
    world = request.app[WORLD]
    order = world.troubles.take("credit")
    await held_back(order)
    if order and order.kind in SILENT:
        return await silence(request, order)
    if order and order.kind in REFUSALS:
        return refused(order.kind)
    if not has_key(request):
        return unauthorized()
    return reply(None if order and order.kind == "null" else float(world.credits))
