"""Differences that services drift into, planted between the bot and the local servers: a rehearsal names each one.

Each plant alters what the bot's code really relies on; `breaks` says what then goes wrong in the bot, and `said` is what
a finding's words must contain of what came. They were chosen from what the code reads, not from what a rehearsal asks.
"""

import json
from collections.abc import Callable
from typing import NamedTuple

import pytest

from tests.kit import BOSS
from tests.rehearsals import Rehearsing

NOWHERE = "/var/lib/telegram-bot-api/photos/file_0.jpg"
NOT_MODIFIED, STAYS = "message is not modified", "the message would stay the same"
NO_CHAT, NO_PEER = "chat not found", "PEER_ID_INVALID"
NO_PROVIDER = "Bad Request: PAYMENT_PROVIDER_INVALID"
LATER = "Server exception, please try again later"


class Plant(NamedTuple):
    """What is altered on which path, how often (0: always), what breaks in the bot, and what is said of it."""

    path: str
    change: Callable[..., object]
    said: str
    breaks: str
    times: int = 0


# --- changes ---------------------------------------------------------------------------------------------------------


def _body(answer):
    return answer.body if isinstance(answer.body, dict) else {}


def refusal(answer, code, description, **more):
    """Make an answer of Telegram's a refusal."""
    answer.status = code
    answer.body = {"ok": False, "error_code": code, "description": description, **more}


def reworded(known, other):
    """Say a refusal of Telegram's in other words."""

    def change(answer):
        if known in _body(answer).get("description", ""):
            answer.body["description"] = answer.body["description"].replace(known, other)

    return change


def flood_without_parameters(answer):
    refusal(answer, 429, "Too Many Requests", retry_after=1)


def local_path(answer):
    if answer.body["ok"]:
        answer.body["result"]["file_path"] = NOWHERE


def largest_first(answer):
    if answer.body["ok"]:
        answer.body["result"]["photo"].reverse()


def ids_alone(answer):
    if answer.body["ok"]:
        answer.body["result"] = [{"message_id": one["message_id"]} for one in answer.body["result"]]


def code_as_text(answer):
    if _body(answer).get("ok") is False:
        answer.body["error_code"] = str(answer.body["error_code"])


def missing_file(answer):
    if "file identifier" in _body(answer).get("description", ""):
        refusal(answer, 404, "Not Found: no such file")


def failed_dependency(answer):
    if "HTTP URL" in _body(answer).get("description", ""):
        refusal(answer, 424, "Failed Dependency: the address cannot be fetched")


def newest_first(answer):
    partner = {"type": "user", "user": {"id": BOSS, "is_bot": False, "first_name": "Boss"}, "invoice_payload": "1"}
    answer.body["result"]["transactions"] = [
        {"id": "planted-2", "amount": 2, "date": 1_764_000_000, "source": partner},
        {"id": "planted-1", "amount": 1, "date": 1_763_000_000, "source": partner},
    ]


def edit_says_true(answer):
    if answer.body["ok"]:
        answer.body["result"] = True


def _ended_well(answer):
    record = _body(answer).get("data")
    return record if isinstance(record, dict) and record.get("state") == "success" else None


def dollars(answer):
    if record := _ended_well(answer):
        record |= {name: 0.02 for name in ("creditsConsumed", "consumeCredits") if name in record}


def urls_as_objects(answer):
    if record := _ended_well(answer):
        for name in ("resultJson", "response"):
            if record.get(name):
                is_text = isinstance(record[name], str)
                result = json.loads(record[name]) if is_text else record[name]
                result["resultUrls"] = [{"url": url, "preview": url + "?w=64"} for url in result["resultUrls"]]
                record[name] = json.dumps(result) if is_text else result


def untyped(answer):
    if "/files/" in answer.path and answer.headers.get("Content-Type", "").startswith("image/"):
        answer.headers["Content-Type"] = "application/octet-stream"


def relative_address(answer):
    answer.body["data"]["downloadUrl"] = "kieai/183531/bot/picture.jpg"


def unknown_model_by_status(answer):
    if answer.body.get("code") == 422:
        answer.status, answer.body = 400, {"detail": "Unknown model"}


def missing_record_ended(answer):
    if answer.body.get("code") == 422:
        answer.body["code"] = 501


def bad_key_is_bad_request(answer):
    if _body(answer).get("code") == 401:
        answer.body |= {"code": 400, "msg": "Bad request"}


def validation_as_server_error(answer):
    if answer.body.get("code") == 500:
        answer.body["msg"] = LATER


def credits_in_usage(answer):
    if "credits_consumed" in answer.body:
        answer.body["usage"]["credits_consumed"] = answer.body.pop("credits_consumed")


def error_as_text(answer):
    if answer.body.get("code", 200) != 200:
        answer.body = {"error": "model not supported"}


def first_page(answer):
    answer.body["data"]["models"] = answer.body["data"]["models"][:50]


def pages_unnamed(answer):
    answer.body["data"]["hasNextPage"] = answer.body["data"].pop("pages") > 1


def second_version(answer):
    openapi = (answer.body["data"] or {"openapi": {"paths": {}}})["openapi"]
    openapi["paths"] = {path.replace("/v1/", "/v2/"): one for path, one in openapi["paths"].items()}


# --- plants ----------------------------------------------------------------------------------------------------------

TELEGRAM = {
    "an unchanged edit is refused in other words": Plant(
        "/editMessageText",
        reworded(NOT_MODIFIED, STAYS),
        STAYS,
        "a second tap on the same button sends the screen again below instead of saying that it is there",
    ),
    "429 names its seconds outside of parameters": Plant(
        "/sendMessage",
        flood_without_parameters,
        "retry_after",
        "nothing is held back and tried again: the message is lost, a broadcast counts the person as failed",
        times=1,
    ),
    "getFile names a path on the server's disk": Plant(
        "/getFile",
        local_path,
        "/var/lib",
        "no file of a person's can be downloaded, so every order with a picture fails",
    ),
    "a file that Telegram does not have is a 404": Plant(
        "/sendPhoto",
        missing_file,
        "404",
        "after a change of the token no picture of an idea is sent: only a 400 leads to uploading it again",
    ),
    "a chat that is gone is named otherwise": Plant(
        "",
        reworded(NO_CHAT, NO_PEER),
        NO_PEER,
        "nobody is marked as away: results for them are sent again and again, and messages set aside with alerts",
    ),
    "the sizes of a photo come largest first": Plant(
        "/sendPhoto",
        largest_first,
        "descending",
        "the last size is taken for the largest, so KIE gets thumbnails of people's photos",
    ),
    "an album answers with ids alone": Plant(
        "/sendMediaGroup",
        ids_alone,
        "photo",
        "no file ids are kept of several results: the history cannot show them, and replies to them edit nothing",
    ),
    "error codes are texts": Plant(
        "",
        code_as_text,
        '"400"',
        "no refusal is recognised as 400 and comparing with 500 raises, so no picture is uploaded instead of sent by address",
    ),
    "an address that cannot be fetched is 424": Plant(
        "/sendPhoto",
        failed_dependency,
        "424",
        "a result that Telegram cannot fetch is sent by its address again and again, and never uploaded",
    ),
    "the list of Stars has the newest first": Plant(
        "/getStarTransactions",
        newest_first,
        "descending",
        "reconciling reads on from the end of the list, so a payment the bot was not told of is never credited",
    ),
    "an invoice in Stars needs a provider": Plant(
        "/sendInvoice",
        lambda answer: refusal(answer, 400, NO_PROVIDER),
        "PAYMENT_PROVIDER_INVALID",
        "nobody can pay with Stars",
    ),
    "a message that becomes a picture is answered with true": Plant(
        "/editMessageMedia",
        edit_says_true,
        "true",
        "the gallery of ideas and the history end in an error after each picture they show",
    ),
}

KIE = {
    "what a task cost is told in dollars": Plant(
        "/recordInfo",
        dollars,
        "0.02",
        "metered models are sold far below cost, and the day's ceiling of credits is never reached",
    ),
    "results are objects with a preview": Plant(
        "/recordInfo",
        urls_as_objects,
        "preview",
        "each result goes out twice, once as a thumbnail",
    ),
    "results have no type": Plant(
        "",
        untyped,
        "application/octet-stream",
        "a picture that Telegram does not take by its address goes out as a file, never as a picture",
    ),
    "an upload is answered with a relative address": Plant(
        "/file-stream-upload",
        relative_address,
        "kieai/183531",
        "KIE is given an input that is no address, so every order with a file fails",
    ),
    "an unknown model is an HTTP status": Plant(
        "/createTask",
        unknown_model_by_status,
        "400",
        "the operator is not told that a model on sale is gone; each order for it just fails",
    ),
    "a task that has no record yet has failed": Plant(
        "/recordInfo",
        missing_record_ended,
        "501",
        "an order is given up and paid back while KIE makes it and charges for it",
    ),
    "a wrong key is a bad request": Plant(
        "",
        bad_key_is_bad_request,
        "400",
        "sales are not paused and the operator is not alerted; every order fails as if its input were wrong",
    ),
    "a missing input is the server's trouble": Plant(
        "/createTask",
        validation_as_server_error,
        "Server exception",
        "an order with a wrong input is sent twice more, and the person is told to try again later",
    ),
    "a chat answer has its credits in usage": Plant(
        "/claude/v1/messages",
        credits_in_usage,
        "credits_consumed",
        "answers are charged by list price, without what KIE adds in hidden tokens",
    ),
    "a chat refusal is a text": Plant(
        "/chat/completions",
        error_as_text,
        "{error}",
        "a refused question counts as lost: the next model is not asked, and its cost is booked as a loss",
    ),
    "the list of models comes in pages": Plant(
        "/api/v1/models",
        first_page,
        "not_listed",
        "the weekly comparison ends as strange, or proposes to take most models off sale",
    ),
    "the price feed does not count its pages": Plant(
        "/model-pricing/page",
        pages_unnamed,
        "pages",
        "no price is compared any more, so models go on being sold below cost",
    ),
    "schemas are for another version of the jobs": Plant(
        "/schema",
        second_version,
        "/api/v2/jobs/createTask",
        "no model counts as one for tasks: new ones are never offered, and changed inputs not noticed",
    ),
}  # fmt: skip


@pytest.fixture
def stage(servers, tmp_path):
    """A rehearsal between proxies."""
    servers[0].person("Boss", id=BOSS)
    made = Rehearsing(*servers, tmp_path)
    yield made
    made.stop()


@pytest.mark.parametrize(("service", "plants"), [("telegram", TELEGRAM), ("kie", KIE)], ids=["telegram", "kie"])
def test_each_plant_is_named_in_words_that_say_what_came(service, plants, stage):
    missed = {}
    for name, plant in plants.items():
        found = told(stage, service, plant)
        if not any(plant.said in f"{path} {came}" for _name, path, came in found):
            missed[name] = found
    assert len(plants) >= 12 and not missed, json.dumps(missed, indent=1, ensure_ascii=False)


def told(stage, service, plant):
    """Rehearse with a plant and return what differs: [(assumption, field, what came), …]."""
    proxy = getattr(stage, service)
    proxy.alter(plant.path, plant.change, plant.times)
    try:
        findings = stage.run(only=service).values()
    finally:
        proxy.calm()
    return [(one.name, path, came) for one in findings for path, _expected, came in one.differences]


def test_a_flood_limit_that_says_how_long_it_lasts_is_no_difference(stage):
    flood = {"parameters": {"retry_after": 1}}
    stage.telegram.alter("/sendMessage", lambda answer: refusal(answer, 429, "Too Many Requests", **flood))
    found = stage.run(only="telegram")
    assert found["telegram_text"].reason == "rehearsal.away" and "429" in found["telegram_text"].values["error"]
    assert not [one for one in found.values() if one.differences]


def test_chat_under_maintenance_is_no_difference(stage):
    closed = {"code": 455, "msg": "The server is currently being maintained", "data": None}
    for path in ("/chat/completions", "/responses", "/messages"):
        stage.kie.alter(path, lambda answer: setattr(answer, "body", dict(closed)))
    found = stage.run(only="kie")
    assert {one.name for one in found.values() if one.values == {"error": "maintenance"}} >= {
        "kie_chat",
        "kie_chat_claude",
    }
    assert not [one for one in found.values() if one.differences]
