"""The operator's own texts: set in the chat by owners, previewed first, reset, kept; and files that override ours."""

import shutil
import subprocess
import sys

import pytest

from core.buttons import mark
from core.texts import Texts
from storage.backup import dump
from storage.base import db
from storage.base.tables import OwnText, Stored
from storage.journal import own_texts, runtime_settings
from tests.kit import ROOT, TOKEN
from tests.process import Process, environment, run
from tests.shop import user_of
from tools import translations

pytest.importorskip("plugins.admin.texts")
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
LOST, CHARGED = "common.unknown_command", "job.not_enough"  # without values; with an amount
FIRST = "Pardon?"


def card(boss, key, lang="en"):
    """Open the screen of one text."""
    boss.forge(f"texts:show:{mark(key)}:{lang}")


def reword(boss, key, text, lang="en"):
    """Set a text in other words."""
    card(boss, key, lang)
    boss.send(text)
    boss.tap("✓ Use")


def nonsense(person):
    """Write a command there is not; return what the bot says."""
    person.send("/nonsense")
    return person.last


def test_a_text_is_found_by_its_words_seen_set_and_counts_at_once(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user("Alice")
    assert "No such command" in nonsense(alice)
    boss.send("/texts")
    boss.send("NO such command")
    assert "1 text with “NO such command”" in boss.last
    boss.tap("No such command")
    assert "common.unknown_command · English" in boss.last and "No such command. The full list: /help" in boss.last
    boss.send("<b>Pardon?</b> Here you are")
    assert "This is how it will look:\n\nPardon? Here you are" in boss.last
    assert "No such command" in nonsense(alice), "it was only seen"
    boss.tap("✓ Use", boss.messages[-1]["message_id"])
    assert "Pardon? Here you are" in nonsense(alice)
    bot.restart()
    assert "Pardon? Here you are" in nonsense(alice)


def test_a_text_is_found_by_its_key_and_in_another_language(start_bot):
    boss = start_bot().admin()
    boss.send(f"/texts {LOST}")
    assert "1 text with" in boss.last
    boss.send("Такой команды")
    boss.tap("texts:show")
    assert "· Русский" in boss.last
    boss.tap("Español")
    assert "· Español" in boss.last
    boss.send("/texts xyzzy")
    assert "No text has “xyzzy”" in boss.last


def test_long_lists_have_pages_and_a_card_leads_back_to_its_own(start_bot):
    boss = start_bot().admin()
    boss.send("/texts balance")
    first = list(boss.buttons)
    boss.tap("›")
    second = list(boss.buttons)
    assert first != second and any("2/" in label for label in second)
    boss.tap(second[0])
    boss.tap("‹ Back")
    assert list(boss.buttons) == second


def test_ways_back_lead_to_the_original_and_to_the_one_before(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user("Alice")
    reword(boss, LOST, "First")
    assert "↶ The one before" not in boss.buttons
    reword(boss, LOST, "Second")
    assert nonsense(alice) == "Second"
    boss.tap("↶ The one before")
    assert nonsense(alice) == "First"
    boss.tap("↺ The original")
    assert "No such command" in nonsense(alice)
    assert "↺ The original" not in boss.buttons
    boss.tap("↶ The one before")
    assert nonsense(alice) == "First"
    boss.send("/texts")
    boss.tap("✏ Changed here: 1")
    assert "✏ en First" in boss.buttons


def test_an_old_screen_changes_nothing(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user("Alice")
    card(boss, LOST)
    boss.send("First")
    use = boss.buttons["✓ Use"]
    boss.forge(use)
    undo = boss.buttons["↺ The original"]
    boss.forge(use)
    assert "out of date" in boss.toast
    reword(boss, LOST, "Second")
    boss.forge(undo)
    assert "changed in the meantime" in boss.toast
    assert nonsense(alice) == "Second"


WRONG = {
    "Send { more": "A brace has no partner",
    "Send {summe}": "not known here",
    "Send {lacking}": "not known here",  # without its format it would be in kopecks
    "Send {} more": "not known here",
    "Send <b>more": "A tag is not closed",
    "Send <u>more</u>": "A tag is not closed",
    "x" * 801: "Too long: 801 characters, and at most 800",
    "<b></b>": "It would look empty",
}


@SQLITE
@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_said_with_what_the_text_is_given_and_can_be_sent_again(start_bot, text):
    boss = start_bot().admin()
    card(boss, CHARGED)
    assert "{lacking:money}" in boss.last
    boss.send(text)
    assert WRONG[text] in boss.last and "Filled in by the bot: {lacking:money}" in boss.last
    boss.send("Another {lacking:money}, please")
    assert "Another 123 ₽, please" in boss.last


@SQLITE
def test_a_commands_description_is_short_and_reaches_telegrams_menu(start_bot):
    bot = start_bot()
    boss = bot.admin()
    card(boss, "help.about")
    boss.send("x" * 257)
    assert "at most 256" in boss.last
    reword(boss, "help.about", "What I can do")
    assert menu_of(bot)["help"] == "What I can do"
    bot.restart()
    assert menu_of(bot)["help"] == "What I can do"


def menu_of(bot):
    """Return everybody's command menu, as Telegram was last told."""
    sent = [call["params"] for call in bot.telegram.calls("setMyCommands")]
    default = [params for params in sent if not params.get("language_code") and not params.get("scope")]
    commands = default[-1]["commands"]
    import json

    commands = json.loads(commands) if isinstance(commands, str) else commands
    return {one["command"]: one["description"] for one in commands}


@SQLITE
def test_a_long_text_in_place_of_a_short_one_is_warned_of(start_bot):
    boss = start_bot().admin()
    card(boss, "common.menu")
    boss.send("⌂ Back to the very first screen")
    assert "a phone shows about 24 characters" in boss.last


@SQLITE
def test_a_text_with_plural_forms_says_where_it_is_changed(start_bot):
    boss = start_bot().admin()
    card(boss, "job.too_many")
    assert "changed in a file: texts/en/" in boss.last
    boss.forge(f"texts:show:{mark('no.such')}:en")
    assert "out of date" in boss.toast


@pytest.mark.parametrize("role", ["admin", "cashier", None])
@SQLITE
def test_only_owners_reach_it(start_bot, role):
    from storage.people import users

    bot = start_bot()
    boss, sam = bot.admin(), bot.user("Sam")
    sam.send("/start")
    users.change(user_of(bot, sam), role=role)
    sam.send("/texts")
    assert "No such command" in sam.last
    for data in (
        "texts:find",
        "texts:list:0",
        f"texts:show:{mark(LOST)}:en",
        "texts:use:1:1",
        f"texts:back:{mark(LOST)}:en:1",
    ):
        sam.forge(data)
        assert "not for you" in sam.toast
    assert boss


def test_a_backup_carries_them_to_the_other_kind_of_database(start_bot, tmp_path, request, database_url):
    bot = start_bot()
    boss = bot.admin()
    reword(boss, LOST, FIRST)
    reword(boss, LOST, "Second")
    dump.write(bot.url, tmp_path / "b.gz", bot.clock.now())
    bot.stop()
    sqlite = f"sqlite:///{tmp_path}/other.db"
    bot.url = request.getfixturevalue("postgres")() if database_url.startswith("sqlite") else sqlite
    bot.environ["DATABASE_URL"] = bot.url
    dump.restore(tmp_path / "b.gz", bot.url)
    db.disconnect()
    bot.start()
    assert nonsense(bot.user("Alice")) == "Second"
    card(boss, LOST)
    assert {"↺ The original", "↶ The one before"} <= set(boss.buttons)


def test_another_copy_has_them_with_its_settings(start_bot):
    bot = start_bot()
    boss = bot.admin()
    before = own_texts.in_force()
    assert not before and own_texts.in_force() is before
    reword(boss, LOST, FIRST)
    kept = own_texts.in_force()
    assert kept == {("en", LOST): FIRST} and own_texts.in_force() is kept
    with db.transaction():  # as another copy does
        OwnText.update(text="Theirs").execute()
        Stored.update(value="another").where(Stored.name == own_texts.CHANGED).execute()
    assert nonsense(bot.user("Alice")) == FIRST
    runtime_settings.forget()  # every two seconds where copies work together
    assert nonsense(bot.user("Alice")) == "Theirs"


def test_two_owners_at_once_are_decided_by_the_row(start_bot):
    bot = start_bot()
    boss, now = bot.admin(), bot.clock.now()
    me = user_of(bot, boss).id
    assert own_texts.put("en", LOST, "a", 0, now=now, actor=me)
    assert not own_texts.put("en", LOST, "b", 0, now=now, actor=me)
    assert not own_texts.put("en", LOST, "b", 7, now=now, actor=me)
    assert not own_texts.step_back("en", LOST, 1, now=now, actor=me), "there was none before"
    assert own_texts.put_back("en", LOST, 1, now=now, actor=me)
    assert not own_texts.put_back("en", LOST, 2, now=now, actor=me), "it is back already"
    assert own_texts.in_force() == {}


def test_an_update_asks_for_no_text(start_bot, request):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user("Alice")
    alice.send("/start")
    reword(boss, LOST, FIRST)
    nonsense(alice)
    asked = statements(request)
    nonsense(alice)
    assert asked and not [sql for sql in asked if "own_text" in sql]


def statements(request):
    """Collect the statements that peewee makes from here on."""
    import logging

    found, logger = [], logging.getLogger("peewee")

    class Keep(logging.Handler):
        def emit(self, record):
            found.append(str(record.msg))

    handler, level = Keep(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    request.addfinalizer(lambda: (logger.removeHandler(handler), logger.setLevel(level)))
    return found


# after an upgrade


@pytest.fixture
def folder(tmp_path):
    """A copy of the texts, to be changed."""
    return shutil.copytree(ROOT / "data" / "texts", tmp_path / "ours")


def upgrade(folder, old, new):
    """Change a piece of the core's texts in every language."""
    for path in folder.glob("*/core.po"):
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")


@SQLITE
def test_a_text_that_fits_no_more_gives_way_is_logged_once_and_shows_in_doctor(start_bot, folder, caplog):
    bot = start_bot(texts=folder)
    boss = bot.admin()
    reword(boss, CHARGED, "Another {lacking:money}!")
    assert "own texts" in {name for name, key, _values in bot.bot.examine() if key is None}
    bot.stop()
    upgrade(folder, "{lacking:money}", "{missing:money}")
    bot.start()
    texts = bot.bot.texts
    for _time in range(2):
        assert texts.plain("en", CHARGED, missing=500).startswith("You’re 5 ₽ short")
    told = [record for record in caplog.records if "job.not_enough in en does not fit" in record.getMessage()]
    assert len(told) == 1
    assert {name: values for name, key, values in bot.bot.examine() if key == "texts.odd"}["own texts"]["n"] == 1
    card(boss, CHARGED)
    assert "no longer works here" in boss.last
    boss.tap("↺ The original")
    assert "texts.odd" not in {key for _name, key, _values in bot.bot.examine()}


@SQLITE
def test_a_text_whose_key_is_gone_can_be_taken_away(start_bot, folder):
    bot = start_bot(texts=folder)
    boss = bot.admin()
    reword(boss, "act.quiet_off", "less")
    bot.stop()
    upgrade(folder, '"act.quiet_off"', '"act.noisy"')
    bot.start()
    boss.send("/texts")
    boss.tap("✏ Changed here: 1")
    boss.tap("✏ en less")
    assert "does not use this text any more" in boss.last
    boss.tap("↺ The original")
    assert "Every text is the original" in boss.last


# files


def own(tmp_path, text, lang="en", name="mine.po"):
    """Write a file of the operator's own words; return their folder."""
    path = tmp_path / "texts" / lang / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return tmp_path / "texts"


def pair(key, text):
    """Return a message of a .po file."""
    return f'msgid "{key}"\nmsgstr "{text}"\n'


@SQLITE
def test_a_file_lies_over_ours_and_the_chat_over_the_file(start_bot, tmp_path):
    own(tmp_path, pair(LOST, "From the file"))
    bot = start_bot(DATA_DIR=str(tmp_path))
    boss, alice = bot.admin(), bot.user("Alice")
    assert nonsense(alice) == "From the file"
    reword(boss, LOST, "From the chat")
    assert nonsense(alice) == "From the chat"
    boss.tap("↺ The original")
    assert nonsense(alice) == "From the file"


def test_a_file_may_change_plural_forms_and_leave_a_value_out(tmp_path):
    plural = (
        'msgid "job.too_many"\nmsgid_plural "job.too_many"\nmsgstr[0] "Wait for {n}."\nmsgstr[1] "Wait for them."\n'
    )
    texts = Texts(ROOT / "data" / "texts", own=own(tmp_path, plural + pair(CHARGED, "Too little")))
    texts.check()
    assert [texts.plain("en", "job.too_many", n=n) for n in (1, 2)] == ["Wait for 1.", "Wait for them."]
    assert texts.plain("en", CHARGED, lacking=5) == "Too little"
    assert texts.given(CHARGED) == ["lacking:money"], "what it is given does not change"


FAULTS = {
    'msgid "common.lots"\nmsgstr "Pardon?"\n': "mine.po, line 1: there is no text 'common.lots'; the nearest is common.lost",
    pair(CHARGED, "Another {summe}"): "job.not_enough fills in summe; it is given lacking:money",
    pair(LOST, "Pardon {"): "line 1: common.unknown_command has a lone brace",
    pair(LOST, "<b>Pardon"): "has a tag that is not closed",
    pair("job.too_many", "Wait"): "job.too_many has other forms; want msgid_plural",
    'msgid "common.lost"\nmsgstr "Pardon?\n': "mine.po, line 2: want msgid",
}


@pytest.mark.parametrize("fault", FAULTS, ids=FAULTS.values())
def test_a_wrong_file_of_the_operators_stops_the_start_and_says_where(tmp_path, fault):
    own(tmp_path, fault)
    code, said = run(TELEGRAM_BOT_TOKEN=TOKEN, KIE_STUB="1", DATA_DIR=str(tmp_path))
    assert code == 2 and FAULTS[fault] in said and "Traceback" not in said
    assert str(tmp_path / "texts" / "en" / "mine.po") in said


def test_words_in_a_language_there_is_not_stop_the_start(tmp_path):
    own(tmp_path, pair(LOST, "Wie bitte?"), lang="de")
    code, said = run(TELEGRAM_BOT_TOKEN=TOKEN, KIE_STUB="1", DATA_DIR=str(tmp_path))
    assert code == 2 and "there is no language 'de'; there are en, es, ru" in said


def test_a_right_file_of_the_operators_is_what_the_process_says(servers, tmp_path):
    telegram, kie = servers
    telegram.call("POST", "/clock", json={"real": True})
    own(tmp_path, pair(LOST, "From the file"))
    process = Process(telegram, kie, tmp_path)
    try:
        process.wait_for("is ready")
        alice = telegram.person("Alice", language_code="en")
        alice.send("/nonsense")
        alice.wait_for("From the file")
    finally:
        process.kill()


# translations, at the command line


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of what `python bot.py texts` needs, to write into."""
    root = tmp_path_factory.mktemp("checkout")
    shutil.copy(ROOT / "bot.py", root)
    for name in ("core", "kie", "storage", "tools", "data/texts"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "stub"))
    return root


def texts_command(checkout, *arguments):
    """Run `python bot.py texts …` in the copy; return (exit code, what it wrote)."""
    done = subprocess.run(
        [sys.executable, "bot.py", "texts", *arguments],
        cwd=checkout,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_new_language_has_every_key_empty_and_its_own_plural_forms(checkout):
    code, said = texts_command(checkout, "new", "pl")
    assert code == 0 and "wrote" in said
    files = {path.relative_to(checkout / "data/texts/en") for path in (checkout / "data/texts/en").rglob("*.po")}
    assert {
        path.relative_to(checkout / "data/texts/pl") for path in (checkout / "data/texts/pl").rglob("*.po")
    } == files
    core = (checkout / "data/texts/pl/core.po").read_text(encoding="utf-8")
    assert "nplurals=3" in core and "#. ⌂ Menu" in core and 'msgstr[2] ""' in core
    assert texts_command(checkout, "new", "pl")[0] == 1
    code, said = texts_command(checkout, "check")
    assert code == 1 and "pl: missing     common.menu" in said and "ru: missing" not in said
    shutil.rmtree(checkout / "data/texts/pl")
    assert texts_command(checkout, "check") == (0, "0 findings in en, es, ru\n")


@pytest.mark.parametrize("lang", ["xx", "deu", "DE", "../x", "en"])
def test_a_language_that_cannot_be_begun_is_refused_in_one_sentence(checkout, lang):
    before = sorted(path.name for path in (checkout / "data/texts").iterdir())
    code, said = texts_command(checkout, "new", lang)
    assert code == 1 and len(said.splitlines()) == 1 and "Traceback" not in said
    assert sorted(path.name for path in (checkout / "data/texts").iterdir()) == before


@pytest.mark.parametrize("arguments", [(), ("new",), ("check", "de"), ("renew", "de")])
def test_a_command_that_is_half_said_is_told_how_it_goes(checkout, arguments):
    code, said = texts_command(checkout, *arguments)
    assert code == 2 and "check says what translations lack" in said


def test_what_translations_have_in_vain_or_otherwise_is_listed(checkout):
    path = checkout / "data/texts/ru/zzz.po"
    path.write_text(pair("zzz.old", "old"), encoding="utf-8")
    core = checkout / "data/texts/es/core.po"
    kept = core.read_text(encoding="utf-8")
    core.write_text(kept.replace("{lacking:money}", "{lacking}"), encoding="utf-8")
    code, said = texts_command(checkout, "check")
    assert code == 1 and "ru: unused      zzz.old" in said
    assert "es: mismatched  job.not_enough fills in {lacking}; en fills in {lacking:money}" in said
    core.write_text(kept.replace("{lacking:money}", "{"), encoding="utf-8")
    code, said = texts_command(checkout, "check")
    assert code == 1 and "lone brace" in said and "Traceback" not in said
    core.write_text(kept, encoding="utf-8")
    path.unlink()


@SQLITE
def test_a_language_that_is_only_begun_works_in_the_default_and_counts_as_it_does(start_bot, folder):
    list(translations.begin(folder, "de"))
    path = folder / "de" / "core.po"
    path.write_text(
        path.read_text(encoding="utf-8").replace('"common.menu"\nmsgstr ""', '"common.menu"\nmsgstr "⌂ Menü"'),
        encoding="utf-8",
    )
    bot = start_bot(texts=folder)
    anna, boss = bot.user("Anna", language_code="de"), bot.admin()
    assert "No such command" in nonsense(anna) and "⌂ Menü" in anna.buttons
    anna.send("/balance")
    assert "0 ₽" in anna.last
    assert bot.bot.texts.plain("de", "job.too_many", n=2).startswith("2 orders")
    reword(boss, LOST, "Wie bitte?", lang="de")
    assert nonsense(anna) == "Wie bitte?"


@SQLITE
def test_formatting_made_in_telegram_counts_as_tags(start_bot):
    boss = start_bot().admin()
    card(boss, LOST)
    entities = [
        {"type": "bold", "offset": 0, "length": 9},
        {"type": "italic", "offset": 3, "length": 6},
        {"type": "code", "offset": 11, "length": 5},
        {"type": "bold", "offset": 17, "length": 2},
        {"type": "italic", "offset": 17, "length": 2},
        {"type": "url", "offset": 0, "length": 2},
    ]
    boss.send("🦊 Pardon? /help ok", entities=entities)
    boss.tap("✓ Use")
    assert "<b>🦊 <i>Pardon</i></b>? <code>/help</code> <b><i>ok</i></b>" in boss.last


@SQLITE
def test_what_is_copied_from_a_message_finds_its_text(start_bot):
    boss = start_bot().admin()
    boss.send("/texts You’re 12.50 ₽ short. Your order is waiting here.")
    assert any("short. Your order" in label for label in boss.buttons)
    boss.send("xyzzy plugh menu")
    assert "No text has" in boss.last
