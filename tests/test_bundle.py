"""What an operator can send to a helper: KIE's last answers, and one archive of everything else, without secrets."""

import json
import stat
import tarfile

import pytest

from kie.api.client import Client
from kie.api.recording import ANSWERS, KEPT, Exchange, Recording, redacted
from tests.kit import BOSS, TOKEN, main
from tests.shop import order
from tools import bundle

SECRETS = {
    "KIE_WEBHOOK_KEY": "whsec-very-private",
    "METRICS_TOKEN": "metrics-token-9",
    "SUPPORT_CONTACT": "@my_private_name",
    "TRANSFER_DETAILS": "Private Bank 2200 7700 1234 5678",
}


def exchange(**more):
    """Return an exchange with KIE."""
    return Exchange(
        **{
            "method": "POST",
            "path": "/x",
            "sent": None,
            "status": 200,
            "content_type": "json",
            "text": "{}",
            "seconds": 0.1,
        }
        | more
    )


def kept(folder):
    """Return what was recorded."""
    return [json.loads(line) for line in Recording(folder / ANSWERS).lines()]


def test_an_answer_keeps_what_kie_says_and_not_what_people_wrote(tmp_path):
    answer = {
        "code": 200, "msg": "success", "data": {
            "taskId": "a" * 32, "state": "success", "param": '{"input":"{\\"prompt\\":\\"my secret wish\\"}"}',
            "resultJson": '{"resultUrls":["https://cdn.example/private/cat.png"]}', "creditsConsumed": 4.0,
        },
    }  # fmt: skip
    sent = {
        "model": "z-image",
        "input": {"prompt": "my secret wish"},
        "callBackUrl": "https://bot.private.example/kie/abc",
    }
    Recording(tmp_path / ANSWERS, ["key-77"])(exchange(sent=sent, text=json.dumps(answer)))
    row = kept(tmp_path)[0]
    assert row["sent"] == {"model": "z-image", "input": {"prompt": "string of 14"}, "callBackUrl": "https://…"}
    assert row["answer"]["code"] == 200 and row["answer"]["data"]["creditsConsumed"] == 4.0
    assert row["answer"]["data"]["resultJson"] == {"json": {"resultUrls": ["https://….png"]}}
    assert "secret wish" not in json.dumps(row) and "private" not in json.dumps(row)
    assert stat.S_IMODE((tmp_path / ANSWERS).stat().st_mode) == 0o600


def test_a_key_is_hidden_wherever_it_stands_and_no_json_is_only_measured(tmp_path):
    recording = Recording(tmp_path / ANSWERS, ["key-77"])
    recording(exchange(text='{"code": 401, "msg": "the key key-77 is wrong, see https://kie.ai/a/b"}'))
    recording(exchange(text="<html>key-77</html>", status=502))
    assert [row["answer"] for row in kept(tmp_path)] == [
        {"code": 401, "msg": "the key ••• is wrong, see https://…"}, "no JSON, string of 19",
    ]  # fmt: skip


def test_the_last_200_are_kept_across_starts(tmp_path):
    for start in range(3):
        recording = Recording(tmp_path / ANSWERS)
        for number in range(KEPT):
            recording(exchange(text=json.dumps({"code": start * KEPT + number})))
    assert [row["answer"]["code"] for row in kept(tmp_path)] == list(range(2 * KEPT, 3 * KEPT))
    assert len((tmp_path / ANSWERS).read_text().splitlines()) <= 2 * KEPT


def test_a_long_list_and_a_deep_answer_are_cut():
    assert redacted({"models": list(range(9))}) == {"models": [0, 1, 2, "… 6 more"]}
    deep = value = {}
    for _level in range(50):
        value["x"] = value = {}
    assert "…" in json.dumps(redacted(deep), ensure_ascii=False)


def test_a_record_that_cannot_be_written_fails_no_call(servers, tmp_path, caplog):
    kie = servers[1]
    broken = Recording(tmp_path / "no" / ANSWERS)
    (tmp_path / "no").write_text("a file where a folder should be")
    client = Client(kie.url, kie.url, "stub-key", heard=broken)
    assert client.credits() == 100_000 and "could not be kept" in caplog.text
    client.close()


@pytest.mark.parametrize("on", ["0", "1"])
def test_kies_answers_are_recorded_only_if_it_is_switched_on(start_bot, tmp_path, on):
    bot = start_bot(DATA_DIR=str(tmp_path), KIE_RECORD=on)
    order(bot, bot.rich())
    bot.forward(30)
    calls = [row["call"] for row in kept(tmp_path)]
    assert ("POST /api/v1/jobs/createTask" in calls) is ("GET /api/v1/jobs/recordInfo" in calls) is (on == "1")


@pytest.fixture
def packed(start_bot, tmp_path):
    """Return a function that makes a bundle and returns {name: text}."""

    def pack(**settings):
        bot = start_bot(DATA_DIR=str(tmp_path), KIE_RECORD="1", **SECRETS | settings)
        bot.admin()
        order(bot, bot.rich("Anna-Private"))
        bot.forward(30)
        reason = f'File "/srv/somebody/bot/core/bot.py"\nValueError: {TOKEN} for {BOSS} at https://a.example/secret whsec-very-private'
        bot.bot.error_reports.keep(reason, bot.clock.now())
        (tmp_path / "rehearsal.json").write_text('{"format": 1}\n')
        lines = list(bundle.run(bot.bot, None))
        path = next(tmp_path.glob("bundle-*.tar.gz"))
        assert str(path) in lines[0] and stat.S_IMODE(path.stat().st_mode) == 0o600
        with tarfile.open(path) as archive:
            return {entry.name: archive.extractfile(entry).read().decode() for entry in archive}

    return pack


def test_the_bundle_has_what_a_helper_needs(packed):
    parts = packed()
    assert set(parts) == {f"bundle/{name}" for name in
                          ("versions.json", "settings.txt", "health.txt", "errors.txt", ANSWERS, "rehearsal.json")}  # fmt: skip
    assert json.loads(parts["bundle/versions.json"])["libraries"]["peewee"]
    settings = parts["bundle/settings.txt"].splitlines()
    assert "KIE_RECORD: True" in settings and "USD_RATE: 90" in settings and "MARKUP: default" in settings
    assert any(line.startswith("KIE_WEBHOOK_KEY: set") for line in settings)
    assert "ok      database" in parts["bundle/health.txt"] and "migrations missing: none" in parts["bundle/health.txt"]
    assert 'File "core/bot.py"' in parts["bundle/errors.txt"] and "ValueError" in parts["bundle/errors.txt"]


def test_the_bundle_has_no_secret_and_no_person(packed):
    text = "\n".join(packed().values())
    for secret in (TOKEN, TOKEN.partition(":")[2], "stub-key", "whsec-very-private", "metrics-token-9", "my_private_name",
                   "2200 7700", "Private Bank", str(BOSS), "Anna-Private", "a.example", "/srv/somebody", "127.0.0.1"):  # fmt: skip
        assert secret not in text, secret


def test_doctor_makes_it_at_the_command_line(start_bot, tmp_path, capsys):
    bot = start_bot(DATA_DIR=str(tmp_path))
    assert main.command("bundle", None, bot.environ | {"DATABASE_URL": bot.url}, bot.clock) == 0
    assert "bundle-" in capsys.readouterr().out
