"""The rehearsal: nothing false on clean servers, each planted difference named, nothing above the ceiling, no secrets."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from decimal import Decimal
from types import SimpleNamespace

import pytest

from core.process import leader_lock
from core.process.web import Web
from plugins.admin import rehearse
from tests.kit import BOSS, ROOT, TOKEN
from tests.process import environment
from tests.rehearsals import Rehearsing
from tools.database_commands import Failed
from tools.rehearsal import command, marks, rehearsing
from tools.rehearsal.assumption import PARTS
from tools.rehearsal.journal import CEILING, Busy, Journal

OPEN = {"telegram_webhook", "kie_callback"}  # not tried unless somebody asks, or KIE can reach us
PATIENCE_S = 60
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def make(servers, tmp_path):
    """Return a function that makes a rehearsal between proxies, with these settings."""
    made = []

    def build(**more):
        servers[0].person("Boss", id=BOSS)
        made.append(Rehearsing(*servers, tmp_path, **more))
        return made[-1]

    yield build
    for each in made:
        each.stop()


def verdicts(found):
    """Return {verdict: names}."""
    kinds = {}
    for name, finding in found.items():
        kinds.setdefault(finding.verdict, set()).add(name)
    return kinds


def test_on_clean_servers_everything_holds(make):
    found = make().run()
    assert len(found) >= 50
    assert verdicts(found) == {"holds": set(found) - OPEN, "not_tried": OPEN}


def test_each_assumption_names_what_rests_on_it_in_every_language(make):
    names = [one.name for one in rehearsing.ASSUMPTIONS]
    assert len(set(names)) == len(names) and marks.PATH == rehearse.CALLBACK
    assert all((ROOT / path).exists() for path in PARTS.values())
    assert {one.part for one in rehearsing.ASSUMPTIONS} == set(PARTS)
    stage = make()
    stage.begin().close()
    keys = {key.partition(".")[2] for key in stage.bot.texts.keys("en") if key.startswith("rehearsal.")}
    code = "".join(path.read_text() for path in (ROOT / "tools" / "rehearsal").glob("*.py"))
    known = {*names, *(f"part_{part}" for part in PARTS), "word_holds", "word_differs", "word_not_tried"}
    assert known <= keys and not [key for key in keys - known if not re.search(rf'"(rehearsal\.)?{key}"', code)]


# --- planted differences ---------------------------------------------------------------------------------------------


def drop(*path):
    """Return a change that removes a field."""

    def change(answer):
        place = answer.body
        for name in path[:-1]:
            place = place[name]
        place.pop(path[-1])

    return change


def put(value, *path):
    """Return a change that sets a field; a function of the former value is called."""

    def change(answer):
        place = answer.body
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value(place[path[-1]]) if callable(value) else value

    return change


def status(code):
    """Return a change of the HTTP status."""
    return lambda answer: setattr(answer, "status", code)


def header(name, value):
    """Return a change of a header."""
    return lambda answer: answer.headers.update({name: value})


def body(value):
    """Return a change of the whole body."""
    return lambda answer: setattr(answer, "body", value)


def both(*changes):
    """Return a change made of several."""
    return lambda answer: [change(answer) for change in changes]


def done(change):
    """Return a change of the record of a task that has ended well."""
    return lambda answer: answer.body["data"]["state"] == "success" and change(answer) if answer.body["data"] else None


def refused(change):
    """Return a change of refusals alone."""
    return lambda answer: change(answer) if not answer.body.get("ok", answer.body.get("code") == 200) else None


def good(change):
    """Return a change of good answers alone."""
    return lambda answer: change(answer) if answer.body.get("ok", answer.body.get("code") == 200) else None


TELEGRAM = {
    "getMe has no username": ("getMe", good(drop("result", "username")), "telegram_me"),
    "getMe is another bot": ("getMe", good(put(7, "result", "id")), "telegram_me"),
    "a wrong token is a 404": (
        f"{'A' * 35}/getMe", both(status(404), put(404, "error_code")), "telegram_wrong_token",
    ),
    "the webhook's waiting updates have another name": (
        "getWebhookInfo", drop("result", "pending_update_count"), "telegram_webhook_info",
    ),
    "the description is null": ("getMyDescription", put(None, "result", "description"), "telegram_description"),
    "the short description is not set": (
        "setMyShortDescription", put(False, "result"), "telegram_short_description",
    ),
    "a private chat has another word": ("getChat", put("personal", "result", "type"), "telegram_owner"),
    "commands have slashes": ("getMyCommands", put([{"command": "/a", "description": "b"}], "result"), "telegram_commands"),
    "ids of messages are texts": ("sendMessage", good(put(str, "result", "message_id")), "telegram_text"),
    "dates are in milliseconds": ("sendMessage", good(put(lambda s: s * 1000, "result", "date")), "telegram_text"),
    "offsets count characters": (
        "sendMessage",
        lambda answer: [one.update(offset=one["offset"] - 1) for one in answer.body.get("result", {}).get("entities", ())],
        "telegram_markup",
    ),
    "a longer text is cut": ("sendMessage", good(put(lambda text: text[:4000], "result", "text")), "telegram_longest"),
    "broken markup has other words": (
        "sendMessage", refused(put("Bad Request: bad markup", "description")), "telegram_bad_markup",
    ),
    "buttons are not shown": ("sendMessage", good(lambda answer: answer.body["result"].pop("reply_markup", 0)), "telegram_buttons"),
    "an edit returns true": ("editMessageText", good(put(True, "result")), "telegram_edit"),
    "an edit that changes nothing is no 400": (
        "editMessageText", refused(both(status(409), put(409, "error_code"))), "telegram_same_edit",
    ),
    "a copy has no id": ("copyMessage", put({}, "result"), "telegram_copy"),
    "a picture has one size": ("sendPhoto", put(lambda sizes: sizes[0], "result", "photo"), "telegram_photo"),
    "a caption loses its formatting": ("sendPhoto", lambda answer: answer.body["result"].pop("caption_entities", 0), "telegram_photo"),
    "a file has another size": ("sendDocument", put(1, "result", "document", "file_size"), "telegram_document"),
    "a file sent again is another one": (
        "sendDocument",
        lambda answer: answer.body["result"]["document"].update(file_unique_id=str(time.monotonic())),
        "telegram_again",
    ),
    "music has no duration": ("sendAudio", drop("result", "audio", "duration"), "telegram_audio"),
    "an album is one message": ("sendMediaGroup", put(lambda found: found[0], "result"), "telegram_album"),
    "an album has two groups": (
        "sendMediaGroup", put("other", "result", 0, "media_group_id"), "telegram_album",
    ),
    "a file has no path": ("getFile", drop("result", "file_path"), "telegram_get_file"),
    "another file is served": (
        "", lambda answer: "/file/bot" in answer.path and setattr(answer, "body", b"something else"), "telegram_download",
    ),
    "a deletion says nothing": ("deleteMessage", good(put(None, "result")), "telegram_delete"),
    "an unknown chat is a 403": ("sendMessage", refused(both(status(403), put(403, "error_code"))), "telegram_no_chat"),
    "a link to pay leads elsewhere": ("createInvoiceLink", put("https://pay.example/1", "result"), "telegram_invoice_link"),
    "an invoice is in another currency": ("sendInvoice", put("TON", "result", "invoice", "currency"), "telegram_invoice"),
    "the list of Stars is bare": ("getStarTransactions", put([], "result"), "telegram_stars"),
    "an unknown payment is refunded": (
        "refundStarPayment", both(status(200), body({"ok": True, "result": True})), "telegram_refund",
    ),
    "no answer of the Bot API's": ("sendChatAction", body(b"<html>"), "telegram_typing"),
}  # fmt: skip
KIE = {
    "the balance is a text": ("/chat/credit", good(put(str, "data")), "kie_credits"),
    "the balance is an object": ("/chat/credit", good(put({"credits": 1.0}, "data")), "kie_credits"),
    "a wrong key is HTTP 401": ("/chat/credit", refused(status(401)), "kie_wrong_key"),
    "KIE's clock is an hour late": ("", header("Date", "Mon, 01 Jan 2024 00:00:00 GMT"), "kie_clock"),
    "a task has another name": ("createTask", good(put(lambda data: {"id": data["taskId"]}, "data")), "kie_create"),
    "creates are HTTP 201": ("createTask", good(status(201)), "kie_create"),
    "the price is not named at first": (
        "recordInfo", lambda answer: (answer.body["data"] or {}).pop("creditsConsumed", 0), "kie_first_look",
    ),
    "times are in seconds": (
        "recordInfo",
        lambda answer: answer.body["data"] and answer.body["data"].update(createTime=int(time.time())),
        "kie_first_look",
    ),
    "an unknown task is a 404": ("recordInfo", refused(put(404, "code")), "kie_no_record"),
    "an unknown model is a 500": (
        "createTask", lambda answer: answer.body["code"] == 422 and answer.body.update(code=500), "kie_unknown_model",
    ),
    "a missing input is no validation error": (
        "createTask", lambda answer: answer.body["code"] == 500 and answer.body.update(msg="Bad"), "kie_no_inputs",
    ),
    "an upload has another link": ("file-stream-upload", put(lambda d: d | {"downloadUrl": None, "fileUrl": d["downloadUrl"]}, "data"), "kie_upload"),
    "base64 uploads are gone": ("file-base64-upload", status(404), "kie_upload_base64"),
    "an upload by address has no size": ("file-url-upload", good(drop("data", "fileSize")), "kie_upload_url"),
    "what KIE fetched is not there": (
        "file-url-upload",
        good(put(lambda link: f"{link}x", "data", "downloadUrl")),
        "kie_uploaded",
    ),
    "a refused upload has a success": ("file-url-upload", refused(put(True, "success")), "kie_upload_refused"),
    "uploads are served as a page": (".png", header("Content-Type", "text/html"), "kie_uploaded"),
    "chat says not what it took": ("/chat/completions", drop("credits_consumed"), "kie_chat"),
    "chat has no usage": ("/chat/completions", drop("usage"), "kie_chat"),
    "chat answers in an envelope": ("/chat/completions", lambda answer: setattr(answer, "body", {"code": 200, "data": answer.body}), "kie_chat"),
    "the list has more than it shows": ("/api/v1/models", good(put(lambda n: n + 5, "data", "total")), "kie_models"),
    "models have no kinds": ("/api/v1/models", lambda answer: [one.pop("taskType") for one in answer.body["data"]["models"]], "kie_models"),
    "the schema is of Swagger 2": ("/schema", good(put({"swagger": "2.0"}, "data", "openapi")), "kie_schema"),
    "prices in the list are numbers": (
        "/page", lambda answer: [row.update(creditPrice=float(row["creditPrice"])) for row in answer.body["data"]["records"]], "kie_feed",
    ),
    "the price list has doubled": (
        "/page",
        lambda answer: [row.update(creditPrice=str(2 * Decimal(row["creditPrice"]))) for row in answer.body["data"]["records"]],
        "kie_feed_price",
    ),
    "success has another word": ("recordInfo", done(put("succeeded", "data", "state")), "kie_done"),
    "the result is an object": ("recordInfo", done(put(json.loads, "data", "resultJson")), "kie_done"),
    "the time is in milliseconds": ("recordInfo", done(put(lambda s: s * 1000, "data", "costTime")), "kie_duration"),
    "more is taken than the price": ("recordInfo", done(put(8.0, "data", "creditsConsumed")), "kie_charged"),
    "what was taken has the older name": (
        "recordInfo",
        done(lambda answer: answer.body["data"].update(consumeCredits=answer.body["data"].pop("creditsConsumed"))),
        "kie_charged",
    ),
    "a state is unknown": (
        "recordInfo",
        lambda answer: answer.body["data"] and answer.body["data"]["state"] != "success" and answer.body["data"].update(state="cooking"),
        "kie_first_look",
    ),
    "results are addresses without a scheme": (
        "recordInfo", done(both(put('{"resultUrls": ["cdn.example/1.png"]}', "data", "resultJson"), drop("data", "response"))), "kie_result",
    ),
    "results are gone": ("_0.png", status(404), "kie_result_file"),
    "answers are said to be text": ("/chat/credit", good(header("Content-Type", "text/plain")), "kie_credits"),
}  # fmt: skip


def planted(make, name, service, path, change):
    """Rehearse with a planted difference; return the findings."""
    stage = make()
    getattr(stage, service).alter(path, change)
    return stage.run(only=service)


@pytest.mark.parametrize("what", TELEGRAM)
def test_a_difference_of_telegrams_is_named(make, what):
    path, change, name = TELEGRAM[what]
    found = planted(make, what, "telegram", path, change)[name]
    assert found.verdict == "differs", f"{name}: {found}"
    assert all(expected != came and came for _path, expected, came in found.differences)


@pytest.mark.parametrize("what", KIE)
def test_a_difference_of_kies_is_named(make, what):
    path, change, name = KIE[what]
    found = planted(make, what, "kie", path, change)[name]
    assert found.verdict == "differs", f"{name}: {found}"
    assert all(expected != came and came for _path, expected, came in found.differences)


def test_what_is_said_of_a_difference_helps(make):
    stage = make()
    stage.kie.alter("recordInfo", done(put("succeeded", "data", "state")))
    found = stage.run(only="kie")["kie_done"]
    assert found.differences == [("data.state", '"success"', '"succeeded"')]
    what, part, lines = stage.bot.rehearsal.describe("en", found)
    assert what == "the picture is done within five minutes" and part == "following orders until they are done"
    assert lines == ['data.state: expected "success", got "succeeded"']


# --- money -----------------------------------------------------------------------------------------------------------


def test_it_costs_about_what_it_says_and_at_most_the_ceiling(make):
    stage = make()
    stage.run()
    taken = 100_000 - Decimal(str(stage.control.bill()["credits"]))
    assert taken == stage.last.spent <= stage.bot.rehearsal.cost() <= CEILING == 10


def test_without_a_yes_to_money_nothing_is_spent(make):
    stage = make()
    found = stage.run(free=True)
    bill = stage.control.bill()
    assert bill["tasks"] == bill["chats"] == 0 and stage.last.spent == 0
    assert found["kie_create"].reason == "rehearsal.free_only" and found["kie_done"].verdict == "not_tried"
    assert found["kie_models"].verdict == "holds" and not verdicts(found).get("differs")


def test_what_killed_rehearsals_may_have_spent_counts_up_to_the_ceiling(make):
    stage = make()
    for _time in range(20):
        run = stage.begin(only="kie")
        for finding in run:
            if finding.name == "kie_create":
                break  # its record was never read: nobody knows yet what it took
        run._stage.close()
        run._journal.close()  # as the system does when the process ends
    assert finding.reason == "rehearsal.ceiling" and finding.values["ceiling"] == "10"
    assert 9 < stage.control.bill()["billed_credits"] <= 10
    stage.clock.forward(24 * 3600 + 1)
    assert stage.run(only="kie")["kie_create"].verdict == "holds"


def test_a_refused_call_has_cost_nothing_and_one_that_is_accepted_is_counted(make):
    stage = make()
    stage.kie.alter("createTask", refused(both(put(200, "code"), put({"taskId": "0" * 32}, "data"))))
    found = stage.run(only="kie")
    assert found["kie_no_inputs"].verdict == found["kie_unknown_model"].verdict == "differs"
    assert stage.last.spent > Decimal("2.3")


def test_two_at_once_are_one_too_many(make):
    stage = make()
    run = stage.begin()
    with pytest.raises(Busy):
        stage.begin()
    run.close()
    stage.begin().close()


def arguments(servers, folder, **more):
    """Return how to start `python bot.py rehearse --yes` between the servers, as keywords of Popen."""
    telegram, kie = servers
    settings = {
        "TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_API_URL": telegram.url, "KIE_STUB": "1", "KIE_API_KEY": "stub-key",
        "KIE_API_URL": kie.url, "KIE_UPLOAD_URL": f"{kie.url}/upload", "DATA_DIR": str(folder), "USD_RATE": "90",
        "ADMIN_IDS": str(BOSS),
    } | more  # fmt: skip
    return {"args": [sys.executable, str(ROOT / "bot.py"), "rehearse", "--yes"], "env": environment(**settings),
            "cwd": folder, "text": True}  # fmt: skip


def test_after_kill_9_the_next_one_counts_and_cleans_up(servers, tmp_path):
    telegram, kie = servers
    boss = telegram.person("Boss", id=BOSS)
    kie.settings(seconds=(0.5, 1))
    kie.trouble("create", "hang")
    first = subprocess.Popen(**arguments(servers, tmp_path), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE_S
    while not kie.tasks():
        assert time.monotonic() < deadline and first.poll() is None
        threading.Event().wait(0.05)
    os.kill(first.pid, signal.SIGKILL)
    first.wait(PATIENCE_S)
    kept = json.loads((tmp_path / "rehearsal-journal.json").read_text())
    assert [(row["name"], row["credits"], row["known"]) for row in kept["spent"]] == [("kie_create", "0.8", False)]
    left = [number for _chat, number in kept["messages"]]
    shown = {message["message_id"] for message in boss.messages}
    assert left and set(left) <= shown
    done = subprocess.run(**arguments(servers, tmp_path), capture_output=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0.8 spent so far today" in done.stdout and "Of 77: as expected 75" in done.stdout
    assert not boss.messages, "everything that was sent is gone again"


# --- where it runs ---------------------------------------------------------------------------------------------------


def test_no_updates_are_asked_for_and_nothing_of_it_stays(make, servers):
    stage = make()
    boss = servers[0].person("Boss", id=BOSS)
    boss.send("is anybody there?")
    before = len(boss.messages)
    stage.run()
    assert not servers[0].calls("getUpdates") and len(boss.messages) == before
    assert not servers[0].calls("setWebhook"), "only if it is asked for"


def test_an_owner_who_has_not_opened_the_bot_is_told_to(make):
    found = make().run(owner=77)
    assert found["telegram_owner"].reason == "rehearsal.not_opened" and found["telegram_me"].verdict == "holds"
    assert found["telegram_photo"].values == {"name": "telegram_owner"} and not verdicts(found).get("differs")


def test_a_network_that_is_away_is_no_difference(make):
    stage = make(
        TELEGRAM_API_URL="http://127.0.0.1:9", KIE_API_URL="http://127.0.0.1:9", KIE_UPLOAD_URL="http://127.0.0.1:9"
    )
    assert set(verdicts(stage.run())) == {"not_tried"}


def test_the_webhook_is_set_and_taken_back(make, servers, tmp_path):
    more = {"PUBLIC_URL": "https://bot.example.org", "PORT": "8080", "DATABASE_URL": f"sqlite:///{tmp_path}/bot.db"}
    stage = make(**more)
    found = stage.run(webhook=True, only="telegram")
    assert found["telegram_webhook"].verdict == "holds", found["telegram_webhook"]
    assert [call["method"] for call in servers[0].calls() if "ebhook" in call["method"]][-4:] == [
        "setWebhook", "getWebhookInfo", "deleteWebhook", "getWebhookInfo",
    ]  # fmt: skip
    leader = leader_lock.make(more["DATABASE_URL"], str(tmp_path))
    assert leader.acquire()
    assert stage.run(webhook=True, only="telegram")["telegram_webhook"].reason == "rehearsal.webhook_busy"
    leader.release()


def test_a_webhook_that_a_killed_one_has_left_is_taken_back(make, servers, tmp_path):
    stage = make(PUBLIC_URL="https://bot.example.org", PORT="8080")
    journal = Journal(tmp_path, stage.clock)
    journal.note_webhook("https://bot.example.org/telegram")
    journal.close()
    run = stage.begin(free=True)
    stage.bot.sender.call("setWebhook", url="https://bot.example.org/telegram")
    next(iter(run))
    run.close()
    assert servers[0].calls("deleteWebhook")


@SQLITE
def test_kies_callback_is_seen_by_the_running_bot(start_bot, tmp_path, free_port):
    url = f"http://127.0.0.1:{free_port}"
    now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    bot = start_bot(
        PUBLIC_URL=url, PORT=str(free_port), DATA_DIR=str(tmp_path), KIE_WEBHOOK_KEY="callback-key", now=now
    )
    bot.kie.settings(callback_key="callback-key")
    bot.admin()
    web = Web("127.0.0.1", free_port, bot.clock, "test")
    web.runtime = bot.runtime
    try:
        run = bot.bot.rehearsal.begin(BOSS, only="kie")
        found = {one.name: one for one in run}
        run.close()
        assert found["kie_callback"].verdict == "holds", found["kie_callback"]
        bot.kie.settings(callback_key="another-key")
        run = bot.bot.rehearsal.begin(BOSS, only="kie")
        found = {one.name: one for one in run}
        run.close()
        assert [one[0] for one in found["kie_callback"].differences] == ["signed"]
    finally:
        web.close()


@pytest.fixture
def free_port():
    """A port of this machine that nobody listens on."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@SQLITE
def test_nobody_else_can_leave_a_callback(start_bot, tmp_path):
    bot = start_bot(DATA_DIR=str(tmp_path))
    for mark in ("", "abc", "abc-" + "0" * 32):
        assert bot.call(f"{marks.PATH}?mark={mark}", b"{}").status_code == 404
    ours = f"{marks.PATH}?mark={marks.make(TOKEN, 'abc')}"
    assert bot.call(ours, method="GET").status_code == 202
    assert bot.call(ours, b"no JSON \xff").json() == {"code": 200, "msg": "success"}
    assert bot.call(ours, method="GET").json()["task"] is None


# --- secrets ---------------------------------------------------------------------------------------------------------

SECRETS = {
    "KIE_API_KEY": "stub-key",
    "KIE_WEBHOOK_KEY": "whsec-very-private",
    "PUBLIC_URL": "https://my-private-host.example.org",
    "DATABASE_URL": "postgresql://bot:pass-word-77@db.private.example/bot",
}


def test_no_secret_and_no_address_is_in_the_file(make):
    stage = make(PORT="8080", METRICS_TOKEN="metrics-token-9", **SECRETS)
    said = f"Bad Request: {TOKEN} stub-key {SECRETS['PUBLIC_URL']}/kie pass-word-77 {stage.kie.url} {BOSS}"
    stage.telegram.alter("sendMessage", refused(put(said, "description")))
    stage.telegram.alter("getMe", good(put(TOKEN, "result", "username")))
    stage.kie.alter("createTask", refused(put(said, "msg")))
    stage.kie.alter("/chat/credit", good(put(said, "data")))
    found = stage.run()
    assert found["telegram_bad_markup"].verdict == found["kie_no_inputs"].verdict == "differs"
    text = stage.last.path.read_text()
    for secret in (TOKEN, TOKEN.partition(":")[2], "stub-key", "whsec-very-private", "my-private-host", "pass-word-77",
                   "db.private.example", "metrics-token-9", stage.kie.url, stage.telegram.url, str(BOSS), "Boss",
                   "127.0.0.1", str(stage.folder)):  # fmt: skip
        assert secret not in text, secret
    assert stat.S_IMODE(stage.last.path.stat().st_mode) == 0o600


def test_the_file_says_what_was_found(make):
    stage = make()
    stage.kie.alter("/chat/credit", good(put(str, "data")))
    stage.run(only="kie")
    report = stage.report()
    row = next(one for one in report["assumptions"] if one["name"] == "kie_credits")
    assert row["verdict"] == "differs" and row["rests_on_it"] == "plugins/admin/doctor.py"
    assert {"field": "data", "expected": "number", "came": "string"} in row["differences"]
    assert row["answers"][0]["call"] == "GET /api/v1/chat/credit" and row["answers"][0]["shape"]["data"] == "string"
    assert report["services"] == {"telegram": "other", "kie": "other"} and report["counts"]["differs"] >= 1


# --- at the command line ---------------------------------------------------------------------------------------------


def told(stage, **wish):
    """Return what the command says, and whether it failed."""
    stage.begin().close()
    lines = []
    try:
        for line in command.run(stage.bot, command.Wish(**wish)):
            lines.append(line)
    except Failed as error:
        return "\n".join([*lines, str(error)]), True
    return "\n".join(lines), False


def test_it_says_what_it_costs_and_does_nothing_without_a_yes(make, servers):
    stage = make()
    before = len(servers[0].calls())
    for no in ("", "no", "n"):
        said, failed = told(stage, ask=lambda _question, no=no: no)
        assert failed and "about 1.64 credits" in said and "never more than 10 a day" in said and "no Stars" in said
    assert len(servers[0].calls()) == before and not stage.control.requests("/api/")
    said, failed = told(stage, ask=lambda _question: "y")
    assert not failed and "Of 77: as expected 75" in said and str(stage.folder) in said


def test_it_speaks_the_terminals_language(make, monkeypatch):
    monkeypatch.setenv("LANG", "ru_RU.UTF-8")
    said, failed = told(make(), yes=True, only="telegram")
    assert not failed and re.search("верно +Telegram принимает токен", said)


def test_a_difference_ends_with_the_file_to_attach(make):
    stage = make()
    stage.kie.alter("recordInfo", done(put(8.0, "data", "creditsConsumed")))
    said, failed = told(stage, yes=True, only="kie")
    assert failed and "DIFFERS       KIE takes the price this bot expects" in said
    assert "creditsConsumed: expected 0.795…0.805, got 8.0" in said
    assert "What depends on it: the alert when KIE takes more than planned (plugins/admin/overrun.py)" in said
    assert "attach this file" in said


# --- in the chat -----------------------------------------------------------------------------------------------------


@pytest.fixture
def shop(start_bot, tmp_path):
    """A bot whose clock is right, with its owner."""
    now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    bot = start_bot(DATA_DIR=str(tmp_path), now=now)
    return SimpleNamespace(bot=bot, boss=bot.admin(), folder=tmp_path)


def test_an_owner_rehearses_in_the_chat(shop):
    shop.boss.send("/rehearse")
    assert "77 small calls" in shop.boss.last and "about 1.64 credits" in shop.boss.last
    assert not shop.bot.kie.requests("/createTask")
    shop.boss.tap("▶ Begin")
    texts = [message.get("text", "") for message in shop.boss.messages]
    assert any("Nothing differs from what I expect" in text and "as expected 75" in text for text in texts), texts
    assert any("It has ended" in text for text in texts)
    sent = [message for message in shop.boss.messages if "document" in message]
    assert [one["document"]["file_name"] for one in sent] == ["rehearsal.json"]
    assert len(shop.boss.messages) < 8, "the messages of the rehearsal are gone"
    assert shop.bot.bot.audit_log.recent(limit=1)[0].what == "rehearse"


def test_what_differs_is_told_in_the_chat(shop, servers):
    shop.bot.kie.trouble("credit", "null", times=0)
    shop.boss.send("/rehearse")
    shop.boss.tap("▶ Begin")
    told = next(m["text"] for m in shop.boss.messages if "Differences:" in m.get("text", "") and "•" in m["text"])
    assert (
        "KIE accepts the key and says how many credits are left" in told and "data: expected number, got null" in told
    )


def test_only_an_owner_may(shop):
    alice = shop.bot.user()
    alice.send("/rehearse")
    alice.forge("rehearse:start:0")
    assert not shop.bot.kie.requests("/createTask")


def test_two_taps_are_one_rehearsal_and_an_old_question_is_asked_again(shop):
    store = shop.bot.bot.store(rehearse.NAME)
    shop.boss.send("/rehearse")
    shop.boss.forge("rehearse:start:old")
    assert not store.get("asked") and not shop.bot.kie.requests("/createTask")
    shop.boss.tap("▶ Begin")
    assert len(shop.bot.kie.tasks()) == 1


def test_one_that_ends_the_process_is_given_up_after_three_attempts(shop):
    me = shop.bot.bot.users.by_telegram_id(BOSS)
    asked = {"user": me.id, "screen": 1, "begun": 3, "at": "2026"}
    shop.bot.bot.store(rehearse.NAME).put("asked", asked)
    shop.bot.pump()
    assert "interrupted three times" in shop.boss.last and not shop.bot.kie.tasks()
    assert shop.bot.bot.store(rehearse.NAME).get("asked") is None


def test_beside_the_command_line_it_waits_for_another_time(shop):
    journal = Journal(shop.folder, shop.bot.clock)
    shop.boss.send("/rehearse")
    shop.boss.tap("▶ Begin")
    assert "Another rehearsal is under way" in shop.boss.last
    journal.close()
