"""The first setup: asked, checked at once, written for the operator alone; whoever opens the link becomes the owner."""

import stat
import threading

import pytest

from core.process import leader_lock
from core.process.loops import Clock
from tests.kit import TOKEN, main
from tools import first_setup
from tools.database_commands import Failed


class Quick(Clock):
    """A clock whose waits are short; each of them lets `then` happen."""

    def __init__(self, then=lambda: None):
        self._then, self._passed = then, 0.0

    def monotonic(self):
        """Return the time as seconds, with what was waited."""
        return self._passed

    def sleep(self, seconds):
        """Let time pass."""
        self._passed += seconds
        self._then()
        threading.Event().wait(0.01)


class Talk:
    """What somebody answers, question by question, and what they are told."""

    def __init__(self, *answers):
        self.answers, self.told = list(answers), []

    def __call__(self, _question):
        """Return the next answer."""
        if not self.answers:
            raise EOFError
        return self.answers.pop(0)

    def have(self, terms):
        """Go through the setup; return what was said."""
        for line in first_setup.run(terms):
            self.told.append(line)
        return "\n".join(self.told)


@pytest.fixture
def terms(servers, tmp_path):
    """Return a function that makes the terms of a setup in which somebody answers so."""
    telegram, kie = servers

    def make(talk, then=lambda: None, **environ):
        places = {"TELEGRAM_API_URL": telegram.url, "KIE_API_URL": kie.url, "KIE_UPLOAD_URL": kie.url}
        places |= {"DATA_DIR": str(tmp_path / "var")} | environ
        return first_setup.Terms(places, tmp_path / ".env", Quick(then), talk, talk, "anna")

    return make


def code(talk):
    """Return the code of the link that was shown."""
    return next(line for line in talk.told if "?start=" in line).partition("?start=")[2]


def written(terms):
    """Return the settings that were written."""
    return dict(line.split("=", 1) for line in terms.path.read_text().splitlines() if line[:1] != "#")


def test_a_token_a_key_a_rate_and_whoever_opens_the_link_becomes_the_owner(servers, terms):
    anna, other = servers[0].person("Anna"), servers[0].person("Other")
    talk = Talk(TOKEN, "stub-key", "", "92,5", "no")

    def then():
        other.send("/start something")
        anna.send(f"/start {code(talk)}")

    found = terms(talk, then)
    said = talk.have(found)
    assert written(found) == {
        "TELEGRAM_BOT_TOKEN": TOKEN, "KIE_API_KEY": "stub-key", "USD_RATE": "92.5", "CURRENCY": "RUB",
        "ADMIN_IDS": str(anna.id),
    }  # fmt: skip
    assert f"Anna ({anna.id}) is the owner" in said and "credits" in said and TOKEN not in said
    assert stat.S_IMODE(found.path.stat().st_mode) == 0o600
    assert anna.last == "This bot is yours now. Go back to the terminal; the bot will answer here once it is running."
    assert not other.received
    assert servers[0].pending >= 2, "what people have written waits for the bot"
    environ = dict(found.environ) | written(found)
    assert main.build(environ, Clock(), threads=0).bot.settings["ADMIN_IDS"] == (anna.id,)


def test_without_a_key_the_stub_is_on_and_without_an_owner_the_line_is_empty(terms):
    talk = Talk(TOKEN, "", "eur", "", "")
    found = terms(talk)
    said = talk.have(found)
    assert written(found) == {
        "TELEGRAM_BOT_TOKEN": TOKEN, "KIE_STUB": "1", "USD_RATE": "", "CURRENCY": "EUR", "ADMIN_IDS": ""
    }  # fmt: skip
    assert "Nobody came" in said


def test_a_rate_in_place_of_the_currency_is_asked_again(terms, capsys):
    found = terms(Talk(TOKEN, "", "92,5", "usd", "92,5", "no"))
    found.ask.have(found)
    assert written(found)["CURRENCY"] == "USD" and written(found)["USD_RATE"] == "92.5"
    assert "want three letters such as RUB" in capsys.readouterr().err


def test_an_owner_who_cannot_be_told_is_the_owner_all_the_same(servers, terms, capsys):
    servers[0].fail_next("sendMessage", "403")
    anna = servers[0].person("Anna")
    talk = Talk(TOKEN, "", "", "", "no")
    found = terms(talk, lambda: anna.send(f"/start {code(talk)}"))
    talk.have(found)
    assert written(found)["ADMIN_IDS"] == str(anna.id) and "could not be told" in capsys.readouterr().err


def test_root_is_led_to_the_unit_that_runs_as_a_user_of_its_own(terms, tmp_path):
    found = terms(Talk(TOKEN, "", "", ""))
    found.user = "root"
    said = found.ask.have(found)
    assert "deploy/bot.service" in said and f"chown root:bot {found.path}" in said
    assert not (tmp_path / "bot.service").exists()


def test_what_does_not_hold_is_asked_again_and_in_the_end_nothing_is_written(servers, terms, capsys):
    servers[1].trouble("credit", "401", times=3)
    talk = Talk("no token", TOKEN, "wrong", "wrong", "wrong")
    found = terms(talk)
    with pytest.raises(Failed, match="nothing was written"):
        talk.have(found)
    assert not found.path.exists()
    told = capsys.readouterr().err
    assert "that is no token" in told and told.count("KIE refuses it") == 3


def test_a_token_that_telegram_refuses_is_said(servers, terms, capsys):
    servers[0].fail_next("getMe", "401", times=3)
    with pytest.raises(Failed):
        Talk(TOKEN, TOKEN, TOKEN).have(terms(Talk(TOKEN, TOKEN, TOKEN)))
    assert "Telegram refuses it (401)" in capsys.readouterr().err


def test_it_is_refused_while_another_program_polls_with_the_token(servers, terms):
    servers[0].fail_next("getUpdates", "409")
    talk = Talk(TOKEN, "", "", "")
    found = terms(talk)
    with pytest.raises(Failed, match="another program fetches the updates"):
        talk.have(found)
    assert not found.path.exists()


def test_it_is_refused_while_a_bot_leads_here(terms, tmp_path):
    (tmp_path / "var").mkdir()
    leader = leader_lock.FileLock(tmp_path / "var")
    assert leader.acquire()
    with pytest.raises(Failed, match="a bot is running here"):
        Talk().have(terms(Talk()))
    leader.release()


def test_a_file_that_is_there_is_never_touched(terms):
    found = terms(Talk())
    found.path.write_text("TELEGRAM_BOT_TOKEN=mine\n")
    with pytest.raises(Failed, match="is there already"):
        Talk().have(found)
    assert found.path.read_text() == "TELEGRAM_BOT_TOKEN=mine\n"


def test_a_service_unit_is_written_when_it_is_wanted(terms, tmp_path):
    talk = Talk(TOKEN, "", "", "", "y")
    said = talk.have(terms(talk))
    unit = (tmp_path / "bot.service").read_text()
    assert (
        "User=anna\n" in unit
        and f"WorkingDirectory={first_setup.ROOT}" in unit
        and "/opt/bot" not in unit
        and "systemctl enable" in said
    )
