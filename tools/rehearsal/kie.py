"""What the bot assumes about KIE: its key, errors, uploads, one cheapest task from create to result, chat, offer and prices.

Refused calls cost nothing, but each that could be accepted by mistake is counted at the price of a task until it was
refused. What is expected is written down in docs.kie.ai, and in recordings of others' calls where the two differ.
"""

import base64
import dataclasses
import secrets
import uuid
from decimal import Decimal
from io import BytesIO
from pathlib import Path

from core.services.talk import LIMIT_S, READ_S
from kie.api import chat
from kie.api.task_response import TaskState
from kie.catalogue.chat_models import ChatModels
from kie.catalogue.inputs import InputError
from kie.catalogue.model import Catalog
from kie.catalogue.pricing import NoPrice, credits, is_upper_bound
from kie.sync.discovery import JOBS, PLAIN_ID, PRICE
from tools.rehearsal import marks
from tools.rehearsal.assumption import Assumption, NotTried
from tools.rehearsal.samples import picture
from tools.rehearsal.shapes import Absent, Between, Many, Maybe, OneOf, Same, Text

CHAT_MODELS = Path(__file__).parents[2] / "data" / "chat_models.json"
PROMPT = "a red kite over a green hill, flat colours"
QUESTION = "Answer with one word: what colour is the sky on a clear day?"
ANSWER_TOKENS = 1000  # that an answer may have, for the most that it can cost
SHORT_TOKENS = 200  # the same, of a model that is told to be short
PAUSE_S = 1.1  # docs.kie.ai, Models API: one request a second
LOOK_S, RECORD_S, TASK_S, CALLBACK_S = (
    3,
    30,
    300,
    45,
)  # between looks; for the record, the task and the callback to come
APART_S = 300  # of KIE's clock and ours
NOTHING = OneOf((None, Absent))
CENT = 0.005
PASSING = ("busy", "maintenance")  # refusals that say nothing about the next hour
JSON = {"HTTP": 200, "type": Text("^application/json")}
GOOD = JSON | {"outcome": "ok", "code": 200, "msg": str}
STATES = OneOf(("waiting", "queuing", "generating", "success", "fail"))
LINK = Text("^https?://")


def bad(code, words, outcome, data=NOTHING):
    """Return the shape of a refusal: KIE's envelope with HTTP 200."""
    return JSON | {"outcome": outcome, "code": code, "msg": Text(words), "data": data}


# what is cheapest


def cheapest_task(catalog):
    """Return (model, values, credits) of the cheapest picture that needs nothing but a prompt."""
    found = []
    for model in catalog.models.values():
        if model.output != "image" or model.main_text is None or model.needs_callback:
            continue
        values = model.defaults() | {model.main_text.name: PROMPT}
        try:
            model.build(values, str)
            if not is_upper_bound(model, values):
                found.append((credits(model, values), model.id, values))
        except (InputError, NoPrice):
            continue
    price, model_id, values = min(found, key=lambda one: one[:2])
    return catalog.models[model_id], values, price


def task(stage):
    """Return (model, values, credits) of the rehearsal's task."""
    return cheapest_task(Catalog.read(stage.bot.generation.live_catalogue.path)[0])


def task_price(stage):
    """Return what the task costs, in credits."""
    return task(stage)[2]


def talker():
    """Return the chat model that is asked: the one that improves prompts."""
    return ChatModels.load(CHAT_MODELS).helper[0]


def claude():
    """Return the cheapest chat model in Anthropic's format, in which the dearer answers are sold."""
    models = ChatModels.load(CHAT_MODELS).models.values()
    return min((one for one in models if one.format == "anthropic"), key=lambda one: one.credits_in)


def chat_price(_stage):
    """Return the most that the question can cost, in credits."""
    return chat.estimate(talker(), [chat.Message("user", QUESTION)], ANSWER_TOKENS)


def claude_price(_stage):
    """Return the most that the question to a Claude can cost, in credits."""
    return chat.estimate(claude(), [chat.Message("user", QUESTION)], SHORT_TOKENS)


# the account


def _wrong_key(stage):
    return stage.kie(lambda: stage.client(key="rehearsal-wrong-key").credits())


def _clock(stage):
    """Return how many seconds KIE's clock and ours are apart."""
    found = {}

    def ask():
        found["time"] = stage.client().server_time()

    outcome = stage.kie(ask)["outcome"]
    apart = abs((found["time"] - stage.clock.now()).total_seconds()) if found else Absent
    return {"outcome": outcome, "apart_s": apart}


# uploads


def _stream_upload(stage):
    return stage.kie(lambda: stage.client().upload(BytesIO(picture()), filename="picture.png", mime="image/png"))


def _other_upload(path, body):
    """Return a call of another way to upload; `body(stage)` is what to send."""
    return lambda stage: stage.kie(lambda: stage.client(upload=True).look_up(path, body(stage)))


def _base64_body(_stage):
    data = base64.b64encode(picture()).decode()
    return {"base64Data": f"data:image/png;base64,{data}", "uploadPath": "bot", "fileName": f"{uuid.uuid4().hex}.png"}


def _url_body(stage):
    return {"fileUrl": _uploaded(stage), "uploadPath": "bot", "fileName": f"{uuid.uuid4().hex}.png"}


def _uploaded(stage, name="kie_upload"):
    """Return the address of an uploaded file, by default of the one that was uploaded as a stream."""
    data = stage.answer_of(name).get("data")
    link = data.get("downloadUrl") if isinstance(data, dict) else None
    if not isinstance(link, str):
        raise NotTried("rehearsal.after", name=name)
    return link


def _fetch_upload(stage):
    """Fetch what was uploaded as a stream, and what was uploaded in the other ways as far as that went well."""
    found = stage.file(_uploaded(stage))
    others = [name for name in ("kie_upload_base64", "kie_upload_url") if name in stage.kept]
    same = [stage.file(_uploaded(stage, name)).get("data") == picture() for name in others]
    return found | {"same": found.get("data") == picture(), "others_same": all(same)}


def upload_shape(**more):
    """Return the shape of the answer to an upload."""
    data = {
        "fileName": Text(r"^[\w-]+\.png$"),
        "filePath": str,
        "downloadUrl": LINK,
        "fileSize": len(picture()),
        "mimeType": "image/png",
    }
    return GOOD | {"success": True, "data": data | {"uploadedAt": str} | more}


# refusals


def _risky(name, work):
    """Return a call that is to be refused; once it is, it has cost nothing."""

    def call(stage):
        found = stage.kie(lambda: work(stage))
        if found["outcome"] not in ("ok", "Unknown"):
            stage.journal.settle(name, Decimal(0))
        return _unless_passing(found)

    return call


def _unless_passing(found):
    """Return an answer, unless KIE only says that it is too busy or under maintenance."""
    if found["outcome"] in PASSING:
        raise NotTried("rehearsal.away", error=found["outcome"])
    return found


def _no_inputs(stage):
    stage.client().create(task(stage)[0].id, {})


def _unknown_model(stage):
    stage.client().create("rehearsal/no-such-model", {"prompt": PROMPT})


def _unknown_talker(stage):
    models = ChatModels.load(CHAT_MODELS).models.values()
    model = next(one for one in models if one.format == "responses")
    fake = dataclasses.replace(model, id="rehearsal-no-such-model")
    chat.ask(stage.client(), fake, [chat.Message("user", QUESTION)])


def _unknown_address(stage):
    fake = dataclasses.replace(talker(), path="/rehearsal-no-such-model/v1/chat/completions")
    chat.ask(stage.client(), fake, [chat.Message("user", QUESTION)])


# the task


def _create(stage):
    """Start the task, with a callback if KIE can reach us; the answer has "waits_for", the mark of the callback."""
    model, values, _price = task(stage)
    mark = marks.make(stage.settings["TELEGRAM_BOT_TOKEN"], secrets.token_hex(8))
    address = stage.settings["PUBLIC_URL"]
    url = f"{address}{marks.PATH}?mark={mark}" if address else None
    stage.kept["mark"] = mark
    found = stage.kie(lambda: stage.client().create(model.id, model.build(values, str), url))
    if found["outcome"] not in ("ok", "Unknown"):
        stage.journal.settle("kie_create", Decimal(0))
    return found


def _task_id(stage):
    data = stage.answer_of("kie_create").get("data")
    found = data.get("taskId") if isinstance(data, dict) else None
    if not isinstance(found, str) or not found:
        raise NotTried("rehearsal.after", name="kie_create")
    return found


def _look(stage):
    """Read the task's record; return the answer, and our client's reading of it or None."""
    read = []
    answer = stage.kie(lambda: read.append(stage.client().record(_task_id(stage))))
    return answer, read[0] if read else None


def _first_look(stage):
    """Wait for the record to be there: KIE may answer "recordInfo is null" at first."""
    ends = stage.clock.monotonic() + RECORD_S
    answer, record = _look(stage)
    while record is None and answer["outcome"] == "missing" and stage.clock.monotonic() < ends:
        stage.clock.sleep(LOOK_S)
        answer, record = _look(stage)
    return answer


def _wait(stage):
    """Wait for the task to end; keep the states it went through."""
    ends, states = stage.clock.monotonic() + TASK_S, []
    while True:
        stage.answers = []  # those of the last look are enough
        answer, record = _look(stage)
        if record is not None and record.raw_state not in states:
            states.append(record.raw_state)
        ended = record is not None and record.state is not TaskState.RUNNING
        if ended or stage.clock.monotonic() >= ends:
            break
        stage.clock.sleep(LOOK_S)
    stage.kept["states"] = states
    stage.kept["record"] = record if ended else None
    data = answer.get("data") if isinstance(answer.get("data"), dict) else {}
    _settle(stage, data.get("creditsConsumed"), record)
    return answer


def _settle(stage, taken, record):
    """Write down what KIE says the task took; if it says nothing, the price stays."""
    if record is not None and isinstance(taken, (int, float)) and not isinstance(taken, bool):
        stage.journal.settle("kie_create", Decimal(str(taken)))


def _data(stage):
    """Return the record of the finished task."""
    if stage.kept.get("record") is None:
        raise NotTried("rehearsal.after", name="kie_done")
    return stage.answer_of("kie_done")["data"]


def _millis(stage):
    now = stage.clock.now().timestamp()
    return Between((now - APART_S - TASK_S) * 1000, (now + APART_S) * 1000)


def record_shape(stage, **more):
    """Return the shape of the task's record."""
    model = task(stage)[0]
    data = {
        "taskId": Same(_task_id(stage)),
        "model": model.id,
        "state": STATES,
        "param": Text('"input"'),
        "failCode": NOTHING,
        "failMsg": NOTHING,
        "createTime": _millis(stage),
        "creditsConsumed": float,
    }
    return GOOD | {"data": data | more}


def _done_shape(stage):
    result = {"resultJson": Text(r'"resultUrls"'), "response": Maybe({"resultUrls": Many(LINK, 1)})}
    return record_shape(stage, state="success", costTime=int, completeTime=_millis(stage), **result)


def _duration(stage):
    """Return by how many seconds `costTime` is not the time from creation to completion."""
    data = _data(stage)
    try:
        return {"off_by_s": abs(data["costTime"] - (data["completeTime"] - data["createTime"]) / 1000)}
    except (KeyError, TypeError):
        return {"off_by_s": Absent}


def _charge_shape(stage):
    price = float(task_price(stage))
    return {"creditsConsumed": Between(price - CENT, price + CENT)}


def _result(stage):
    """Return what our client reads in the result: how many addresses, and whether they are."""
    urls = stage.kept["record"].urls if _data(stage) else ()
    return {"urls": list(urls)}


def _first_url(stage):
    _data(stage)
    urls = stage.kept["record"].urls
    if not urls:
        raise NotTried("rehearsal.after", name="kie_result")
    return urls[0]


def _to_telegram(stage):
    """Send the result by its address, as deliveries do first."""
    return stage.send("sendPhoto", photo=_first_url(stage), timeout_s=90)


def _balance(stage):
    """Return by how many credits the balance is lower than at the beginning; others may spend meanwhile."""
    _data(stage)
    before = stage.answer_of("kie_credits").get("data")
    after = stage.kie(lambda: stage.client().credits()).get("data")
    try:
        return {"fell_by": round(before - after, 4)}
    except TypeError:
        return {"fell_by": after}


def _callback(stage):
    """Wait for KIE's callback at our own address; return what the running bot saw of it."""
    address = stage.settings["PUBLIC_URL"]
    if not address:
        raise NotTried("rehearsal.no_public_url")
    _data(stage)
    ends = stage.clock.monotonic() + CALLBACK_S
    while True:
        status, found = stage.get(f"{address}{marks.PATH}?mark={stage.kept['mark']}")
        if status not in (200, 202):
            raise NotTried("rehearsal.callback_no_bot", status=status)
        if status == 200 or stage.clock.monotonic() >= ends:
            break
        stage.clock.sleep(LOOK_S)
    found = found if isinstance(found, dict) else {}
    stage.answers.append({"call": "POST callBackUrl", "shape": found.pop("shape", None)})
    return found | {"HTTP": status}


def _callback_shape(stage):
    signed = True if stage.settings["KIE_WEBHOOK_KEY"] else OneOf((True, False))
    return {"HTTP": 200, "code": 200, "state": "success", "task": Same(_task_id(stage)), "signed": signed}


# chat


def _ask(name, model, **limits):
    """Return a call that asks the model of `model()` the question, as the bot does, and writes down what it took."""

    def call(stage):
        found = stage.kie(lambda: chat.ask_first(stage.client(), [model()], [chat.Message("user", QUESTION)], **limits))
        taken = found.get("credits_consumed")
        if found["outcome"] not in ("ok", "Unknown"):
            stage.journal.settle(name, Decimal(0))
        elif isinstance(taken, (int, float)) and not isinstance(taken, bool):
            stage.journal.settle(name, Decimal(str(taken)))
        return _unless_passing(found)

    return call


def _chat_shape(stage):
    return {
        "HTTP": 200,
        "outcome": "ok",
        "choices": Many({"message": {"role": "assistant", "content": str}, "finish_reason": "stop"}, 1),
        "usage": {"prompt_tokens": Between(1, 10**6), "completion_tokens": Between(1, 10**6)},
        "credits_consumed": Between(0.01, float(chat_price(stage))),
    }


def _claude_shape(stage):
    return {
        "HTTP": 200,
        "outcome": "ok",
        "content": Many({"type": str}, 1),
        "stop_reason": str,
        "usage": {"input_tokens": Between(0, 10**6), "output_tokens": Between(1, 10**6)},
        "credits_consumed": Between(0.01, float(claude_price(stage))),
    }


# the offer


def _look_up(path, body=None):
    """Return a call of the discovery, after a pause; `path` may have {model}, the rehearsal's."""

    def call(stage):
        stage.clock.sleep(PAUSE_S)
        where = path.format(model=task(stage)[0].id)
        return stage.kie(lambda: stage.client().look_up(where, body(stage) if body else None))

    return call


def _models(stage):
    found = _look_up("api/v1/models")(stage)
    data = found.get("data")
    try:
        return found | {"not_listed": data["total"] - len(data["models"])}
    except (TypeError, KeyError):
        return found


def _listed(stage):
    data = stage.answer_of("kie_models").get("data")
    entries = data.get("models") if isinstance(data, dict) else None
    ids = [one.get("model") for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []
    return {"listed": task(stage)[0].id in ids}


ENTRY = {
    "model": Text(f"^{PLAIN_ID.pattern}$"),
    "slug": str,
    "title": str,
    "provider": str,
    "taskType": Many(str),
    "description": Maybe(str),
    "pricingDesc": Maybe(str),
}
ROW = {
    "modelDescription": str,
    "interfaceType": str,
    "creditPrice": Text(f"^{PRICE.pattern}$"),
    "creditUnit": str,
    "usdPrice": str,
    "anchor": str,
}


def _row_name(stage):
    """Return the name in KIE's price feed of the task's price."""
    model, _values, price = task(stage)
    entries = Catalog.read(stage.bot.generation.live_catalogue.path)[1]["models"]
    rows = next(entry["price"] for entry in entries if entry["id"] == model.id)
    name = next((row["feed"] for row in rows if row.get("feed") and Decimal(row["credits"]) == price), None)
    if name is None:
        raise NotTried("rehearsal.no_feed_row")
    return name


def _feed_price(stage):
    name = _row_name(stage)
    body = {"pageNum": 1, "pageSize": 100, "modelDescription": name}
    found = _look_up("client/v1/model-pricing/page", lambda _stage: body)(stage)
    data = found.get("data")
    records = data.get("records") if isinstance(data, dict) else None
    rows = [row for row in records or () if isinstance(row, dict) and str(row.get("modelDescription")).strip() == name]
    price = rows[0].get("creditPrice") if rows else None
    return {"creditPrice": float(price) if isinstance(price, str) and PRICE.fullmatch(price) else price}


def _feed_shape(stage):
    price = float(task_price(stage))
    return {"creditPrice": Between(price - CENT, price + CENT)}


def _models_shape(_stage):
    return GOOD | {"data": {"total": int, "models": Many(ENTRY, 1)}, "not_listed": 0}


def _schema_shape(stage):
    openapi = {"openapi": Text(r"^3\."), "paths": {JOBS: {"post": {"requestBody": dict}}}}
    return GOOD | {"data": {"model": task(stage)[0].id, "openapi": openapi}}


ASSUMPTIONS = (
    Assumption("kie_credits", "doctor", lambda s: s.kie(lambda: s.client().credits()), GOOD | {"data": float}),
    Assumption("kie_wrong_key", "kie_errors", _wrong_key, bad(401, "Authentication failed", "key", Absent)),
    Assumption("kie_clock", "doctor", _clock, {"outcome": "ok", "apart_s": Between(0, APART_S)}),
    Assumption(
        "kie_create",
        "orders",
        _create,
        GOOD | {"data": {"taskId": Text(r"^[\w-]{8,64}$"), "recordId": Maybe(str)}},
        task_price,
    ),
    Assumption("kie_first_look", "poller", _first_look, record_shape),
    Assumption(
        "kie_no_record",
        "poller",
        lambda s: s.kie(lambda: s.client().record(uuid.uuid4().hex)),
        bad(422, "recordInfo is null", "missing"),
    ),
    Assumption(
        "kie_unknown_model",
        "kie_errors",
        _risky("kie_unknown_model", _unknown_model),
        bad(422, "model name you specified is not supported", "model"),
        task_price,
    ),
    Assumption(
        "kie_no_inputs",
        "kie_errors",
        _risky("kie_no_inputs", _no_inputs),
        bad(500, "required", "validation"),
        task_price,
    ),
    Assumption("kie_upload", "uploads", _stream_upload, upload_shape()),
    Assumption("kie_upload_base64", "uploads", _other_upload("api/file-base64-upload", _base64_body), upload_shape()),
    Assumption("kie_upload_url", "uploads", _other_upload("api/file-url-upload", _url_body), upload_shape()),
    Assumption(
        "kie_upload_refused",
        "uploads",
        _other_upload("api/file-url-upload", lambda _stage: {"url": "", "uploadPath": "bot"}),
        bad(400, "fileUrl", "validation") | {"success": False},
    ),
    Assumption(
        "kie_uploaded",
        "uploads",
        _fetch_upload,
        {"outcome": "ok", "type": "image/png", "size": len(picture()), "same": True, "others_same": True},
    ),
    Assumption("kie_chat", "chat", _ask("kie_chat", talker), _chat_shape, chat_price),
    Assumption(
        "kie_chat_claude",
        "chat",
        _ask("kie_chat_claude", claude, max_tokens=SHORT_TOKENS, read_timeout_s=READ_S, limit_s=LIMIT_S),
        _claude_shape,
        claude_price,
    ),
    Assumption(
        "kie_chat_unknown",
        "chat",
        _risky("kie_chat_unknown", _unknown_talker),
        bad(OneOf((422, 404)), "not supported|does not exist", "model"),
        chat_price,
    ),
    Assumption(
        "kie_chat_unknown_address",
        "chat",
        _risky("kie_chat_unknown_address", _unknown_address),
        bad(OneOf((422, 404)), "not supported|does not exist", "model"),
        chat_price,
    ),
    Assumption("kie_models", "catalogue", _models, _models_shape),
    Assumption("kie_listed", "catalogue", _listed, {"listed": True}),
    Assumption("kie_schema", "catalogue", _look_up("api/v1/models/{model}/schema"), _schema_shape),
    Assumption(
        "kie_price",
        "prices",
        _look_up("api/v1/models/{model}/price"),
        lambda s: GOOD | {"data": {"model": task(s)[0].id, "pricingDesc": Maybe(str)}},
    ),
    Assumption(
        "kie_no_schema",
        "catalogue",
        _look_up("api/v1/models/rehearsal/no-such-model/schema"),
        bad(404, "model name you specified is not supported", "model"),
    ),
    Assumption(
        "kie_feed",
        "catalogue",
        _look_up("client/v1/model-pricing/page", lambda _stage: {"pageNum": 1, "pageSize": 100}),
        GOOD | {"data": {"records": Many(ROW, 1, 100), "total": int, "pages": Between(1, 50)}},
    ),
    Assumption("kie_feed_price", "prices", _feed_price, _feed_shape),
    Assumption("kie_done", "poller", _wait, _done_shape),
    Assumption(
        "kie_states", "poller", lambda s: {"states": s.kept["states"] if _data(s) else []}, {"states": Many(STATES, 1)}
    ),
    Assumption("kie_duration", "poller", _duration, {"off_by_s": Between(0, 2)}),
    Assumption("kie_charged", "overrun", _data, _charge_shape),
    Assumption("kie_result", "poller", _result, {"urls": Many(LINK, 1)}),
    Assumption(
        "kie_result_file",
        "delivery",
        lambda s: s.file(_first_url(s)),
        {"outcome": "ok", "type": Text("^image/"), "size": Between(100, 20 * 1024 * 1024)},
    ),
    Assumption(
        "kie_result_sent",
        "delivery",
        _to_telegram,
        {"message_id": int, "photo": Many({"file_id": str, "width": int, "height": int}, 1)},
    ),
    Assumption("kie_balance", "orders", _balance, lambda s: {"fell_by": Between(float(task_price(s)) - CENT, 10**6)}),
    Assumption("kie_callback", "callbacks", _callback, _callback_shape),
)
