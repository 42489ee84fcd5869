"""The port: health and its 503, metrics, KIE's signed callbacks; and settings that contradict each other."""

import re
import socket
import sys

import pytest
import requests

from core import settings
from core.process.connection_limits import MAX_BODY
from core.process.loops import Clock
from core.process.web import STALE_FETCH_S, STALE_WRITE_S, Web
from kie.api.callback_signature import WINDOW_S, is_genuine, signature
from storage.base import db
from tests.kit import NOON, FrozenClock, main

KEY = "whsec_example_key"


@pytest.fixture
def web(servers):
    """The port of a bot that is not there yet."""
    found = Web("127.0.0.1", 0, FrozenClock(*servers, NOON), "1.2.3")
    yield found
    found.close()


@pytest.fixture
def lead(start_bot, web):
    """Return a function that starts a bot which leads and can be called back."""

    def start(**more):
        bot = start_bot(PUBLIC_URL=f"http://127.0.0.1:{web.port}", PORT=str(web.port), **more)
        web._clock = bot.clock
        web.runtime = bot.runtime
        bot.pump()
        return bot

    return start


def get(web, path):
    """Ask the port."""
    return requests.get(f"http://127.0.0.1:{web.port}{path}", timeout=5)


def health(web):
    """Return (HTTP status, what /health says)."""
    answer = get(web, "/health")
    return answer.status_code, answer.json()


def test_a_working_bot_says_so_with_its_figures(web, lead):
    bot = lead()
    status, found = health(web)
    assert status == 200
    assert found["status"] == "ok" and found["leader"] and found["version"] == "1.2.3"
    assert found["storage"] == {"kind": bot.url.partition(":")[0], "written_s_ago": 0}
    assert (found["kie_mode"], found["mode"]) == ("stub", "polling")
    assert (found["inbox_age_s"], found["open_jobs"], found["oldest_job_s"]) == (None, 0, None)


def test_open_jobs_are_counted_with_the_age_of_the_oldest(web, lead):
    bot = lead()
    bot.kie.settings(hold=True)
    alice = bot.rich()
    alice.send("a fox")
    alice.tap("▶ Draft")
    bot.forward(30)
    _status, found = health(web)
    assert (found["open_jobs"], found["oldest_job_s"]) == (1, 30)


def test_a_copy_that_stands_by_is_healthy(web, lead):
    bot = lead()
    web.runtime, web.standby, web.beside = None, bot.runtime, True
    status, found = health(web)
    kinds = {"mode": "polling", "kie_mode": "stub", "storage": {"kind": bot.url.partition(":")[0]}}
    assert (status, found) == (200, {"status": "standby", "leader": False, "version": "1.2.3", "uptime": 0} | kinds)


def test_a_copy_alone_that_does_not_work_yet_is_no_healthy_standby(web, lead):
    bot = lead()
    web.runtime, web.standby, web.trouble = None, bot.runtime, "Telegram cannot be reached"
    status, found = health(web)
    assert (status, found["status"], found["reason"]) == (503, "degraded", "Telegram cannot be reached")
    assert found["kie_mode"] == "stub" and found["storage"]["kind"] == bot.url.partition(":")[0]


def test_a_port_that_is_open_before_there_is_a_bot_is_not_healthy_yet(web, lead):
    lead()
    web.runtime = None
    assert health(web)[0] == 503 and health(web)[1]["reason"] == "it is starting"


def test_a_bot_whose_token_telegram_takes_back_is_down_and_says_so(web, lead):
    bot = lead()
    bot.telegram.fail_next("getUpdates", "401")
    bot.runtime.updates.fetch(wait_s=0)
    status, found = health(web)
    assert (status, found["status"], found["reason"]) == (503, "down", "Telegram refuses the token")
    bot.runtime.updates.fetch(wait_s=0)
    assert health(web)[0] == 200


def test_a_bot_that_hears_nothing_from_telegram_for_three_minutes_is_degraded(web, lead):
    bot = lead()
    bot.clock.forward(STALE_FETCH_S)
    bot.bot.status.wrote_at = bot.clock.now()
    assert health(web)[0] == 200
    bot.clock.forward(1)
    status, found = health(web)
    assert (status, found["status"]) == (503, "degraded")
    assert found["reason"] == f"Telegram has not answered for {STALE_FETCH_S + 1} s"


def test_a_bot_that_has_not_written_a_row_for_a_while_is_degraded(web, lead):
    bot = lead()
    bot.clock.forward(STALE_WRITE_S + 1)
    assert health(web)[0] == 503


def test_a_bot_without_its_database_is_degraded_also_while_it_stands_by(web, lead):
    lead()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    db.use(f"postgresql://nobody:secret-word@127.0.0.1:{port}/nothing")
    for runtime in (web.runtime, None):
        web.runtime = runtime
        answer = get(web, "/health")
        assert (answer.status_code, answer.json()["status"]) == (503, "degraded")
        assert answer.json()["reason"] == "the database does not answer"
        assert "secret-word" not in answer.text


def test_a_bot_that_is_stopping_is_down(web, lead):
    lead()
    web.stopping = True
    assert health(web)[0] == 503 and health(web)[1]["status"] == "down"


def test_metrics_are_few_and_tell_no_names_and_no_money(web, lead):
    bot = lead()
    alice = bot.rich("Alice")
    alice.send("/id")
    text = get(web, "/metrics").text
    figures = [line for line in text.splitlines() if not line.startswith("#")]
    assert "bot_leader 1.0" in figures and "bot_jobs_open 0.0" in figures
    assert any(line.startswith('bot_updates_total{outcome="done"}') for line in figures)
    assert len([line for line in figures if line.startswith("bot_") and "_created" not in line]) < 20
    assert "Alice" not in text and "balance" not in text


def test_metrics_of_a_standby_say_only_that(web, lead):
    bot = lead()
    web.runtime, web.standby = None, bot.runtime
    figures = [line for line in get(web, "/metrics").text.splitlines() if line.startswith("bot_")]
    assert {name_of(line) for line in figures} <= {
        "bot_leader",
        "bot_build_info",
        *COUNTED,
    } and "bot_leader 0.0" in figures


COUNTED = ("bot_updates_total", "bot_updates_created")


def name_of(line):
    """Return the name of a figure."""
    return re.match(r"\w+", line)[0]


def test_metrics_tell_the_program_and_its_process_and_counters_end_in_total(web, lead):
    bot = lead()
    bot.user("Alice").send("/id")
    text = get(web, "/metrics").text
    (built,) = [line for line in text.splitlines() if line.startswith("bot_build_info{")]
    assert (
        f'version="{main.VERSION}"' in built
        and f'storage="{bot.url.partition(":")[0]}"' in built
        and 'kie_mode="stub"' in built
    )
    assert "process_resident_memory_bytes " in text and "process_open_fds " in text
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M))
    assert {name for name, kind in kinds.items() if kind == "counter"} >= {
        "bot_updates_total",
        "process_cpu_seconds_total",
    }
    assert all(name.endswith("_total") == (kind == "counter") for name, kind in kinds.items())


def test_an_unknown_path_is_not_found_and_a_big_body_is_not_read(web, lead):
    lead()
    assert get(web, "/admin").status_code == 404
    answer = requests.post(f"http://127.0.0.1:{web.port}/kie/x", data=b"x" * (MAX_BODY + 1), timeout=5)
    assert answer.status_code == 413


# KIE's callbacks


def ordered(bot):
    """Have a job running at KIE; return the person."""
    bot.kie.settings(hold=True)
    alice = bot.rich()
    alice.send("a fox")
    alice.tap("▶ Draft")
    bot.pump()
    return alice


def called_back(bot):
    """Wait for the answer to the newest task's callback and return it."""
    bot.telegram.wait(lambda: bot.kie.task()["callbacks"], about="a callback")
    bot.pump()
    return bot.kie.task()["callbacks"][0]["status"]


def test_a_signed_callback_wakes_its_job(web, lead):
    bot = lead(KIE_WEBHOOK_KEY=KEY)
    bot.kie.settings(callback_key=KEY)
    alice = ordered(bot)
    bot.kie.finish()
    assert called_back(bot) == 200
    assert "photo" in alice.last_message


@pytest.mark.parametrize("kind", ["bad-signature", "stale"])
def test_a_callback_with_a_wrong_or_old_signature_wakes_nothing_and_the_poll_finds_the_result(web, lead, kind):
    bot = lead(KIE_WEBHOOK_KEY=KEY)
    bot.kie.settings(callback_key=KEY)
    bot.kie.trouble("callback", kind)
    alice = ordered(bot)
    looks = len(bot.kie.requests("recordInfo"))
    bot.kie.finish()
    assert called_back(bot) == 401
    assert len(bot.kie.requests("recordInfo")) == looks
    bot.forward(120)
    assert "photo" in alice.last_message


def test_an_unsigned_callback_is_refused_once_there_is_a_key(web, lead):
    bot = lead(KIE_WEBHOOK_KEY=KEY)
    ordered(bot)
    bot.kie.finish()
    assert called_back(bot) == 401


def test_a_callback_is_never_believed_about_the_result(web, lead):
    """Whoever saw a signed pair can send other words with it: the result is read from KIE, with our key."""
    bot = lead(KIE_WEBHOOK_KEY=KEY)
    alice = ordered(bot)
    task, path = bot.kie.task()["task_id"], job_path(bot)
    stamp = str(int(bot.clock.now().timestamp()))
    body = {
        "code": 200,
        "data": {"taskId": task, "state": "success", "resultJson": '{"resultUrls":["http://evil/x.png"]}'},
    }
    headers = {"X-Webhook-Timestamp": stamp, "X-Webhook-Signature": signature(KEY, task, stamp)}
    answer = requests.post(f"http://127.0.0.1:{web.port}{path}", json=body, headers=headers, timeout=5)
    bot.pump()
    assert answer.status_code == 200
    assert "photo" not in alice.last_message
    assert not any("evil" in str(call) for call in bot.telegram.calls())


def job_path(bot):
    """Return the path KIE was told for the newest job."""
    return "/kie/" + bot.bot.jobs.get(1).secret


def test_a_standby_asks_kie_to_come_again(web, lead):
    bot = lead()
    ordered(bot)
    web.runtime = None
    assert requests.post(f"http://127.0.0.1:{web.port}{job_path(bot)}", json={}, timeout=5).status_code == 503


def test_every_job_has_an_address_nobody_can_guess(web, lead):
    bot = lead()
    ordered(bot)
    assert len(job_path(bot)) > 25
    assert requests.post(f"http://127.0.0.1:{web.port}/kie/1", json={}, timeout=5).status_code == 200


def test_the_signature_is_kies_own(servers):
    """The vector of KIE's documented formula."""
    task = "5f488be792eafad4b066e21e5bc472c7"
    assert signature(KEY, task, "1767225600") == "a3MgrlT5pIeM0Z3Ii7gzLwWNUjLhPfWjc4R5SvL15iM="


@pytest.mark.parametrize(
    ("timestamp", "fresh"),
    [(0, True), (-WINDOW_S, True), (WINDOW_S, True), (-WINDOW_S - 1, False), (WINDOW_S + 1, False)],
)
def test_a_signature_counts_for_five_minutes(servers, timestamp, fresh):
    now = FrozenClock(*servers).now()
    stamp = str(int(now.timestamp()) + timestamp)
    headers = {"X-Webhook-Timestamp": stamp, "X-Webhook-Signature": signature(KEY, "t", stamp)}
    assert is_genuine(KEY, "t", headers, now) is fresh


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Webhook-Timestamp": "soon", "X-Webhook-Signature": "x"},
        {"X-Webhook-Timestamp": "٣", "X-Webhook-Signature": "x"},
        {"X-Webhook-Timestamp": "9" * 400, "X-Webhook-Signature": "x"},
        {"X-Webhook-Timestamp": "1767225600", "X-Webhook-Signature": "ж"},
    ],
)
def test_whatever_stands_in_the_headers_is_no_error(servers, headers):
    assert is_genuine(KEY, "t", headers, FrozenClock(*servers).now()) is False
    assert is_genuine(KEY, None, headers, FrozenClock(*servers).now()) is False


# settings that contradict each other


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"BOT_MODE": "webhook"}, ["PUBLIC_URL"]),
        ({"BOT_MODE": "webhook", "PUBLIC_URL": "https://bot.example"}, ["PORT"]),
        ({"BOT_MODE": "webhook", "PUBLIC_URL": "http://bot.example", "PORT": "80"}, ["PUBLIC_URL"]),
        ({"BOT_MODE": "webhook", "PUBLIC_URL": "https://bot.example:8080", "PORT": "80"}, ["PUBLIC_URL"]),
        ({"PUBLIC_URL": "https://bot.example"}, ["PORT"]),
        ({"BOT_MODE": "both"}, ["BOT_MODE"]),
    ],
)
def test_settings_that_contradict_each_other_stop_the_start_with_a_line_each(more, named):
    environ = {"TELEGRAM_BOT_TOKEN": "1:DEMO-token", "KIE_API_KEY": "key", **more}
    with pytest.raises(settings.SettingsError) as refused:
        main.build(environ, Clock(), threads=0)
    assert [line.partition(":")[0] for line in refused.value.problems] == named


def test_webhook_mode_starts_with_a_public_https_address():
    environ = {"BOT_MODE": "webhook", "PUBLIC_URL": "https://bot.example", "PORT": "8080"}
    found = settings.Settings(environ)
    main.declare(found)
    settings.check_together(found)
    assert not [line for line in found.problems if line.startswith(("BOT_MODE", "PUBLIC_URL", "PORT"))]


def test_closing_while_answers_are_on_their_way_writes_into_no_closed_file(servers):
    """Each answer wakes the server's thread as closing does, and whoever comes second must not find it gone."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(50):
            port = Web("127.0.0.1", 0, FrozenClock(*servers, NOON), "1.2.3")
            asking = [socket.create_connection(("127.0.0.1", port.port)) for _ in range(6)]
            for one in asking:
                one.sendall(b"GET /nothing HTTP/1.1\r\nHost: bot\r\n\r\n")
            asking[0].recv(100)
            port.close()
            for one in asking:
                one.close()
    finally:
        sys.setswitchinterval(interval)
