"""Settings: every problem reported at once, misspelt names, defaults that work."""

import re
import socket
from decimal import Decimal

import pytest

import bot as main
from core import settings
from core.process.loops import Clock
from storage.base import db, schema
from tests.kit import ROOT, TOKEN
from tests.process import run
from tools import old_settings

LEAST = {"TELEGRAM_BOT_TOKEN": TOKEN, "KIE_API_KEY": "some-key"}
AT_HOME = {
    "TELEGRAM_API_URL": "http://127.0.0.1:1",
    "KIE_API_URL": "http://127.0.0.1:1",
    "KIE_UPLOAD_URL": "http://127.0.0.1:1",
}


def build(tmp_path, **more):
    """Return the settings of a bot built with the least that is needed, and `more`."""
    return main.build(LEAST | AT_HOME | {"DATA_DIR": str(tmp_path)} | more, Clock(), threads=0).bot.settings


def problems(tmp_path, **more):
    """Return the problems of a wrong start."""
    with pytest.raises(settings.SettingsError) as caught:
        build(tmp_path, **more)
    return caught.value.problems


def test_16_nothing_set_prints_the_four_lines_and_the_demo(tmp_path):
    code, said = run(folder=tmp_path)
    assert code == 2
    for name in ("TELEGRAM_BOT_TOKEN=", "KIE_API_KEY=", "ADMIN_IDS=", "USD_RATE="):
        assert name in said
    assert "--demo" in said and "Traceback" not in said
    assert "TELEGRAM_BOT_TOKEN: not set; want" in said and "KIE_API_KEY: not set" in said


def test_16_every_problem_is_shown_at_once_with_found_and_wanted(tmp_path):
    wrong = {
        "TELEGRAM_BOT_TOKEN": "no token",
        "ADMIN_IDS": "anna",
        "USD_RATE": "-3",
        "MARKUP": "0.5",
        "PORT": "http",
        "LOG_LEVEL": "LOUD",
        "PUBLIC_URL": "example.org",
        "DATABASE_URL": "mysql://x",
        "TOPUP_MIN": "0",
        "KIE_STUB": "maybe",
    }
    code, said = run(folder=tmp_path, **wrong)
    assert code == 2 and "Traceback" not in said
    for name in wrong:
        line = next((line for line in said.splitlines() if line.strip().startswith(f"{name}:")), "")
        assert "found" in line and "want" in line, (name, said)
    assert "'LOUD'" in said and "DEBUG or INFO or WARNING or ERROR" in said and "at least 1" in said


def test_16_a_secret_is_not_shown_even_when_it_is_wrong(tmp_path):
    _code, said = run(folder=tmp_path, TELEGRAM_BOT_TOKEN="12345:a b c secret", DATABASE_URL="mysql://u:hunter2@h/x")
    assert "secret" not in said and "hunter2" not in said and "(hidden)" in said


def test_16_the_least_environment_works(tmp_path):
    found = build(tmp_path)
    assert found["MARKUP"] == Decimal("2.0") and found["ADMIN_IDS"] == () and found["USD_RATE"] is None
    assert found["DATABASE_URL"] == f"sqlite:///{tmp_path}/bot.db"


@pytest.mark.parametrize("off", ["0", "false", "no", "", "  "])
def test_the_stub_is_off(tmp_path, off):
    assert not build(tmp_path, KIE_STUB=off)["KIE_STUB"]
    assert "KIE_API_KEY: not set" in "\n".join(problems(tmp_path, KIE_STUB=off, KIE_API_KEY=""))


@pytest.mark.parametrize("on", ["1", "true", "YES", "on"])
def test_the_stub_needs_no_key(tmp_path, on):
    assert build(tmp_path, KIE_STUB=on, KIE_API_KEY="")["KIE_STUB"]


def test_an_empty_value_is_the_default(tmp_path):
    assert build(tmp_path, MARKUP="", LOG_LEVEL=" ", TOPUP_AMOUNTS="")["MARKUP"] == Decimal("2.0")


@pytest.mark.parametrize(
    "slip", ["TELEGRAM_BOT_TOKENS", "USD_RATES", "ADMIN_ID", "STAR_RATE", "KIE_APIKEY", "LOGLEVEL"]
)
def test_a_slip_of_the_pen_is_named(tmp_path, slip):
    found = build(tmp_path, **{slip: "1"})
    assert slip in [stranger for stranger, _ours in found.unknown_names()]


def test_everyday_names_of_the_environment_are_no_slips(tmp_path):
    found = build(tmp_path, PATH="/bin", HOME="/root", LANG="C", TZ="UTC", PWD="/", USER="me", SHELL="sh", HOSTNAME="h")
    assert found.unknown_names() == []


def test_a_number_that_is_none_is_refused(tmp_path):
    for wrong in ("NaN", "Infinity", "1e999999999", "٣x", "0x10"):
        assert any(line.startswith("USD_RATE:") for line in problems(tmp_path, USD_RATE=wrong)), wrong


def test_a_plugin_to_leave_out_must_exist(tmp_path):
    line = next(line for line in problems(tmp_path, PLUGINS_OFF="starz") if line.startswith("PLUGINS_OFF:"))
    assert "starz" in line and "stars" in line


def test_the_webhook_needs_a_public_address(tmp_path):
    line = next(line for line in problems(tmp_path, BOT_MODE="webhook") if line.startswith("PUBLIC_URL:"))
    assert "BOT_MODE=webhook" in line and "want" in line


def test_the_demo_takes_no_real_token(tmp_path):
    code, said = run("--demo", folder=tmp_path, TELEGRAM_BOT_TOKEN=TOKEN, DATA_DIR=str(tmp_path))
    assert code == 2 and "TELEGRAM_BOT_TOKEN" in said and "Traceback" not in said


@pytest.mark.parametrize("port", ["http", "99999999"])
def test_a_wrong_port_of_the_demo_is_one_line(tmp_path, port):
    code, said = run("--demo", folder=tmp_path, DEMO_PORT=port, DATA_DIR=str(tmp_path))
    assert code == 2 and "DEMO_PORT: found" in said and "Traceback" not in said


@pytest.mark.parametrize("port", ["70000", "65536", "-1"])
def test_a_port_there_is_not_ends_the_start_with_what_is_wanted(tmp_path, port):
    code, said = run(folder=tmp_path, DATA_DIR=str(tmp_path), PORT=port, **LEAST | AT_HOME)
    assert code == 2 and f"PORT: found '{port}'; want a whole number, at least 0, at most 65535" in said


def test_port_0_is_off(tmp_path):
    assert build(tmp_path, PORT="0")["PORT"] == 0


@pytest.mark.parametrize("name", ["DEMO_PORT", "PORT"])
def test_a_port_that_is_taken_is_one_line(tmp_path, name):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        more = {"DEMO_PORT": port} if name == "DEMO_PORT" else LEAST | AT_HOME | {"PORT": port}
        arguments = ["--demo"] if name == "DEMO_PORT" else []
        code, said = run(*arguments, folder=tmp_path, DATA_DIR=str(tmp_path), **more)
    assert code == 2 and f"{name}: found" in said and port in said and "Traceback" not in said


@pytest.mark.parametrize("word", ["YES", " On ", "true"])
def test_every_word_for_on_starts_the_stub(word):
    assert main.wants_stub({"KIE_STUB": word}) and not main.wants_stub(
        {"KIE_STUB": word, "KIE_API_URL": "http://127.0.0.1:1"}
    )


def table_of(text):
    """Return {name: default} of the settings in the README's tables."""
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        names = re.findall(r"`([A-Z][A-Z0-9_]+)`", cells[0]) if len(cells) >= 3 else []
        shown = re.findall(r"`([^`]*)`", cells[1]) if names else []
        found |= dict(zip(names, shown if len(shown) == len(names) else [cells[1]] * len(names), strict=True))
    return found


def declared(tmp_path):
    """Return every declared setting by name."""
    return build(tmp_path).declared


def test_the_readme_names_every_setting_and_no_other(tmp_path):
    readme = table_of((ROOT / "README.md").read_text())
    assert set(declared(tmp_path)) - set(readme) == set()
    assert set(readme) - set(declared(tmp_path)) <= {"DEMO_PORT"}


def test_the_readme_shows_the_real_defaults(tmp_path):
    readme = table_of((ROOT / "README.md").read_text())
    for name, setting in declared(tmp_path).items():
        default = setting.default
        shown = (
            ",".join(map(str, default))
            if isinstance(default, tuple)
            else str(int(default) if isinstance(default, bool) else default)
        )
        assert readme[name] in (shown, "–", "empty", "off", "the real ones", "SQLite in DATA_DIR") or name in (
            "DATA_DIR",
            "DATABASE_URL",
        ), name
        if readme[name] in ("empty", "off", "–"):
            assert default in (None, "", 0, (), False), name


def test_the_first_table_has_at_most_fifteen_settings(tmp_path):
    first = table_of((ROOT / "README.md").read_text().split("<details>")[0])
    assert len(first) <= 15
    basic = {name for name, setting in declared(tmp_path).items() if not setting.advanced}
    assert basic <= set(first)


def test_env_example_has_only_settings_there_are_with_their_defaults(tmp_path):
    ours = declared(tmp_path)
    for line in (ROOT / ".env.example").read_text().splitlines():
        if match := re.fullmatch(r"(#?)([A-Z][A-Z0-9_]+)=(.*)", line):
            assert match[2] in ours, line
    written = re.findall(r"^#?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.M)
    assert written[:4] == ["TELEGRAM_BOT_TOKEN", "KIE_API_KEY", "ADMIN_IDS", "USD_RATE"]


# those who come from the predecessor

OLD_NAMES = {
    "BOT_TOKEN": ("1:secret-of-the-token", "write TELEGRAM_BOT_TOKEN= with the same value"),
    "TELEGRAM_TOKEN": ("1:secret-of-the-token", "write TELEGRAM_BOT_TOKEN= with the same value"),
    "ADMIN_ID": ("42", "write ADMIN_IDS=42"),
    "USD_TO_RUB": ("77.22", "write USD_RATE=77.22"),
    "PRICE_MULTIPLIER": ("2", "write MARKUP=2"),
    "PRICING_MARKUP": ("2", "write MARKUP=2"),
    "CREDIT_TO_RUB_RATE": ("0.4", "write USD_RATE=, the price of one US dollar"),
    "PAYMENT_PHONE": ("+79", "write TRANSFER_DETAILS=, the bank, the number and the name"),
    "PAYMENT_BANK": ("T", "write TRANSFER_DETAILS=, the bank, the number and the name"),
    "PAYMENT_CARD": ("1", "write TRANSFER_DETAILS=, the bank, the number and the name"),
    "PAYMENT_CARD_HOLDER": ("I", "write TRANSFER_DETAILS=, the bank, the number and the name"),
    "SUPPORT_TELEGRAM": ("@help", "write SUPPORT_CONTACT=@help"),
    "SUPPORT_TEXT": ("hi", "/texts"),
    "WEBHOOK_URL": ("https://x.example/hook", "write PUBLIC_URL=https://… without a path, and BOT_MODE=webhook"),
    "WEBHOOK_BASE_URL": ("https://x.example", "write PUBLIC_URL=https://… without a path, and BOT_MODE=webhook"),
    "WEBHOOK_SECRET_TOKEN": ("s", "the secret is made from the token"),
    "KIE_CALLBACK_URL": ("https://x.example/cb", "write PUBLIC_URL=https://… without a path"),
    "KIE_BASE_URL": ("https://api.kie.ai", "KIE_API_URL is set, so remove the line"),
    "STORAGE_MODE": ("json", "DATABASE_URL alone decides"),
    "STORAGE_DATA_DIR": ("/data", "write DATA_DIR=/data"),
    "NO_DATABASE_MODE": ("1", "DATABASE_URL alone decides"),
    "BOT_INSTANCE_ID": ("a", "a DATA_DIR or a DATABASE_URL of its own"),
    "WELCOME_BALANCE_RUB": ("10", "write WELCOME_GIFT=10"),
    "REDIS_URL": ("redis://x", "the database holds the lock"),
}


def test_each_old_name_is_answered_with_what_to_write_now_also_when_the_start_fails(tmp_path):
    environ = {name: value for name, (value, _answer) in OLD_NAMES.items()}
    code, said = run(folder=tmp_path, KIE_API_URL="http://127.0.0.1:1", **environ)
    assert code == 2 and "TELEGRAM_BOT_TOKEN: not set" in said and "secret-of-the-token" not in said
    for name, (_value, answer) in OLD_NAMES.items():
        (line,) = [line for line in said.splitlines() if line.strip().startswith(f"{name}:")]
        assert "an old name, not read here" in line and answer in line
    assert not [line for line in old_settings.answers(LEAST | AT_HOME)]


def test_an_old_name_is_no_slip_of_the_pen_as_well(tmp_path):
    found = build(tmp_path, ADMIN_ID="42")
    assert found.unknown_names(old_settings.NAMES) == []


GUARDS = [("DRY_RUN", "1"), ("DRY_RUN", "yes"), ("TEST_MODE", "true"), ("ALLOW_REAL_GENERATION", "0"),
          ("ALLOW_REAL_GENERATION", "false"), ("FAKE_KIE_MODE", "1"), ("DRY_RUN", "whatever")]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), GUARDS)
def test_a_guard_against_spending_refuses_to_start_rather_than_spend(tmp_path, name, value):
    (line,) = problems(tmp_path, **{name: value})
    assert line.startswith(f"{name}: found '{value}'; want KIE_STUB=1")
    assert build(tmp_path, KIE_STUB="1", **{name: value})["KIE_STUB"], "the stub spends nothing"


@pytest.mark.parametrize(
    ("name", "value"), [("DRY_RUN", "0"), ("TEST_MODE", "false"), ("ALLOW_REAL_GENERATION", "1"), ("DRY_RUN", " ")]
)
def test_a_guard_that_is_off_guards_nothing(tmp_path, name, value):
    assert not build(tmp_path, **{name: value})["KIE_STUB"]


def test_the_four_lines_are_printed_only_when_one_of_the_four_is_missing(tmp_path):
    four = LEAST | {"ADMIN_IDS": "1", "USD_RATE": "90"}
    code, said = run(folder=tmp_path, LOG_LEVEL="LOUD", **four)
    assert code == 2 and "LOG_LEVEL: found 'LOUD'" in said and "To begin" not in said
    for name in four:
        code, said = run(folder=tmp_path, LOG_LEVEL="LOUD", **{**four, name: ""})
        assert code == 2 and "To begin" in said


@pytest.mark.parametrize(
    ("text", "value"),
    [("92,5", "92.5"), ("92.5", "92.5"), ("0,125", "0.125"), ("1234,5", "1234.5"), ("92,1234", "92.1234")],
)
def test_a_decimal_comma_is_a_decimal_point(tmp_path, text, value):
    assert build(tmp_path, USD_RATE=text)["USD_RATE"] == Decimal(value)


@pytest.mark.parametrize("text", ["1,234", "1.234,50", "1,2,3", ",5,", "92, 5"])
def test_a_comma_that_may_be_something_else_is_refused(tmp_path, text):
    assert any(line.startswith("USD_RATE:") for line in problems(tmp_path, USD_RATE=text))


# the stub


class Hasty(Clock):
    """A clock that is in a hurry."""

    def sleep(self, seconds):
        """Wait for nothing."""


@pytest.mark.parametrize(("name", "argument"), [("doctor", None), ("catalog", "refresh")])
def test_the_stub_holds_for_every_command_and_no_other_machine_is_reached(
    tmp_path, telegram_server, capsys, name, argument
):
    environ = {
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_API_URL": telegram_server.url,
        "KIE_STUB": "1",
        "DATA_DIR": str(tmp_path),
    }
    db.connect(f"sqlite:///{tmp_path}/bot.db")
    schema.migrate()
    main.command(name, argument, environ, Hasty())
    told = capsys.readouterr()
    answer = {"doctor": "ok      kie", "catalog": "call frequency is too high"}  # the stub's own, to somebody so hasty
    assert answer[name] in told.out + told.err


@pytest.mark.parametrize("name", ["KIE_API_URL", "KIE_UPLOAD_URL"])
def test_a_stub_at_the_real_address_is_refused(tmp_path, name):
    address = {"KIE_API_URL": "https://api.kie.ai", "KIE_UPLOAD_URL": "https://kieai.redpandaai.co"}[name]
    (line,) = problems(tmp_path, KIE_STUB="1", **{name: address})
    assert line.startswith(f"{name}: found {address}, with KIE_STUB=1; want")


@pytest.mark.parametrize(
    "text", ["", "-----BEGIN PRIVATE KEY-----", "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----", "\xff"]
)
def test_a_certificate_is_a_file_with_one_and_without_its_key(tmp_path, text):
    (tmp_path / "it.pem").write_text(text, encoding="latin-1")
    (line,) = problems(tmp_path, WEBHOOK_CERTIFICATE=str(tmp_path / "it.pem"))
    assert "want a file with a certificate in PEM, without its key" in line
    (tmp_path / "it.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    assert build(tmp_path, WEBHOOK_CERTIFICATE=str(tmp_path / "it.pem"))["WEBHOOK_CERTIFICATE"]
