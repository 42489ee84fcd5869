"""Webhook mode, with the bot as a process: rows first, the secret, the limits, the standby, and back to polling."""

import time

import pytest
import requests

from bench.failover import Copy
from bench.load import Servers
from core.telegram import webhook

TOKEN = "1:DEMO-token-of-no-use-anywhere"
SECRET = {webhook.HEADER: webhook.secret(TOKEN)}


@pytest.fixture
def servers():
    """The local Telegram and the KIE stub of this module's own: the bots are processes."""
    found = Servers(seconds=(0.2, 0.5))
    yield found
    found.stop()


@pytest.fixture
def copies(servers, database_url, tmp_path):
    """Return a function that starts a copy of the bot; all end with the test."""
    started = []

    def start(mode="webhook", share=None, **more):
        copy = Copy(servers, database_url, tmp_path, f"copy{len(started)}")
        port = share.port if share else copy.port
        copy.environ |= {"BOT_MODE": mode, "PUBLIC_URL": f"http://127.0.0.1:{port}"} | more
        copy.start()
        started.append(copy)
        return copy

    yield start
    for copy in started:
        copy.kill()


def post(copy, update, headers=SECRET):
    """Post to the webhook as Telegram would."""
    return requests.post(f"http://127.0.0.1:{copy.port}{webhook.PATH}", json=update, headers=headers, timeout=5)


def info(servers):
    """Return what Telegram knows of the webhook."""
    answer = requests.get(f"{servers.telegram.url}/bot{TOKEN}/getWebhookInfo", timeout=5)
    return answer.json()["result"]


def wait_for(condition, seconds=10):
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def message(person, update_id, text="/id"):
    """Return an update with a message."""
    sender = {"id": person.id, "is_bot": False, "first_name": "Alice"}
    chat = {"id": person.id, "type": "private", "first_name": "Alice"}
    body = {"message_id": update_id, "from": sender, "chat": chat, "date": int(time.time()), "text": text}
    return {"update_id": update_id, "message": body}


def test_a_person_is_answered_by_webhook(servers, copies):
    copy = copies()
    copy.wait_for("ok")
    alice = servers.telegram.person("Alice")
    alice.send("/start")
    wait_for(lambda: alice.received)
    assert info(servers)["url"] == f"http://127.0.0.1:{copy.port}{webhook.PATH}"
    assert TOKEN not in info(servers)["url"]
    assert not servers.telegram.calls("getUpdates")


def test_a_certificate_of_ones_own_is_given_to_telegram(servers, copies, tmp_path):
    """Once a start: the file may be another one by then."""
    pem = tmp_path / "public.pem"
    pem.write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    copy = copies(WEBHOOK_CERTIFICATE=str(pem))
    copy.wait_for("ok")
    assert info(servers)["has_custom_certificate"] is True
    calls = servers.telegram.calls("setWebhook")
    assert [call["params"]["certificate"]["file"] for call in calls] == ["certificate.pem"]
    copy.kill()
    copies(share=copy).wait_for("ok")
    assert info(servers)["has_custom_certificate"] is False, "without the setting it is Telegram's own list that counts"


def test_without_the_secret_nothing_is_taken(servers, copies):
    copy = copies()
    copy.wait_for("ok")
    alice = servers.telegram.person("Alice")
    for headers in ({}, {webhook.HEADER: "wrong"}, {webhook.HEADER: "ж".encode().decode("latin-1")}):
        assert post(copy, message(alice, 5), headers).status_code == 401
    assert post(copy, message(alice, 6)).status_code == 200
    wait_for(lambda: alice.received)
    assert len(alice.received) == 1


def test_what_is_no_update_is_refused_and_a_big_body_is_not_read(servers, copies):
    copy = copies()
    copy.wait_for("ok")
    assert post(copy, ["no update"]).status_code == 400
    assert post(copy, {"update_id": "seven"}).status_code == 400
    assert post(copy, {"update_id": 7, "pad": "x" * 2_000_000}).status_code == 413


def test_an_update_that_comes_twice_is_answered_once(servers, copies):
    copy = copies()
    copy.wait_for("ok")
    alice = servers.telegram.person("Alice")
    for _ in range(3):
        assert post(copy, message(alice, 9)).status_code == 200
    wait_for(lambda: alice.received)
    assert post(copy, message(alice, 9)).status_code == 200
    post(copy, message(alice, 10))
    wait_for(lambda: len(alice.received) == 2)


def test_the_answer_comes_within_a_second_however_long_the_work_takes(servers, copies):
    copy = copies()
    copy.wait_for("ok")
    alice = servers.telegram.person("Alice")
    servers.telegram.fail_next("sendMessage", "slow", delay_s=3)
    began = time.monotonic()
    assert post(copy, message(alice, 11)).status_code == 200
    assert time.monotonic() - began < 1


def test_a_second_copy_takes_updates_too_and_works_where_the_rows_can_be_shared(servers, copies, database_url):
    leader = copies()
    leader.wait_for("ok")
    second = copies(share=leader)
    second.wait_for("standby" if database_url.startswith("sqlite") else "ok")
    assert second.health()["leader"] is False
    alice = servers.telegram.person("Alice")
    assert post(second, message(alice, 12)).status_code == 200
    wait_for(lambda: alice.received)


def test_beside_a_leader_that_polls_a_copy_for_webhooks_leaves_it_all_the_work(servers, copies):
    leader = copies("polling")
    leader.wait_for("ok")
    second = copies(share=leader)
    second.wait_for("standby")
    alice = servers.telegram.person("Alice")
    assert post(second, message(alice, 14)).status_code == 200
    wait_for(lambda: alice.received)
    assert second.health()["status"] == "standby" and " core.handling.dispatch: " not in second.log_path.read_text()


def test_updates_that_came_while_nobody_led_are_handled_at_the_next_start(servers, copies):
    first = copies()
    first.wait_for("ok")
    alice = servers.telegram.person("Alice")
    first.kill()
    alice.send("/id")
    assert servers.telegram.pending == 1
    second = copies(share=first, PORT=str(first.port))
    second.port = first.port
    second.wait_for("ok")
    wait_for(lambda: alice.received, 30)


def test_going_back_to_polling_takes_the_webhook_away(servers, copies):
    first = copies()
    first.wait_for("ok")
    assert first.stop() == 0
    assert info(servers)["url"]
    second = copies("polling")
    second.wait_for("ok")
    assert info(servers)["url"] == ""
    alice = servers.telegram.person("Alice")
    alice.send("/id")
    wait_for(lambda: alice.received)
    assert post(second, message(alice, 13)).status_code == 404
