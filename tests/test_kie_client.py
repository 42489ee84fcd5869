"""The KIE client, over HTTP against the stub: what each answer and each failure means to the caller."""

import io
import json
import logging
import socket
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path

import kie_facts
import pytest

from kie.api.client import Client, Expired, KieError, NotSent, Record, Refused, TooLarge, Unknown, parse_record
from kie.api.errors import failure_reason, refusal_reason
from kie.stub import server as stub
from kie.stub.control import Control
from kie.stub.faults import FATES, REFUSALS

ROOT = Path(__file__).resolve().parent.parent
KEY = "sk-very-secret-0123456789"
NANO = ("nano-banana-2", {"prompt": "a red kite"})


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    running = stub.start(facts=kie_facts.write(tmp_path_factory.mktemp("facts")), key=KEY)
    yield running
    running.stop()


@pytest.fixture
def control(service):
    control = Control(service.api_url)
    control.reset()
    return control


@pytest.fixture
def client(service, control):
    client = Client(service.api_url, service.upload_url, KEY, connect_timeout_s=2, read_timeout_s=5)
    yield client
    client.close()


@pytest.fixture
def hasty(service, control):
    """A client that waits 0.2 s only, for the days when nothing comes."""
    client = Client(service.api_url, service.upload_url, KEY, connect_timeout_s=2, read_timeout_s=0.2)
    yield client
    client.close()


def test_importing_it_loads_neither_the_stub_nor_its_libraries():
    code = "import sys, kie.api.client, kie.stub.control; print(sorted({'aiohttp', 'PIL', 'kie.stub.server'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


# --- reading a record ---------------------------------------------------------------------------------------------


def body(**data):
    return json.dumps({"code": 200, "msg": "success", "data": {"taskId": "t", "model": "m", **data}})


def done(result, **more):
    return body(state="success", resultJson=result if isinstance(result, dict) else json.dumps(result), **more)


URL = "https://cdn.test/r/1.png"
SONGS = [
    {
        "id": "1",
        "title": "Rain",
        "audio_url": "https://a.test/1.mp3",
        "image_url": "https://a.test/1.jpg",
        "duration": 61.5,
    },
    {"id": "2", "audio_url": "https://a.test/2.mp3"},
]
MASKS = {"mask_urls": ["https://a.test/m.png"]}

RECORDS = {
    "waiting": (body(state="waiting", resultJson="", failCode=None), Record("running", "waiting")),
    "queuing": (body(state="queuing"), Record("running", "queuing")),
    "price while running": (
        body(state="generating", creditsConsumed=6.0),
        Record("running", "generating", credits=Decimal("6.0")),
    ),
    "state missing": (body(), Record("running", "")),
    "unknown state": (body(state="polishing"), Record("running", "polishing")),
    "urls in a string": (
        body(state="success", resultJson=json.dumps({"resultUrls": [URL]})),
        Record("succeeded", "success", (URL,)),
    ),
    "urls in an object": (done({"resultUrls": [URL, URL + "2"]}), Record("succeeded", "success", (URL, URL + "2"))),
    "response wins": (
        done({"resultUrls": [URL]}, response={"resultUrls": [URL + "9"]}),
        Record("succeeded", "success", (URL + "9",)),
    ),
    "empty response": (done({"resultUrls": [URL]}, response={}), Record("succeeded", "success", (URL,))),
    "urls as text of a list": (done({"resultUrls": json.dumps([URL])}), Record("succeeded", "success", (URL,))),
    "one url as text": (done({"resultUrl": URL}), Record("succeeded", "success", (URL,))),
    "last frame": (
        done({"resultUrls": [URL], "lastFrameUrl": ["https://a.test/l.png"]}),
        Record("succeeded", "success", (URL,)),
    ),
    "music": (
        done({"code": 200, "msg": "success", "task_id": "t", "data": SONGS}, status="SUCCESS", type="chirp-hawk"),
        Record(
            "succeeded",
            "success",
            ("https://a.test/1.mp3", "https://a.test/2.mp3"),
            facts={
                "tracks": [{"id": "1", "title": "Rain", "seconds": 61.5}, {"id": "2", "title": None, "seconds": None}]
            },
        ),
    ),
    "lyrics": (
        done({"resultObject": {"lyricsData": [{"text": "la"}, {"text": "lo"}]}}),
        Record("succeeded", "success", text="la\n\nlo"),
    ),
    "transcript": (done({"resultObject": {"text": "hello"}}), Record("succeeded", "success", text="hello")),
    "masks": (done({"resultObject": MASKS}), Record("succeeded", "success", ("https://a.test/m.png",))),
    "analysis": (
        done({"resultObject": {"score": 0.5}}),
        Record("succeeded", "success", text=json.dumps({"score": 0.5}, indent=2)),
    ),
    "persona": (
        done({"resultObject": {"personaId": "p1", "name": "Night Voice", "description": "Low and warm"}}),
        Record("succeeded", "success", text="Night Voice\nLow and warm", facts={"persona_id": "p1"}),
    ),
    "any link": (done({"video": {"link": URL}}), Record("succeeded", "success", (URL,))),
    "links that are none": (done({"resultUrls": ["ftp://x", None, 7, "https://a b"]}), Record("succeeded", "success")),
    "no urls": (done({"resultUrls": []}), Record("succeeded", "success")),
    "nothing at all": (body(state="success", resultJson=""), Record("succeeded", "success")),
    "broken resultJson": (body(state="success", resultJson="{oops"), Record("succeeded", "success")),
    "completed": (body(state="completed", resultJson=json.dumps([URL])), Record("succeeded", "completed", (URL,))),
    "older price name": (
        done({"resultUrls": [URL]}, consumeCredits=12),
        Record("succeeded", "success", (URL,), credits=Decimal(12)),
    ),
    "price that is none": (body(state="waiting", creditsConsumed="n/a"), Record("running", "waiting")),
    "fail": (
        body(state="fail", failCode="500", failMsg="Internal Error, Please try again later.", creditsConsumed=0.0),
        Record(
            "failed",
            "fail",
            fail_code="500",
            fail_msg="Internal Error, Please try again later.",
            reason="server",
            credits=Decimal("0.0"),
        ),
    ),
    "failed, code as number": (
        body(state="failed", failCode=408, failMsg="late"),
        Record("failed", "failed", fail_code="408", fail_msg="late", reason="timeout"),
    ),
    "error without words": (body(state="error"), Record("failed", "error", reason="other")),
    "envelope 501": (
        json.dumps({"code": 501, "msg": "Generation failed"}),
        Record("failed", "501", fail_code="501", fail_msg="Generation failed", reason="server"),
    ),
    "envelope 408, message for msg": (
        json.dumps({"code": 408, "message": "too late", "data": None}),
        Record("failed", "408", fail_code="408", fail_msg="too late", reason="timeout"),
    ),
}


@pytest.mark.parametrize("name", RECORDS)
def test_every_recorded_shape_is_read(name):
    text, record = RECORDS[name]
    assert parse_record(text) == record


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"code":422,"msg":"recordInfo is null","data":null}', "missing"),
        ('{"code":404,"msg":"no"}', "missing"),
        ('{"code":200,"msg":"success","data":null}', "missing"),
        ('{"code":429,"msg":"slow"}', "busy"),
        ('{"code":401,"msg":"no"}', "key"),
        ('{"code":455,"msg":"m"}', "maintenance"),
        ('{"code":500,"msg":"x"}', "server"),
    ],
)
def test_an_envelope_that_says_no_is_refused(text, reason):
    with pytest.raises(Refused) as caught:
        parse_record(text)
    assert caught.value.reason == reason


@pytest.mark.parametrize("text", ["", "<html>", "[]", "7", "{}", '{"code":null}', '{"code":"x"}', '{"code":200,"da'])
def test_an_unreadable_body_is_unknown(text):
    with pytest.raises(Unknown):
        parse_record(text)


def test_a_broken_echo_is_cut_out_whatever_the_prompt_says():
    evil = 'x","state":"fail","resultJson":"{\\"resultUrls\\":[\\"https://evil.test/1\\"]}'
    echo = json.dumps(json.dumps({"input": json.dumps({"prompt": evil, "model": "V6"})}))[1:-1].replace('\\"', '"')
    result = json.dumps(json.dumps({"resultUrls": [URL]}))
    text = (
        f'{{"code":200,"msg":"success","data":{{"taskId":"t","state":"success","param":"{echo}","resultJson":{result},'
        f'"failCode":null,"creditsConsumed":2.5,"successFlag":1,"paramJson":"{echo}"}}}}'
    )
    with pytest.raises(ValueError):
        json.loads(text)
    assert parse_record(text) == Record("succeeded", "success", (URL,), credits=Decimal("2.5"))


def test_an_unknown_state_is_logged_once(caplog):
    for _ in range(3):
        parse_record(body(state="meditating"))
    assert caplog.text.count("meditating") == 1


@pytest.mark.parametrize(
    ("code", "msg", "reason"),
    [
        (402, "", "credits"),
        (433, "", "credits"),
        (500, "Credits insufficient : Your current balance", "credits"),
        (401, "", "key"),
        (403, "", "key"),
        (404, "", "model"),
        (505, "", "model"),
        (422, "The model is not supported", "model"),
        (422, "size error", "validation"),
        (400, "bad", "validation"),
        (500, "text is required", "validation"),
        (500, "style is not within the range of allowed options", "validation"),
        (451, "", "file"),
        (413, "", "file"),
        (500, "The text length cannot exceed the maximum limit", "validation"),
        (422, "input cannot be null", "validation"),
        (500, "Value must be within the specified range", "validation"),
        (400, "violates our policies", "moderation"),
        (500, "Your prompt was caught by our AI moderator.", "moderation"),
        (429, "", "busy"),
        (550, "rejected", "busy"),
        (455, "", "maintenance"),
        (500, "Server exception, please try again later", "server"),
        (531, "x", "server"),
        (777, "x", "other"),
        (405, "x", "other"),
    ],
)
def test_a_refusal_has_its_reason(code, msg, reason):
    assert refusal_reason(code, msg) == reason


@pytest.mark.parametrize(
    ("code", "msg", "reason"),
    [
        ("422", "generate playground failed, task id is blank", "other"),
        ("500", "the server is busy", "server"),
        ("500", "Upload failed: Server internal error.", "server"),
        ("500", "something new", "other"),
        ("400", "Sorry, but the image we created may violate OpenAI's content policies", "moderation"),
        ("500", "the output video may be related to copyright restrictions", "moderation"),
        ("500", "Request blocked: flagged by Google safety review.", "moderation"),
        ("500", "Your input was rejected", "moderation"),
        ("500", "first/last frame content cannot be mixed with reference media content", "validation"),
        ("400", "No valid characters detected in the video", "validation"),
        ("451", "", "file"),
        ("413", "", "file"),
        ("550", "The task was rejected: the queue is full", "server"),
        ("402", "", "credits"),
        ("408", "", "timeout"),
        (None, "", "other"),
        ("GENERATION_FAILED", "Generation failed", "server"),
    ],
)
def test_a_failure_has_its_reason(code, msg, reason):
    assert failure_reason(code, msg) == reason


# --- create -------------------------------------------------------------------------------------------------------


def test_create_sends_model_input_and_callback_and_returns_the_task_id(client, control):
    task_id = client.create(*NANO, callback_url="http://127.0.0.1:9/kie/j1")
    (request,) = control.requests()
    assert request["body"] == {"model": NANO[0], "input": NANO[1], "callBackUrl": "http://127.0.0.1:9/kie/j1"}
    assert (request["authorized"], control.task()["task_id"]) == (True, task_id)
    client.create(*NANO)
    assert "callBackUrl" not in control.requests()[1]["body"]


@pytest.mark.parametrize("kind", REFUSALS)
def test_every_refusal_at_create_is_named_and_costs_nothing(client, control, kind):
    control.trouble("create", kind)
    with pytest.raises(Refused) as caught:
        client.create(*NANO)
    code, msg, _ = REFUSALS[kind]
    assert (caught.value.code, caught.value.reason) == (code, refusal_reason(code, msg))
    assert control.bill()["tasks"] == 0
    assert len(control.requests("createTask")) == 1


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("drop", 1),
        ("hang", 1),
        ("502-created", 1),
        ("502", 0),
        ("drop-unseen", 0),
        ("hang-unseen", 0),
        ("no-task-id", 0),
        ("null-data", 0),
    ],
)
def test_an_open_outcome_at_create_is_unknown_and_never_repeated(hasty, control, kind, made):
    control.trouble("create", kind)
    with pytest.raises(Unknown):
        hasty.create(*NANO)
    assert control.bill()["tasks"] == made
    assert len(control.requests("createTask")) == 1


@pytest.mark.parametrize("kind", ["no-record-id", "message", "slow"])
def test_an_odd_but_good_reply_at_create_is_accepted(client, control, kind):
    control.trouble("create", kind, delay_s=0.01)
    assert client.create(*NANO) == control.task()["task_id"]


def test_a_refused_connection_is_not_sent():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound but not listening: connecting is refused
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        client = Client(url, url, KEY)
        for call in (lambda: client.create(*NANO), client.credits, lambda: client.record("t")):
            with pytest.raises(NotSent):
                call()


def test_a_body_that_cannot_be_json_is_not_sent(client, control):
    with pytest.raises(NotSent):
        client.create("m", {"x": float("nan")})
    assert not control.requests()


def test_a_message_under_its_other_name_is_read(client, control):
    control.trouble("poll", "message", times=0)
    assert client.record(client.create(*NANO)).state == "running"


def test_creates_from_many_threads_are_all_made(client, control):
    control.settings(create_limit=0)
    ids, errors = [], []

    def work():
        try:
            ids.extend(client.create(*NANO) for _ in range(5))
            assert all(client.record(task_id).state == "running" for task_id in ids[-5:])
        except (KieError, AssertionError) as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (errors, len(set(ids)), control.bill()["tasks"]) == ([], 40, 40)


# --- the key ------------------------------------------------------------------------------------------------------


def test_the_key_is_in_no_error_and_no_log(hasty, control, caplog, service):
    caplog.set_level(logging.DEBUG)
    stranger = Client(service.api_url, service.upload_url, "sk-wrong-" + KEY)
    texts = []
    for kind in ("401", "502", "drop", "hang"):
        control.trouble("create", kind)
        with pytest.raises(KieError) as caught:
            hasty.create(*NANO)
        texts += [str(caught.value), repr(caught.value), str(caught.value.__cause__)]
    with pytest.raises(Refused) as caught:
        stranger.credits()
    assert caught.value.reason == "key"
    assert KEY not in "".join([*texts, str(caught.value), repr(vars(hasty)), caplog.text])
    assert NANO[1]["prompt"] not in caplog.text


@pytest.mark.parametrize("key", ["", " ", "two words", "line\nbreak", "ключ"])
def test_a_key_that_cannot_be_a_header_is_refused_without_showing_it(key):
    with pytest.raises(ValueError) as caught:
        Client("http://127.0.0.1:9", "http://127.0.0.1:9", key)
    assert "ключ" not in str(caught.value) and "two words" not in str(caught.value)


def test_a_netrc_login_does_not_replace_the_key(client, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert client.credits() == 100_000


# --- record and credits -------------------------------------------------------------------------------------------


def test_a_task_is_followed_from_waiting_to_its_results(client, control):
    control.freeze()
    task_id = client.create(*NANO)
    assert client.record(task_id) == Record("running", "waiting", credits=Decimal("8.0"))
    control.forward(8)
    record = client.record(task_id)
    assert (record.state, record.credits, len(record.urls)) == ("succeeded", Decimal("8.0"), 1)
    with client.fetch(record.urls[0], 5_000_000) as download:
        assert download.content_type == "image/jpeg"
        assert len(b"".join(download.iter_bytes)) == download.size > 10_000


@pytest.mark.parametrize("kind", FATES)
def test_every_failure_is_read_and_refunded(client, control, kind):
    control.freeze()
    control.fail_next(kind)
    task_id = client.create(*NANO)
    control.forward(8)
    record, (code, msg) = client.record(task_id), FATES[kind]
    assert (record.state, record.fail_code, record.fail_msg, record.credits) == ("failed", code, msg, Decimal("0.0"))
    assert record.reason == failure_reason(code, msg)
    assert control.bill() | {"failed": 1, "billed_credits": 0.0, "refunded_credits": 8.0} == control.bill()


@pytest.mark.parametrize(
    ("kind", "error", "reason"),
    [
        ("null", Refused, "missing"),
        ("500", Refused, "server"),
        ("429", Refused, "busy"),
        ("429-http", Refused, "busy"),
        ("401", Refused, "key"),
        ("455", Refused, "maintenance"),
        ("502", Unknown, None),
        ("empty", Unknown, None),
        ("hang", Unknown, None),
        ("drop", Unknown, None),
    ],
)
def test_a_bad_poll_is_an_error_that_leaves_the_task_open(hasty, control, kind, error, reason):
    task_id = hasty.create(*NANO)
    control.trouble("poll", kind)
    with pytest.raises(error) as caught:
        hasty.record(task_id)
    assert getattr(caught.value, "reason", None) == reason
    assert hasty.record(task_id).state == "running"


@pytest.mark.parametrize(
    ("kind", "urls", "text"),
    [
        ("empty-urls", 0, None),
        ("result-as-object", 1, None),
        ("result-object", 0, "A result in words"),
        ("consume-credits", 1, None),
        ("bad-json", 1, None),
        ("slow", 1, None),
    ],
)
def test_an_odd_record_of_a_finished_task_is_read(client, control, kind, urls, text):
    task_id = client.create("nano-banana-2", {"prompt": 'say "hi" \\ \u20bd'})
    control.finish()
    control.trouble("poll", kind, delay_s=0.01)
    record = client.record(task_id)
    assert (record.state, len(record.urls), record.credits) == ("succeeded", urls, Decimal("8.0"))
    assert (record.text or "").startswith(text or "")


@pytest.mark.parametrize(("kind", "raw"), [("waiting", "waiting"), ("unknown-state", "post-processing")])
def test_a_state_that_does_not_move_is_running(client, control, kind, raw):
    task_id = client.create(*NANO)
    control.finish()
    control.trouble("poll", kind)
    assert (client.record(task_id).raw_state, client.record(task_id).state) == (raw, "succeeded")


@pytest.mark.parametrize(("kind", "reason"), [("501", "server"), ("408", "timeout")])
def test_an_envelope_that_ends_the_task_is_a_failure(client, control, kind, reason):
    task_id = client.create(*NANO)
    control.trouble("poll", kind)
    assert (client.record(task_id).reason, client.record(task_id).state) == (reason, "running")


def test_an_unknown_task_is_missing(client):
    with pytest.raises(Refused) as caught:
        client.record("0" * 32)
    assert (caught.value.code, caught.value.reason) == (422, "missing")


def test_the_balance_is_exact(client, control):
    control.settings(credits=5916.25)
    assert client.credits() == Decimal("5916.25")


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("401", Refused),
        ("429", Refused),
        ("429-http", Refused),
        ("500", Refused),
        ("null", Unknown),
        ("502", Unknown),
        ("empty", Unknown),
        ("hang", Unknown),
        ("drop", Unknown),
    ],
)
def test_a_balance_that_cannot_be_read_is_an_error_never_zero(hasty, control, kind, error):
    control.trouble("credit", kind)
    with pytest.raises(error):
        hasty.credits()


def test_a_wrong_base_url_is_a_refusal(service):
    with pytest.raises(Refused) as caught:
        Client(f"{service.api_url}/v9", service.upload_url, KEY).credits()
    assert (caught.value.code, caught.value.reason) == (404, "other")


# --- upload -------------------------------------------------------------------------------------------------------


class Pipe(io.RawIOBase):
    """A stream of `size` bytes that cannot seek and notes how much is read at once."""

    def __init__(self, size):
        self.left, self.largest = size, 0

    def readable(self):
        return True

    def readinto(self, buffer):
        size = min(len(buffer), self.left)
        self.left, self.largest = self.left - size, max(self.largest, len(buffer))
        buffer[:size] = b"x" * size
        return size


def read(client, url, limit=20_000_000):
    with client.fetch(url, limit) as download:
        return download.content_type, b"".join(download.iter_bytes)


def test_an_upload_comes_back_whole_under_a_name_of_our_own(client, control):
    stream = io.BytesIO(b"\x00picture\r\n--" * 9)
    url = client.upload(stream, filename="Паспорт Ивана.JPG", mime="image/jpeg", folder="/bot/")
    assert read(client, url) == ("image/jpeg", b"\x00picture\r\n--" * 9)
    assert url.endswith(".jpg") and "/bot/" in url and len(url.rpartition("/")[2]) == 36
    (request,) = control.requests("upload")
    assert request["authorized"]


def test_a_large_upload_is_read_in_pieces(client):
    pipe = Pipe(5_000_000)
    url = client.upload(pipe, filename="clip", mime="video/mp4")
    assert url.endswith(".mp4")
    assert read(client, url) == ("video/mp4", b"x" * 5_000_000)
    assert pipe.largest <= 1_100_000


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("400", Refused),
        ("401", Refused),
        ("500", Refused),
        ("no-url", Unknown),
        ("502", Unknown),
        ("empty", Unknown),
        ("hang", Unknown),
        ("drop", Unknown),
    ],
)
def test_a_bad_upload_is_an_error(hasty, control, kind, error):
    control.trouble("upload", kind)
    with pytest.raises(error):
        hasty.upload(io.BytesIO(b"x"), filename="a.png", mime="image/png")


# --- fetch --------------------------------------------------------------------------------------------------------


@pytest.fixture
def result_url(client, control):
    task_id = client.create(*NANO)
    control.finish()
    return client.record(task_id).urls[0]


def test_a_download_carries_no_key_and_an_ordinary_client_header(client, control, result_url):
    read(client, result_url)
    (request,) = control.requests("/files/")
    assert not request["authorized"]
    assert request["user_agent"].startswith("Mozilla/")


@pytest.mark.parametrize("kind", ["403", "404", "410"])
def test_a_file_that_is_gone_is_expired(client, control, result_url, kind):
    control.trouble("download", kind)
    with pytest.raises(Expired):
        read(client, result_url)


def test_a_result_expires_by_the_clock(client, control, result_url):
    control.forward(24 * 3600 + 1)
    with pytest.raises(Expired):
        read(client, result_url)


@pytest.mark.parametrize("kind", ["502", "truncated", "hang", "hang-body", "drop"])
def test_a_download_that_breaks_is_an_error_and_can_be_repeated(hasty, client, control, result_url, kind):
    control.trouble("download", kind)
    with pytest.raises(Unknown):
        read(hasty, result_url)
    assert read(client, result_url)[0] == "image/jpeg"


@pytest.mark.parametrize(
    ("kind", "type_"),
    [
        ("redirect", "image/jpeg"),
        ("no-length", "image/jpeg"),
        ("wrong-type", "text/html"),
        ("slow", "image/jpeg"),
    ],
)
def test_an_odd_download_is_told_as_it_is(client, control, result_url, kind, type_):
    control.trouble("download", kind, delay_s=0.01)
    assert read(client, result_url)[0] == type_


@pytest.mark.parametrize("kind", ["redirect", "no-length"])
def test_a_file_over_the_limit_is_too_large(client, control, result_url, kind):
    control.trouble("download", kind)
    with pytest.raises(TooLarge):
        read(client, result_url, limit=1000)


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://127.0.0.1/x", "http://"])
def test_a_link_that_is_none_is_an_error(client, url):
    with pytest.raises(KieError):
        read(client, url)
