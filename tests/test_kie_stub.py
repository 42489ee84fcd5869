"""The KIE stub, over HTTP: it behaves as the real service does, and as badly as it is told to."""

import base64
import io
import json
import subprocess
import sys
import threading
import urllib.request
import wave
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue

import kie_facts
import pytest
import requests
from PIL import Image

from kie.api.client import Client, Refused
from kie.stub import media as stub_media
from kie.stub import server as stub
from kie.stub import subjects as stub_subjects
from kie.stub.callbacks import signature
from kie.stub.control import Control
from kie.stub.faults import KINDS

ROOT = Path(__file__).resolve().parent.parent
NANO = ("nano-banana-2", {"prompt": "a red kite"})
CLIP = {"prompt": "a fox", "sound": True, "duration": "5"}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    running = stub.start(facts=kie_facts.write(tmp_path_factory.mktemp("facts")))
    yield running
    running.stop()


@pytest.fixture
def control(service):
    control = Control(service.api_url)
    control.reset()
    control.freeze()
    return control


@pytest.fixture
def client(service, control):
    client = Client(service.api_url, service.upload_url, service.key, connect_timeout_s=2, read_timeout_s=5)
    yield client
    client.close()


@pytest.fixture
def api(service, control):
    """Call the stub by hand: api(method, path, …) with the key."""

    def call(method, path, *, key=service.key, **kwargs):
        headers = {"Authorization": f"Bearer {key}"} | kwargs.pop("headers", {})
        return requests.request(method, service.api_url + path, headers=headers, timeout=5, **kwargs)

    return call


@pytest.fixture
def receiver():
    """A web server that keeps each POST in `.got`, and answers what `.answers` says (204 when empty)."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.got, server.answers = Queue(), Queue()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_address[1]}/kie/job-1"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        status = 204 if self.server.answers.empty() else self.server.answers.get()
        self.send_response(status)
        self.end_headers()
        self.server.got.put((self.headers, json.loads(content)))

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(sound(7))

    def log_message(self, *_args):
        pass


def sound(seconds):
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setparams((1, 1, 8000, 0, "NONE", ""))
        file.writeframes(b"\x80" * 8000 * seconds)
    return content.getvalue()


def fetch(url):
    return requests.get(url, timeout=5)


# --- the service's manners ----------------------------------------------------------------------------------------


def test_a_bad_key_gets_the_gateways_answer(api):
    answer = api("GET", "/api/v1/chat/credit", key="wrong")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json;charset=utf-8")
    assert answer.json()["code"] == 401
    assert "data" not in answer.json()
    assert requests.get(answer.url, headers={"apikey": "stub-key"}, timeout=5).json()["code"] == 401


def test_an_unknown_path_gets_springs_404(api):
    answer = api("GET", "/api/v1/account/balance")
    assert (answer.status_code, answer.json()["path"], answer.json()["status"]) == (404, "/api/v1/account/balance", 404)
    assert api("POST", "/api/file-stream-upload").status_code == 404  # uploads live on the other host


def test_a_create_answers_as_recorded(api):
    answer = api("POST", "/api/v1/jobs/createTask", json={"model": NANO[0], "input": NANO[1]})
    data = answer.json()["data"]
    assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert data["taskId"] == data["recordId"]
    assert len(data["taskId"]) == 32 and set(data["taskId"]) <= set("0123456789abcdef")


def test_a_record_has_kies_keys_in_kies_order(api, client, control):
    task_id = client.create("nano-banana-2", {"prompt": 'a "red" kite', "aspect_ratio": "16:9"}, "http://127.0.0.1:1/x")
    control.forward(8)
    data = api("GET", "/api/v1/jobs/recordInfo", params={"taskId": task_id}).json()["data"]
    assert list(data) == [
        "taskId",
        "model",
        "state",
        "param",
        "resultJson",
        "failCode",
        "failMsg",
        "costTime",
        "completeTime",
        "createTime",
        "creditsConsumed",
        "operationType",
        "response",
        "successFlag",
        "paramJson",
    ]
    assert data["param"] == data["paramJson"]
    assert json.loads(json.loads(data["param"])["input"]) == {"aspect_ratio": "16:9", "prompt": 'a "red" kite'}
    assert json.loads(data["param"])["callBackUrl"] == "http://127.0.0.1:1/x"
    assert json.loads(data["resultJson"]) == data["response"]
    assert abs((data["completeTime"] - data["createTime"]) / 1000 - data["costTime"]) <= 1
    assert (data["creditsConsumed"], data["successFlag"]) == (8.0, 1)


def test_a_task_refused_upstream_has_no_times(api, client, control):
    control.fail_next("422-blank")
    task_id = client.create(*NANO)
    control.forward(8)
    data = api("GET", "/api/v1/jobs/recordInfo", params={"taskId": task_id}).json()["data"]
    assert (data["failCode"], data["costTime"], data["completeTime"], data["successFlag"]) == ("422", None, None, 3)


@pytest.mark.parametrize(
    ("model", "inputs", "seen"),
    [
        ("kling/clip", CLIP, ["generating", "generating", "success"]),
        ("bytedance/seedance-x", {"prompt": "a"}, ["waiting", "waiting", "success"]),
        (*NANO, ["waiting", "queuing", "generating", "success"]),
    ],
)
def test_the_way_through_the_states_depends_on_the_model(client, control, model, inputs, seen):
    control.settings(seconds=[100, 100], queuing=len(seen) == 4)
    task_id, states = client.create(model, inputs), []
    for step in [0, 50, 50] if len(seen) == 3 else [0, 30, 30, 40]:
        control.forward(step)
        states.append(client.record(task_id).raw_state)
    assert states == seen


def test_the_record_can_come_seconds_after_the_create(client, control):
    control.trouble("poll", "null", for_s=5)
    task_id = client.create(*NANO)
    for _ in range(3):
        with pytest.raises(Refused):
            client.record(task_id)
    control.forward(5)
    assert client.record(task_id).state in ("running", "succeeded")


# --- validation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "inputs", "code", "words"),
    [
        ("no/model", {}, 422, "not supported"),
        ("gone/model", {}, 422, "not supported"),
        (None, {}, 422, "not supported"),
        ("nano-banana-2", None, 422, "input cannot be null"),
        ("nano-banana-2", {}, 500, "This field is required"),
        ("nano-banana-2", {"prompt": ""}, 500, "This field is required"),
        ("nano-banana-2", {"prompt": "x" * 21}, 500, "text length cannot exceed"),
        ("nano-banana-2", {"prompt": "x", "resolution": "1k"}, 500, "resolution is not within the range of allowed"),
        ("nano-banana-2", {"prompt": "x", "image_input": "http://127.0.0.1:9/"}, 500, "image_input is not within"),
        ("nano-banana-2", {"prompt": "x", "image_input": ["a", "b", "c"]}, 500, "Value must be within"),
        ("nano-banana-2", {"prompt": "x", "image_input": ["file_id"]}, 451, "fetch the file"),
        ("kling/clip", CLIP | {"duration": 5}, 500, "duration is not within"),
        ("kling/clip", CLIP | {"duration": "2"}, 500, "Value must be within the specified range"),
        ("kling/clip", CLIP | {"sound": "true"}, 500, "sound is not within"),
        ("tts/turbo", {"text": "x", "speed": 2}, 500, "Value must be within"),
        ("tts/turbo", {"text": "x", "speed": True}, 500, "speed is not within"),
        ("tts/dialogue", {"dialogue": [{"voice": "Ann"}]}, 500, "This field is required"),
        ("tts/dialogue", {"dialogue": [{"text": "x", "voice": "Eve"}]}, 500, "voice is not within"),
        ("bytedance/seedance-x", {}, 500, "This field is required"),
        (
            "bytedance/seedance-x",
            {"prompt": "x", "last_frame_url": "http://127.0.0.1:9/"},
            500,
            "This field is required",
        ),
    ],
)
def test_wrong_input_is_refused_with_kies_words_and_costs_nothing(client, control, model, inputs, code, words):
    with pytest.raises(Refused, match=words) as caught:
        client.create(model, inputs)
    assert caught.value.code == code
    assert control.bill()["tasks"] == 0 and client.credits() == 100_000


def test_unknown_inputs_are_ignored_and_listed(client, control):
    client.create("nano-banana-2", {"prompt": "x", "image_urls": ["http://127.0.0.1:9/"], "seed": 1})
    client.create("tts/dialogue", {"dialogue": [{"text": "x"}], "text": "y"})
    assert control.unknown_inputs() == {"nano-banana-2": {"image_urls", "seed"}, "tts/dialogue": {"text"}}


def test_a_mix_the_model_does_not_take_fails_late(client, control, service):
    url = client.upload(io.BytesIO(b"x"), filename="a.png", mime="image/png")
    task_id = client.create("kling/clip", CLIP | {"first_frame_url": url, "reference_video_urls": [url]})
    control.forward(8)
    assert "cannot be mixed" in client.record(task_id).fail_msg


# --- money --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "inputs", "credits"),
    [
        (*NANO, 8),
        ("nano-banana-2", {"prompt": "x", "resolution": "4K"}, 18),
        ("nano-banana-2", {"prompt": "x", "image_input": ["http://a.test/1", "http://a.test/2"]}, 8.5),
        ("kling/clip", CLIP, 100),
        ("kling/clip", CLIP | {"sound": False, "duration": "3"}, 42),
        ("kling/clip", CLIP | {"reference_video_urls": ["http://a.test/1"]}, 100),
        ("lips/talk", {"audio_url": "{wav}", "image_url": "http://a.test/1"}, 56),
        ("lips/talk", {"audio_url": "http://a.test/1", "image_url": "http://a.test/1"}, 40),
        ("tts/turbo", {"text": "x" * 500}, 3),
        ("tts/dialogue", {"dialogue": [{"text": "x" * 1000}]}, 14),
        ("many/pictures", {"prompt": "x", "num_images": "2"}, 7),
        ("ai-music-api/lyrics", {"prompt": "x"}, 0.4),
    ],
)
def test_a_task_costs_what_the_facts_say(client, control, receiver, model, inputs, credits):
    inputs = {name: receiver.url if value == "{wav}" else value for name, value in inputs.items()}
    task_id = client.create(model, inputs)
    assert float(client.record(task_id).credits) == credits
    assert float(client.credits()) == 100_000 - credits


def test_credits_are_taken_at_create_and_given_back_on_failure(client, control):
    control.settings(credits=20)
    first, _ = client.create(*NANO), client.create(*NANO)
    with pytest.raises(Refused) as caught:
        client.create(*NANO)
    assert (caught.value.code, float(client.credits())) == (402, 4.0)
    control.fail(first)
    control.finish()
    assert float(client.credits()) == 12.0
    assert control.bill() == {
        "tasks": 2,
        "running": 0,
        "succeeded": 1,
        "failed": 1,
        "billed_credits": 8.0,
        "refunded_credits": 8.0,
        "chats": 0,
        "chat_credits": 0.0,
        "credits": 12.0,
    }


def test_the_twenty_first_create_in_ten_seconds_is_refused(client, control):
    for _ in range(20):
        client.create(*NANO)
    with pytest.raises(Refused) as caught:
        client.create(*NANO)
    assert (caught.value.code, control.bill()["tasks"]) == (429, 20)
    control.forward(10)
    assert client.create(*NANO)


# --- inputs and files ---------------------------------------------------------------------------------------------


def test_input_files_are_fetched_and_listed_wherever_they_stand(client, control, receiver):
    away = "https://api.telegram.org/file/botTOKEN/a.jpg"
    client.create("nano-banana-2", {"prompt": "x", "image_input": [receiver.url, away]})
    fetched = control.task()["fetched"]
    assert [(file["url"], file["status"], file["seconds"]) for file in fetched] == [
        (receiver.url, 200, 7.0),
        (away, 200, None),
    ]
    assert "botTOKEN" in json.dumps(control.requests())  # so a test can assert that no token ever arrives


@pytest.mark.parametrize("setting", ["451", "late"])
def test_an_input_that_cannot_be_fetched_is_refused_or_fails_late(client, control, service, setting):
    control.settings(unreachable=setting)
    inputs = {"prompt": "x", "image_input": [f"{service.files_url}/nothing"]}
    if setting == "451":
        with pytest.raises(Refused) as caught:
            client.create("nano-banana-2", inputs)
        assert caught.value.reason == "file"
        return
    task_id = client.create("nano-banana-2", inputs)
    control.forward(8)
    assert client.record(task_id).state == "failed"


def test_the_three_uploads_answer_alike(api, service, client):
    encoded = "data:image/png;base64," + base64.b64encode(b"png").decode()
    first = api("POST", "/upload/api/file-base64-upload", json={"base64Data": encoded, "uploadPath": "a"}).json()
    second = api(
        "POST",
        "/upload/api/file-url-upload",
        json={"fileUrl": first["data"]["downloadUrl"], "uploadPath": "a", "fileName": "b.png"},
    ).json()
    third = client.upload(io.BytesIO(b"png"), filename="c.png", mime="image/png")
    assert first["success"] and second["data"]["filePath"] == "kieai/100001/a/b.png"
    for url in (first["data"]["downloadUrl"], second["data"]["downloadUrl"], third):
        assert (fetch(url).content, fetch(url).headers["Content-Type"]) == (b"png", "image/png")


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("file-url-upload", {"url": "http://127.0.0.1:9/"}, "fileUrl"),
        ("file-url-upload", {"fileUrl": "http://127.0.0.1:9/", "uploadPath": "a"}, "uploadPath"),
        ("file-base64-upload", {"base64Data": "cG5n", "uploadPath": "/a"}, "uploadPath"),
        ("file-base64-upload", {"base64Data": "cG5n"}, "uploadPath"),
        ("file-base64-upload", {"base64Data": "?", "uploadPath": "a"}, "file"),
    ],
)
def test_a_wrong_upload_is_refused_without_data(api, path, body, words):
    answer = api("POST", f"/upload/api/{path}", json=body).json()
    assert (answer["success"], answer["code"], "data" in answer) == (False, 400, False)
    assert words in answer["msg"]
    assert api("POST", f"/upload/api/{path}", json=body | {"fileUrl": None}, key="wrong").json()["code"] in (400, 401)


def result(client, control, model, inputs):
    task_id = client.create(model, inputs)
    control.finish(task_id)
    return client.record(task_id)


def test_the_cdn_turns_away_urllib_and_forgets_after_a_day(client, control):
    (url,) = result(client, control, *NANO).urls
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url, timeout=5)
    assert caught.value.code == 403
    caught.value.close()
    assert fetch(url).status_code == 200
    control.forward(24 * 3600)
    assert (fetch(url).status_code, fetch(url).headers["Content-Type"]) == (404, "application/xml; charset=utf-8")


def test_a_download_link_lives_twenty_minutes(api, client, control):
    (url,) = result(client, control, *NANO).urls
    link = api("POST", "/api/v1/common/download-url", json={"url": url}).json()["data"]
    assert link != url and fetch(link).status_code == 200
    control.forward(20 * 60)
    assert fetch(link).status_code == 404
    foreign = api("POST", "/api/v1/common/download-url", json={"url": "https://a.test/1.png"}).json()
    assert (foreign["code"], foreign["msg"]) == (422, "url is wrong")


# --- results ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "format_", "size"),
    [
        ("1:1", "PNG", (1024, 1024)),
        ("16:9", "JPEG", (1024, 576)),
        ("9:16", "JPEG", (576, 1024)),
    ],
)
def test_pictures_have_the_shape_and_format_ordered(client, control, shape, format_, size):
    ending = {"PNG": "png", "JPEG": "jpg"}[format_]
    inputs = {"prompt": "лиса в снегу <3", "aspect_ratio": shape, "output_format": ending}
    (url,) = result(client, control, "nano-banana-2", inputs).urls
    content = fetch(url).content
    picture = Image.open(io.BytesIO(content))
    assert (picture.format, picture.size) == (format_, size)
    assert fetch(url).content == content
    assert len(picture.convert("RGB").quantize(64).getcolors()) > 20


def test_an_edit_shows_the_picture_that_was_sent(client, control):
    content = io.BytesIO()
    Image.new("RGB", (300, 100), "red").save(content, "PNG")
    content.seek(0)
    url = client.upload(content, filename="red.png", mime="image/png")
    (edited,) = result(client, control, "nano-banana-2", {"prompt": "night", "image_input": [url]}).urls
    (cut,) = result(client, control, "recraft/remove-background", {"image": url}).urls
    edited, cut = (Image.open(io.BytesIO(fetch(link).content)) for link in (edited, cut))
    red, green, _ = edited.convert("RGB").getpixel((150, 10))
    assert edited.size == (300, 100) and red > green + 60
    assert cut.mode == "RGBA" and cut.getpixel((0, 0))[3] == 0 and cut.getpixel((150, 50))[3] == 255


@pytest.mark.parametrize(
    ("model", "inputs", "types"),
    [
        ("kling/clip", CLIP | {"aspect_ratio": "9:16"}, ["video/mp4"]),
        ("tts/turbo", {"text": "hello"}, ["audio/mpeg"]),
        ("ai-music-api/generate", {"prompt": "a tune"}, ["audio/mpeg"] * 2),
        ("grok-imagine/text-to-image", {"prompt": "a"}, ["image/png"] * 6),
        ("many/pictures", {"prompt": "a", "num_images": "2"}, ["image/png"] * 2),
    ],
)
def test_results_fit_the_kind_of_the_model(client, control, model, inputs, types):
    urls = result(client, control, model, inputs).urls
    assert [fetch(url).headers["Content-Type"] for url in urls] == types
    assert len({fetch(url).content for url in urls}) == len(urls)


def test_a_text_model_answers_in_words(client, control):
    record = result(client, control, "ai-music-api/lyrics", {"prompt": "rain"})
    assert record.urls == () and "rain" in record.text


def test_music_has_no_result_urls_and_its_extra_keys(api, client, control):
    result(client, control, "ai-music-api/generate", {"prompt": "a tune"})
    task_id = control.task()["task_id"]
    data = api("GET", "/api/v1/jobs/recordInfo", params={"taskId": task_id}).json()["data"]
    assert (data["status"], data["type"], data["parentMusicId"]) == ("SUCCESS", "chirp-hawk", "")
    assert "resultUrls" not in data["response"] and len(data["response"]["data"]) == 2


def test_the_last_frame_comes_along_when_asked_for(api, client, control):
    inputs = {"prompt": "a", "return_last_frame": True}
    assert len(result(client, control, "bytedance/seedance-x", inputs).urls) == 1
    data = api("GET", "/api/v1/jobs/recordInfo", params={"taskId": control.task()["task_id"]}).json()["data"]
    assert fetch(data["response"]["lastFrameUrl"][0]).headers["Content-Type"] == "image/png"


@pytest.mark.parametrize(
    ("content", "seconds"),
    [
        (sound(3), 3.0),
        ((stub_media.SAMPLES / "clip-wide.mp4").read_bytes(), 5.0),
        (b"", None),
        (b"RIFF", None),
        (b"OggS" + bytes(2) + (48_000 * 4).to_bytes(8, "little") + bytes(14), 4.0),
        (b"\x00\x00\x00\x08ftyp", None),
    ],
)
def test_media_are_measured(content, seconds):
    assert stub_media.seconds(content) == seconds


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("portrait_4_3", (768, 1024)),
        ("landscape_16_9", (1024, 576)),
        ("square_hd", (1024, 1024)),
        ("portrait", (576, 1024)),
        ("auto", (1024, 1024)),
        ("1K", (1024, 1024)),
        ("8:1", (1024, 128)),
    ],
)
def test_the_names_of_shapes_are_understood(value, size):
    assert stub_media.size_of({"image_size": value}) == size


# --- callbacks ----------------------------------------------------------------------------------------------------


def test_the_signature_agrees_with_the_published_recipe():
    signed = signature("whsec_example_key", "5f488be792eafad4b066e21e5bc472c7", "1767225600")
    assert signed == "a3MgrlT5pIeM0Z3Ii7gzLwWNUjLhPfWjc4R5SvL15iM="


def test_a_callback_comes_signed_when_a_task_ends(client, control, receiver):
    control.settings(callback_key="whsec")
    task_id = client.create(*NANO, callback_url=receiver.url)
    control.forward(8)
    headers, body = receiver.got.get(timeout=5)
    assert (body["code"], body["msg"]) == (200, "Playground task completed successfully.")
    assert (body["data"]["taskId"], body["data"]["creditsConsumed"]) == (task_id, 8.0)
    assert json.loads(body["data"]["resultJson"])["resultUrls"]
    assert receiver.url in body["data"]["param"]
    stamp = headers["X-Webhook-Timestamp"]
    assert headers["X-Webhook-Signature"] == signature("whsec", task_id, stamp)
    assert abs(int(stamp) - control.now()) <= 1


def test_a_failure_calls_back_with_501_and_without_a_key_unsigned(client, control, receiver):
    task_id = client.create(*NANO, callback_url=receiver.url)
    control.fail(code="400", msg="flagged")
    headers, body = receiver.got.get(timeout=5)
    assert "X-Webhook-Signature" not in headers
    assert (body["code"], body["data"]["state"], body["data"]["resultJson"]) == (501, "fail", None)
    assert (body["data"]["taskId"], body["data"]["failCode"], body["data"]["failMsg"]) == (task_id, "400", "flagged")


def statuses(control, count):
    """Return the answers to a task's callbacks, once there are `count` of them."""
    for _ in range(500):
        found = [attempt["status"] for attempt in control.task()["callbacks"]]
        if len(found) >= count:
            return found
    raise AssertionError(found)


def test_a_callback_is_tried_three_times_more(client, control, receiver):
    for status in (500, 404, 302, 500):
        receiver.answers.put(status)
    client.create(*NANO, callback_url=receiver.url)
    control.finish()
    for count in range(1, 5):
        assert len(statuses(control, count)) == count
        control.forward(15)
    assert statuses(control, 4) == [500, 404, 302, 500]
    control.forward(3600)
    assert receiver.got.qsize() == 4


def test_a_silent_receiver_is_given_up_after_the_limit(client, control):
    control.settings(callback_timeout_s=0.1)
    with stub.socket.create_server(("127.0.0.1", 0)) as silent:
        client.create(*NANO, callback_url=f"http://127.0.0.1:{silent.getsockname()[1]}/")
        control.finish()
        assert statuses(control, 1) == [None]


def test_a_callback_can_come_twice_or_never(client, control, receiver):
    control.trouble("callback", "twice")
    client.create(*NANO, callback_url=receiver.url)
    control.finish()
    bodies = [receiver.got.get(timeout=5)[1] for _ in range(2)]
    assert bodies[0] == bodies[1]
    control.trouble("callback", "never")
    client.create(*NANO, callback_url=receiver.url)
    control.finish()
    assert not control.task()["callbacks"] and receiver.got.empty()


def test_a_callback_can_come_late(client, control, receiver):
    control.trouble("callback", "late", delay_s=300)
    client.create(*NANO, callback_url=receiver.url)
    control.finish()
    control.forward(299)
    assert receiver.got.empty()
    control.forward(1)
    assert receiver.got.get(timeout=5)[1]["code"] == 200


def test_a_callback_can_come_before_the_creates_reply(client, control, receiver):
    control.trouble("callback", "early")
    task_id = client.create(*NANO, callback_url=receiver.url)
    assert receiver.got.get_nowait()[1]["data"]["taskId"] == task_id


@pytest.mark.parametrize("kind", ["bad-signature", "stale", "unknown-task", "consume-credits"])
def test_a_callback_can_be_spoilt(client, control, receiver, kind):
    control.settings(callback_key="whsec")
    control.trouble("callback", kind)
    task_id = client.create(*NANO, callback_url=receiver.url)
    control.finish()
    headers, body = receiver.got.get(timeout=5)
    data, stamp = body["data"], headers["X-Webhook-Timestamp"]
    right = headers["X-Webhook-Signature"] == signature("whsec", data["taskId"], stamp)
    assert right == (kind != "bad-signature")
    assert (control.now() - int(stamp) > 300) == (kind == "stale")
    assert (data["taskId"] != task_id) == (kind == "unknown-task")
    assert ("consumeCredits" in data) == (kind == "consume-credits")


# --- discovery and prices -----------------------------------------------------------------------------------------


def test_the_models_can_be_discovered_once_a_second(api, control):
    data = api("GET", "/api/v1/models").json()["data"]
    assert data["total"] == len(kie_facts.MODELS) - 1
    assert api("GET", "/api/v1/models").json()["code"] == 429
    control.forward(1)
    found = api("GET", "/api/v1/models", params={"taskType": "Text to Video,Lip Sync", "q": "clip"}).json()["data"]
    assert [(model["model"], model["taskType"]) for model in found["models"]] == [("kling/clip", ["Text to Video"])]
    control.forward(1)
    assert api("GET", "/api/v1/models", params={"provider": "nobody"}).json()["data"] == {"total": 0, "models": []}


def test_a_models_schema_price_and_rate_can_be_asked(api, control):
    schema = api("GET", "/api/v1/models/kling/clip/schema").json()["data"]["openapi"]
    request = schema["paths"]["/api/v1/jobs/createTask"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    fields = request["properties"]["input"]
    assert fields["required"] == ["prompt", "sound", "duration"]
    assert fields["properties"]["duration"]["type"] == "string"
    assert fields["properties"]["reference_video_urls"]["type"] == "array"
    control.forward(1)
    assert "20 credits per second" in api("GET", "/api/v1/models/kling/clip/price").json()["data"]["pricingDesc"]
    control.forward(1)
    assert len(api("GET", "/api/v1/models/nano-banana-2/success-rate").json()["data"]["points"]) == 144
    control.forward(1)
    answer = api("GET", "/api/v1/models/no/model/schema")
    assert (answer.status_code, answer.json()["code"]) == (200, 404)
    assert api("GET", "/api/v1/models", key="wrong").json()["code"] == 401


def test_the_price_feed_is_open_and_paged(service, control):
    url = f"{service.api_url}/client/v1/model-pricing"
    count = requests.get(f"{url}/count", timeout=5).json()["data"]
    pages = [
        requests.post(f"{url}/page", json={"pageNum": page, "pageSize": 5}, timeout=5).json()["data"]
        for page in range(1, 5)
    ]
    rows = [row for page in pages for row in page["records"]]
    assert (len(rows), pages[0]["total"]) == (count["all"], count["all"])
    assert rows[0] | {"creditPrice": "8", "usdPrice": "0.04", "provider": "Google"} == rows[0]
    videos = requests.post(f"{url}/page", json={"pageSize": 50, "interfaceType": "video"}, timeout=5).json()["data"]
    assert videos["total"] == count["video"] > 0


# --- the control plane --------------------------------------------------------------------------------------------


def test_tasks_can_be_held_and_ended_by_hand(client, control):
    control.settings(hold=True)
    first, second = client.create(*NANO), client.create(*NANO)
    control.forward(10_000)
    assert client.record(first).state == "running"
    assert control.finish() == second
    assert (client.record(second).state, client.record(first).state) == ("succeeded", "running")
    assert control.fail() == first
    with pytest.raises(LookupError):
        control.finish()
    with pytest.raises(ValueError, match="failed"):
        control.finish(first)


def test_a_stalled_task_waits_for_ever(client, control):
    control.trouble("create", "stall")
    ordered, by_hand = client.create(*NANO), client.create(*NANO)
    control.stall(by_hand)
    control.forward(1_000_000)
    assert {client.record(ordered).state, client.record(by_hand).state} == {"running"}


def test_a_trouble_keeps_to_its_model_and_its_number(client, control):
    control.trouble("create", "455", times=2, model="nano-banana-2")
    client.create("tts/turbo", {"text": "x"})
    for _ in range(2):
        with pytest.raises(Refused):
            client.create(*NANO)
    client.create(*NANO)
    control.trouble("create", "455", times=0)
    for _ in range(3):
        with pytest.raises(Refused):
            client.create(*NANO)
    control.calm()
    client.create(*NANO)


def test_an_order_that_is_not_understood_says_what_is(control):
    for at, kinds in KINDS.items():
        with pytest.raises(ValueError, match=min(kinds)):
            control.trouble(at, "gremlins")
    with pytest.raises(ValueError, match="unknown settings"):
        control.settings(colour="red")


def test_the_clock_can_be_stopped_sped_up_and_set(control):
    control.freeze(1_000_000)
    assert (control.now(), control.now()) == (1_000_000, 1_000_000)
    control.forward(5)
    assert control.now() == 1_000_005
    control.speed(1_000_000)
    assert control.now() > 1_000_006


def test_the_stub_can_run_on_the_tests_own_clock(tmp_path):
    now = [500.0]
    running = stub.start(facts=kie_facts.write(tmp_path), clock=lambda: now[0], seconds=(10, 10))
    client = Client(running.api_url, running.upload_url, running.key)
    task_id = client.create(*NANO)
    now[0] += 9.9
    assert client.record(task_id).state == "running"
    now[0] += 0.1
    assert client.record(task_id).state == "succeeded"
    client.close()
    running.stop()
    running.stop()  # a second time does nothing
    with pytest.raises(requests.ConnectionError):
        requests.get(running.api_url, timeout=5)


def test_reset_forgets_tasks_troubles_and_settings(client, control):
    control.settings(hold=True, credits=1)
    control.trouble("create", "500", times=0)
    control.reset()
    assert client.create(*NANO)
    assert (len(control.tasks()), control.bill()["credits"], control.settings()["hold"]) == (1, 99_992.0, False)


PAGE = "http://127.0.0.1:8081"
ADDRESSES = ("/stub/tasks", "/api/v1/chat/credit", "/files/x.png", "/client/v1/model-pricing/count", "/nothing")


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.test"},
        {"Origin": "http://localhost.evil.test"},
        {"Origin": "http://127.0.0.1:3"},
        {"Origin": "null"},
        {"Host": "evil.test"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1:1"},
    ],
)
def test_no_page_but_the_one_it_was_told_of_reaches_any_address(service, control, path, method, headers):
    control.reset()
    headers = headers | {"Authorization": f"Bearer {service.key}"}
    answer = requests.request(method, service.api_url + path, headers=headers, timeout=5)
    assert answer.status_code == 403 and "Access-Control-Allow-Origin" not in answer.headers
    assert control.requests() == []


def test_the_page_it_was_told_of_may_use_the_control_plane(service):
    service.pages.add(PAGE)
    for method in ("GET", "OPTIONS"):
        answer = requests.request(method, f"{service.api_url}/stub/tasks", headers={"Origin": PAGE}, timeout=5)
        assert answer.ok and answer.headers["Access-Control-Allow-Origin"] == PAGE
    service.pages.clear()


def test_the_key_is_not_kept_in_the_list_of_requests(client, control, service):
    client.create(*NANO)
    assert service.key not in json.dumps(control.requests())


def test_it_knows_the_projects_own_catalogue():
    path = ROOT / "data" / "models.json"
    if not path.exists():
        pytest.skip("there is no catalogue")
    running = stub.start()
    listed = requests.get(f"{running.api_url}/client/v1/model-pricing/count", timeout=5).json()["data"]
    running.stop()
    assert listed["all"] >= len(json.loads(path.read_text(encoding="utf-8"))["models"])


def test_it_runs_alone(tmp_path):
    command = [sys.executable, "-m", "kie.stub.server", "--port", "0", "--facts", str(kie_facts.write(tmp_path))]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        settings = dict(process.stdout.readline().strip().split("=") for _ in range(3))
        client = Client(settings["KIE_API_URL"], settings["KIE_UPLOAD_URL"], settings["KIE_API_KEY"])
        assert client.credits() == 100_000
        client.close()
        process.terminate()


@pytest.mark.parametrize(
    ("text", "subjects"),
    [
        ("рыжая лиса в снегу", ["fox"]),
        ("a red fox in the snow", ["fox"]),
        ("un zorro y un gato junto a una casa", ["house", "fox", "cat"]),
        ("Лодка в море у гор", ["mountains", "sea", "boat"]),
        ("красивый дом, дерево и машина", ["tree", "house", "car"]),
        ("a robot with a flower in the city", ["city", "robot", "flower"]),
        ("perro", ["dog"]),
        ("nothing of that", []),
    ],
)
def test_a_picture_shows_what_its_words_name(text, subjects):
    assert stub_subjects.named_in(text) == subjects
    image = Image.new("RGB", (200, 120))
    stub_subjects.draw(image, text)
    assert bool(subjects) == (image.getbbox() is not None)
