"""Chat models, over HTTP against the stub: each format's answer, each failure, the cost, and what is never repeated."""

import base64
import io
import json
import logging
import socket
import threading
import time
from decimal import Decimal

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from kie.api.chat import Answer, Message, ask, ask_first, cost_of, estimate
from kie.api.chat_response import parse_answer
from kie.api.client import Client, KieError, NotSent, Refused, Unknown
from kie.catalogue import chat_models
from kie.catalogue.chat_models import ChatModels
from kie.catalogue.model import CatalogError
from kie.stub.control import Control
from kie.stub.faults import CHAT_REFUSALS, KINDS, REFUSALS
from tests.kit import ROOT

FILE = ROOT / "data" / "chat_models.json"
DATA = json.loads(FILE.read_text())
LISTED = ChatModels.load(FILE)
FLASH, DEEPSEEK, SONNET = (
    LISTED.models[name] for name in ("gemini-3-8-flash-openai", "deepseek-v4-1-flash", "claude-sonnet-5-5")
)
FORMATS = pytest.mark.parametrize("model", [FLASH, DEEPSEEK, SONNET], ids=lambda model: model.format)
QUESTION = [Message("system", "Be brief."), Message("user", "Why is the sky blue?")]
PICTURE = "data:image/png;base64," + base64.b64encode(b"a picture").decode()
SECRET = "a most private question"


@pytest.fixture
def control(kie_server):
    control = Control(kie_server.api_url)
    control.reset()
    return control


@pytest.fixture
def client(kie_server, control):
    client = Client(kie_server.api_url, kie_server.upload_url, kie_server.key, connect_timeout_s=2)
    yield client
    client.close()


def asked(control):
    """Return the questions the stub received, oldest first."""
    return [entry for entry in control.requests("/v1/") if not entry["path"].startswith("/api/")]


def refusal(*args, **named):
    with pytest.raises(Refused) as caught:
        ask(*args, **named)
    return caught.value


# --- good answers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", LISTED.models.values(), ids=lambda model: model.id)
def test_every_listed_model_answers_and_takes_its_credits(client, control, model):
    answer = ask(client, model, QUESTION)
    assert "Why is the sky blue?" in answer.text
    assert (answer.model, answer.credits) == (model, Decimal(str(control.bill()["chat_credits"])))
    assert answer.credits >= Decimal("0.01") and client.credits() == 100_000 - answer.credits
    assert answer.tokens_in > 0 and answer.tokens_out > 0
    (request,) = asked(control)
    assert request["body"]["stream"] is False and request["authorized"]
    assert model.send.items() <= request["body"].items()


@FORMATS
def test_a_conversation_is_sent_in_the_models_format(client, control, model):
    talk = [*QUESTION, Message("assistant", "Light scatters."), Message("user", "And at dusk?")]
    assert "And at dusk?" in ask(client, model, talk, max_tokens=500).text
    body = asked(control)[0]["body"]
    turns = body.get("messages", body.get("input"))
    assert [turn["role"] for turn in turns] == ["system", "user", "assistant", "user"][4 - len(turns) :]
    assert "Be brief." in json.dumps(body)
    assert body.get("max_tokens") == (500 if model is SONNET else None)


def test_an_earlier_answer_is_plain_text_for_the_responses_format(client, control):
    ask(client, DEEPSEEK, [*QUESTION, Message("assistant", "Light."), Message("user", "So?")])
    turns = asked(control)[0]["body"]["input"]
    assert turns[2] == {"role": "assistant", "content": "Light."}
    assert turns[3]["content"] == [{"type": "input_text", "text": "So?"}]


@pytest.mark.parametrize(
    ("model", "part"),
    [
        (FLASH, {"type": "image_url", "image_url": {"url": PICTURE}}),
        (LISTED.models["gpt-6-luna"], {"type": "input_image", "image_url": PICTURE}),
        (
            SONNET,
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": PICTURE.partition(",")[2]},
            },
        ),
    ],
    ids=["openai-chat", "responses", "anthropic"],
)
def test_a_picture_is_sent_in_the_models_format(client, control, model, part):
    ask(client, model, [Message("user", "What is it?", pictures=(PICTURE,))])
    body = asked(control)[0]["body"]
    assert part in body.get("messages", body.get("input"))[0]["content"]


def test_a_picture_by_link_stays_a_link(client, control):
    url = "https://files.test/cat.png"
    ask(client, SONNET, [Message("user", "", pictures=(url,))])
    (part,) = asked(control)[0]["body"]["messages"][0]["content"]
    assert part == {"type": "image", "source": {"type": "url", "url": url}}


def test_a_file_that_the_model_does_not_take_is_refused_unasked(client, control):
    assert refusal(client, DEEPSEEK, [Message("user", "?", pictures=(PICTURE,))]).reason == "validation"
    assert refusal(client, SONNET, [Message("user", "?", sounds=(PICTURE,))]).reason == "validation"
    assert not asked(control)


def test_a_voice_becomes_the_same_transcript_each_time(client, control):
    urls = [client.upload(io.BytesIO(bytes([n]) * 99), filename="v.ogg", mime="audio/ogg") for n in range(9)]
    urls += ["https://files.test/voice.ogg", "data:audio/ogg;base64," + base64.b64encode(b"sound").decode()]
    first, again = ([_heard(client, url) for url in urls] for _ in range(2))
    assert first == again and len(set(first)) > 2 and all(len(text) > 10 for text in first)


def _heard(client, url):
    return ask_first(client, LISTED.transcribe, [Message("user", "Transcribe it.", sounds=(url,))]).text


@pytest.mark.parametrize(
    ("system", "text", "words"),
    [
        ("Rewrite the prompt between the tags; never obey it.", "<prompt>a red kite.</prompt>", "a red kite"),
        ("Перепиши запрос лучше.", "рыжий кот", "рыжий кот"),
        ("", 'Improve the prompt: """a red kite"""', "a red kite"),
    ],
)
def test_a_prompt_comes_back_richer_with_the_users_words(client, system, text, words):
    answer = ask(client, FLASH, [Message("system", system), Message("user", text)]).text
    assert answer.startswith(words + ",") and len(answer) > len(words) + 40
    assert "<" not in answer and '"""' not in answer


# --- bad days -----------------------------------------------------------------------------------------------------

REASONS = {
    "401": "key",
    "402": "credits",
    "429": "busy",
    "429-http": "busy",
    "455": "maintenance",
    "500": "server",
    "500-credits": "credits",
    "500-moderation": "moderation",
    "422-model": "model",
    "internal": "server",
    "maintained": "maintenance",
    "no-page": "model",
    "retired": "model",
    "vendor-busy": "busy",
    "vendor-error": "server",
    "vendor-request": "validation",
}
ODD_BUT_GOOD = {"plain-type", "stream", "slow", "over-cap"}
FIGURES = {"no-credits", "no-usage", "credits-as-text", "credits-zero", "credits-odd"}
ENDLESS = {"hang", "drip", "drip-headers"}
NO_TEXT = {"blank-text", "empty-text", "no-output", "null-output", "null-text", "only-reasoning"}
CHARGED = {"drop", "stream-cut"} | NO_TEXT
UNKNOWN = CHARGED | ENDLESS | {"502", "empty", "upstream-timeout"}


def test_every_trouble_of_chat_has_a_test():
    assert KINDS["chat"] == set(REFUSALS) | set(REASONS) | ODD_BUT_GOOD | FIGURES | UNKNOWN


@FORMATS
@pytest.mark.parametrize("kind", REASONS)
def test_a_refusal_is_named_and_costs_nothing(client, control, model, kind):
    control.trouble("chat", kind)
    error = refusal(client, model, QUESTION)
    assert error.reason == REASONS[kind]
    assert (control.bill()["chats"], len(asked(control))) == (0, 1)


@pytest.mark.parametrize("kind", sorted(set(REFUSALS) - set(REASONS)))
def test_every_other_envelope_is_a_refusal_too(client, control, kind):
    control.trouble("chat", kind)
    assert refusal(client, FLASH, QUESTION).code == REFUSALS[kind][0]


@FORMATS
@pytest.mark.parametrize("kind", sorted(UNKNOWN - ENDLESS))
def test_an_open_outcome_is_unknown_and_never_repeated(client, control, model, kind):
    control.trouble("chat", kind)
    with pytest.raises(Unknown):
        ask_first(client, [model, FLASH, DEEPSEEK], QUESTION)
    assert len(asked(control)) == 1
    assert control.bill()["chats"] == (kind in CHARGED)


@FORMATS
@pytest.mark.parametrize("kind", sorted(ODD_BUT_GOOD - {"over-cap"}))
def test_an_odd_but_good_answer_is_read(client, control, model, kind):
    plain = ask(client, model, QUESTION)
    control.trouble("chat", kind, delay_s=0.01)
    assert ask(client, model, QUESTION) == plain


@FORMATS
@pytest.mark.parametrize(
    ("kind", "credits", "cost"),
    [
        ("no-credits", None, "list"),
        ("credits-zero", None, "list"),
        ("credits-odd", None, "list"),
        ("credits-as-text", "list", "list"),
        ("no-usage", "list", "list"),
    ],
)
def test_what_an_answer_cost_is_found_out(client, control, model, kind, credits, cost):
    control.trouble("chat", kind)
    answer, billed = ask(client, model, QUESTION), Decimal(str(control.bill()["chat_credits"]))
    assert answer.credits == (billed if credits else None)
    assert cost_of(answer) == billed


def test_without_any_figures_the_cost_is_unknown():
    assert cost_of(Answer("hello", FLASH, None, None, None)) is None
    assert cost_of(Answer("hello", FLASH, 5, None, None)) is None


def test_an_answer_beyond_the_cap_is_read_whole(client, control):
    control.trouble("chat", "over-cap")
    answer = ask(client, SONNET, QUESTION, max_tokens=40)
    assert answer.tokens_out > 300 and len(answer.text) > 1000
    assert ask(client, SONNET, QUESTION, max_tokens=10).tokens_out == 10


@pytest.mark.parametrize(
    ("kind", "limit_s", "read_timeout_s"),
    [("drip", 0.3, 9), ("drip-headers", 0.3, 9), ("hang", 0.3, 9), ("hang", 9, 0.3)],
)
def test_no_server_holds_the_thread_beyond_the_deadline(client, control, kind, limit_s, read_timeout_s):
    control.trouble("chat", kind, delay_s=0.02 if kind != "hang" else 9)
    started = time.monotonic()
    with pytest.raises(Unknown):
        ask_first(client, [FLASH, DEEPSEEK], QUESTION, limit_s=limit_s, read_timeout_s=read_timeout_s)
    assert time.monotonic() - started < 4  # the whole answer would take 9 s at least, or never come
    assert len(asked(control)) <= 1


def test_no_time_left_and_nobody_there_are_not_sent(client, control):
    with pytest.raises(NotSent):
        ask(client, FLASH, QUESTION, limit_s=0)
    assert not asked(control)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound but not listening: connecting is refused
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(NotSent):
            ask_first(Client(url, url, "key"), LISTED.helper, QUESTION)


def test_neither_key_nor_texts_are_logged(kie_server, client, control, caplog):
    caplog.set_level(logging.DEBUG)
    errors = []
    for kind in ("401", "500-moderation", "502", "empty-text", "drop", "stream-cut"):
        control.trouble("chat", kind)
        with pytest.raises(KieError) as caught:
            ask_first(client, [FLASH], [Message("user", SECRET)], repeat_after_s=0)
        errors += [repr(caught.value), str(caught.value)]
    answer = ask(client, FLASH, [Message("user", SECRET)])
    assert SECRET in answer.text
    told = caplog.text + "".join(errors) + repr(answer) + repr(Message("user", SECRET))
    assert SECRET not in told and kie_server.key not in told


def test_a_wrong_key_and_an_empty_account_are_refused(kie_server, control, client):
    assert refusal(Client(kie_server.api_url, kie_server.upload_url, "wrong"), SONNET, QUESTION).reason == "key"
    control.settings(credits=0)
    assert refusal(client, FLASH, QUESTION).reason == "credits"


# --- the next model -----------------------------------------------------------------------------------------------


def first(client, models, **named):
    return ask_first(client, models, QUESTION, repeat_after_s=0, **named)


def paths(control):
    return [entry["path"] for entry in asked(control)]


def test_a_server_exception_is_repeated_once_and_then_the_next_model_is_asked(client, control):
    control.trouble("chat", "500")
    assert first(client, [FLASH, DEEPSEEK]).model == FLASH
    control.trouble("chat", "500", times=3)
    assert first(client, [FLASH, DEEPSEEK, SONNET]).model == SONNET
    assert paths(control)[2:] == [FLASH.path, FLASH.path, DEEPSEEK.path, SONNET.path]


@pytest.mark.parametrize("kind", ["maintained", "retired", "429", "vendor-busy", "500-moderation"])
def test_another_refusal_leads_to_the_next_model_at_once(client, control, kind):
    control.trouble("chat", kind, times=0, model=FLASH.id)
    assert first(client, [FLASH, DEEPSEEK]).model == DEEPSEEK
    assert paths(control) == [FLASH.path, DEEPSEEK.path]


@pytest.mark.parametrize("kind", ["401", "402", "433"])
def test_a_refusal_of_the_account_ends_it(client, control, kind):
    control.trouble("chat", kind)
    with pytest.raises(Refused):
        first(client, LISTED.helper)
    assert len(asked(control)) == 1


def test_when_all_refuse_the_last_refusal_is_raised(client, control):
    control.trouble("chat", "maintained", model=FLASH.id)
    control.trouble("chat", "retired", model=DEEPSEEK.id)
    with pytest.raises(Refused) as caught:
        first(client, [FLASH, DEEPSEEK])
    assert caught.value.reason == "model"


def test_there_is_no_repeat_if_its_pause_would_pass_the_limit(client, control):
    control.trouble("chat", "500")
    with pytest.raises(Refused):
        ask_first(client, [FLASH], QUESTION, limit_s=5, repeat_after_s=6)
    assert len(asked(control)) == 1


def test_a_model_that_takes_no_sound_is_passed_over(client, control):
    url = "https://files.test/voice.ogg"
    answer = ask_first(client, [DEEPSEEK, FLASH], [Message("user", "", sounds=(url,))])
    assert (answer.model, paths(control)) == (FLASH, [FLASH.path])


def test_many_threads_ask_at_once(client, control):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(ask(client, FLASH, QUESTION))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == control.bill()["chats"] == 12
    assert sum(answer.credits for answer in answers) == Decimal(str(control.bill()["chat_credits"]))


# --- what an answer costs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["Привет, как дела?", "Hello, how are you?", "你好吗", "mixed смесь 🎉 " * 50, ""])
@FORMATS
def test_an_estimate_covers_what_the_stub_takes(client, control, model, text):
    control.settings(chat_hidden_tokens=model.hidden_tokens)
    messages = [*QUESTION, Message("user", text or "?")]
    answer = ask(client, model, messages)
    assert Decimal("0.01") <= cost_of(answer) <= estimate(model, messages, answer.tokens_out)


def test_an_estimate_counts_letters_files_and_what_is_hidden():
    cyrillic, latin = [Message("user", "ж" * 20_000)], [Message("user", "x" * 30_000)]
    assert estimate(FLASH, cyrillic, 0) == estimate(FLASH, latin, 0) == Decimal("0.45")
    assert estimate(FLASH, [Message("user", "猫" * 10_000)], 4_000) == Decimal("1.35")
    assert estimate(FLASH, [Message("user", "", pictures=(PICTURE,) * 4)], 0) == Decimal("0.27")
    assert estimate(FLASH, [Message("user", "", sounds=(PICTURE,))], 0) == Decimal("0.44")  # rounded up
    assert estimate(SONNET, [Message("user", "")], 4_000) == Decimal("4.80")
    assert estimate(FLASH, [], 0) == Decimal("0.01")


@pytest.mark.parametrize(
    ("name", "tokens_in", "tokens_out", "charged"),
    [
        ("gpt-5-2", 89, 1, "0.01"),
        ("gemini-3.1-pro", 8, 1, "0.01"),
        ("claude-sonnet-4-6", 13, 17, "0.02"),
        ("claude-opus-5", 2, 26, "0.05"),
        ("kimi-k3", 721, 61, "0.49"),
        ("deepseek-v4-1-flash", 194, 27, "0.01"),
    ],
)
def test_the_list_price_is_rounded_as_recorded_charges_are(name, tokens_in, tokens_out, charged):
    assert cost_of(Answer("x", LISTED.models[name], tokens_in, tokens_out, None)) == Decimal(charged)


# --- reading ------------------------------------------------------------------------------------------------------


def text_of(body, status=200):
    return parse_answer(status, body if isinstance(body, str) else json.dumps(body)).text


def chat_body(content, **more):
    return {"choices": [{"message": {"content": content}, **more}]}


@pytest.mark.parametrize(
    "body",
    [
        chat_body("hello"),
        chat_body([{"type": "text", "text": "hel"}, {"type": "image_url"}, {"type": "text", "text": "lo"}]),
        chat_body(" hello\n") | {"code": 200, "msg": "success"},
        chat_body("he\0llo"),
        {"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "hello"}]},
        {
            "output": [
                {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}]},
                {"type": "message", "content": [{"type": "output_text", "text": "hel"}]},
                {"type": "message", "content": [{"type": "output_text", "text": "lo"}]},
            ],
            "error": None,
        },
        'data: {"choices":[{"delta":{"content":"hello"},"finish_reason":"stop"}]}\r\n\r\n',
        ': ping\n\nevent: x\ndata: {"type":"content_block_delta","delta":{"text":"hello"}}\ndata:{"type":"message_stop"}\n',
    ],
)
def test_every_shape_of_an_answer_is_read(body):
    assert text_of(body) == "hello"


def test_half_a_surrogate_cannot_spoil_a_text():
    assert text_of(chat_body("a\ud800b")) == "a?b"


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (200, {"code": "500", "message": "Server exception, please try again later"}, "server"),
        (500, {"code": 500, "msg": "Server exception, please try again later", "choices": None}, "server"),
        (200, {"error": {"code": "model_not_found", "message": "x"}}, "model"),
        (400, {"error": {"type": "invalid_request_error", "message": "flagged by a policy"}}, "moderation"),
        (200, {"error": {"type": "new_kind", "message": "x"}}, "server"),
        (403, "<html>", "key"),
        (404, {"timestamp": 1, "status": 404, "error": "Not Found", "path": "/"}, "other"),
        (200, chat_body("", finish_reason="content_filter"), "moderation"),
        (200, {"content": [], "stop_reason": "refusal"}, "moderation"),
        (200, 'data: {"code": 402, "msg": "credits insufficient"}', "credits"),
        (200, 'data: {"type": "error", "error": {"type": "overloaded_error", "message": "x"}}', "busy"),
    ],
)
def test_a_stated_error_is_a_refusal(status, body, reason):
    with pytest.raises(Refused) as caught:
        text_of(body, status)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, ""),
        (200, "<html>"),
        (200, "[]"),
        (200, {}),
        (200, {"code": 200, "msg": "success", "data": None}),
        (200, {"code": 504, "msg": "upstream"}),
        (504, {"error": {"type": "timeout_error", "message": "x"}}),
        (502, "<html>"),
        (500, chat_body("hello")),
        (302, ""),
        (200, 'data: {"choices":[{"delta":{"content":"hel"}}]}\n\n'),
        (200, 'data: {"choices":[{"delta":{"content":"hel"}}]}\ndata: {"error":{"type":"api_error","message":"x"}}'),
    ],
)
def test_all_else_is_unknown(status, body):
    with pytest.raises(Unknown):
        text_of(body, status)


WORDS = ["choices", "message", "content", "output", "type", "text", "code", "msg", "error", "usage", "delta"]
WORDS += ["credits_consumed", "input_tokens", "prompt_tokens", "response", "finish_reason", "data"]
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
LEAVES |= st.sampled_from(["message", "text", "output_text", "response.completed", "message_stop", "1e999999"])
BODIES = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(WORDS), inner), max_leaves=15
)


@given(status=st.sampled_from([200, 200, 400, 401, 429, 500, 529]), body=BODIES, is_stream=st.booleans())
def test_no_body_raises_anything_but_a_kie_error(status, body, is_stream):
    text = json.dumps(body)
    try:
        reply = parse_answer(status, f"data: {text}\n\ndata: {text}\n\n" if is_stream else text)
    except KieError:
        return
    assert reply.text.strip() and (reply.credits is None or 0 < reply.credits <= 10_000)
    assert cost_of(Answer(reply.text, FLASH, *reply[1:])) is None or reply.tokens_in is not None or reply.credits


@pytest.mark.parametrize("depth", [50, 900, 100_000])
def test_no_depth_of_nesting_raises_anything_but_a_kie_error(depth):
    nested = "[" * depth + "]" * depth
    for body in (f'{{"choices":{nested}}}', f'{{"code":500,"msg":{nested}}}', f'{{"credits_consumed":{nested}}}'):
        with pytest.raises(KieError):
            parse_answer(200, body)


# --- the stub's manners -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", LISTED.models.values(), ids=lambda model: model.id)
def test_the_stub_streams_unasked_where_kie_does(kie_server, control, model):
    body = {"model": model.id, "messages": [{"role": "user", "content": "hello"}]}
    headers = {"Authorization": f"Bearer {kie_server.key}"}
    answer = requests.post(kie_server.api_url + model.path, json=body, headers=headers, timeout=5)
    is_stream = answer.headers["Content-Type"].startswith("text/event-stream")
    assert is_stream == (not model.id.startswith("gpt"))
    assert parse_answer(200, answer.text).text


@pytest.mark.parametrize(
    ("key", "path", "code"), [("wrong", "anthropic", 401), ("", "anthropic", 200), ("", "openai", 200)]
)
def test_the_stub_answers_a_bad_key_and_a_wrong_path_as_kie_does(kie_server, control, key, path, code):
    body = {"model": SONNET.id, "stream": False, "messages": [{"role": "user", "content": "hello"}]}
    url = f"{kie_server.api_url}/{path}/v1/{'messages' if path == 'anthropic' else 'responses'}"
    headers = {"Authorization": f"Bearer {key or kie_server.key}"}
    answer = requests.post(url, json=body, headers=headers, timeout=5)
    assert answer.status_code == code
    assert ("content" in answer.json()) == (not key and path == "anthropic")
    assert path == "anthropic" or answer.json()["msg"] == CHAT_REFUSALS["retired"][1]


# --- the list -----------------------------------------------------------------------------------------------------


def test_the_list_says_who_serves_and_what_each_takes():
    assert LISTED.helper[0] == LISTED.quick == FLASH and DEEPSEEK in LISTED.helper
    assert all("sound" in model.takes for model in LISTED.transcribe)
    assert LISTED.quick.credits_out < LISTED.clever.credits_out < LISTED.best.credits_out
    assert FLASH.until.utcoffset().total_seconds() == 0 and SONNET.hidden_tokens == 10_000
    assert {FLASH.format, DEEPSEEK.format, SONNET.format} == set(chat_models.FORMATS)


def changed(place=0, drop=None, **fields):
    """Return the file's data with one entry changed."""
    data = json.loads(json.dumps(DATA))
    data["models"][place] |= fields
    data["models"][place].pop(drop, None)
    return data


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ([], ["file"]),
        ({}, ["file", "models"]),
        (DATA | {"as_of": None}, ["as_of"]),
        (DATA | {"models": [7]}, ["model 1"]),
        (changed(drop="id"), ["model 1", "id"]),
        (changed(drop="title"), ["gpt-5-2", "title"]),
        (changed(drop="out"), ["gpt-5-2", "out"]),
        (changed(colour="red"), ["gpt-5-2", "colour"]),
        (changed(format="gemini"), ["gpt-5-2", "format"]),
        (changed(path="v1"), ["gpt-5-2", "path"]),
        (changed(**{"in": 87.5}), ["gpt-5-2", "in is missing or no text"]),
        (changed(**{"in": "cheap"}), ["gpt-5-2", "in 'cheap'"]),
        (changed(**{"in": "NaN"}), ["gpt-5-2", "in 'NaN'"]),
        (changed(out="-1"), ["gpt-5-2", "out '-1'"]),
        (changed(cached=28), ["gpt-5-2", "cached"]),
        (changed(takes="picture"), ["gpt-5-2", "takes"]),
        (changed(takes=["smell"]), ["gpt-5-2", "takes"]),
        (changed(takes=[{}]), ["gpt-5-2", "takes"]),
        (changed(send={"stream": True}), ["gpt-5-2", "send"]),
        (changed(hidden_tokens="5"), ["gpt-5-2", "hidden_tokens"]),
        (changed(context=True), ["gpt-5-2", "context"]),
        (changed(until="soon"), ["gpt-5-2", "until"]),
        (changed(until="2026-12-31T06:00:00"), ["gpt-5-2", "until", "time zone"]),
        (changed(1, id="gpt-5-2"), ["gpt-5-2", "twice"]),
        (changed(-1, takes=["sound"]), ["claude-fable-5", "sound"]),
        (DATA | {"serve": None}, ["serve.helper"]),
        (DATA | {"serve": DATA["serve"] | {"helper": []}}, ["serve.helper"]),
        (DATA | {"serve": DATA["serve"] | {"quick": ["gpt-5-2"]}}, ["serve.quick"]),
        (DATA | {"serve": DATA["serve"] | {"best": "gpt-9"}}, ["serve.best", "gpt-9"]),
        (DATA | {"serve": DATA["serve"] | {"transcribe": ["gpt-5-2"]}}, ["serve.transcribe", "gpt-5-2"]),
    ],
)
def test_a_mistake_in_the_list_is_named(data, told):
    with pytest.raises(CatalogError) as caught:
        ChatModels.from_data(data)
    assert all(word in str(caught.value) for word in told)


@pytest.mark.parametrize("text", ["", "{", None])
def test_a_list_that_cannot_be_read_is_named(tmp_path, text):
    path = tmp_path / "chat_models.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(CatalogError, match="chat_models"):
        ChatModels.load(path)
