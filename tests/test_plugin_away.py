"""A missing plugin: its queue and its data wait, hurt nobody, survive backups, and are there when it returns."""

import re

import pytest

import bot as main
from storage.base import db, plugin_tables
from storage.journal import outbox
from tests.house import plugins_with
from tests.shop import user_of

NOTES = '''"""/note: keeps a note, and says so later."""

from core.tables import BigIntegerField, BooleanField, ForeignKeyField, IdField, JSONField, Table, TextField, User, UtcField, transaction


class Note(Table):
    """A note."""

    id = IdField()
    user = ForeignKeyField(User)
    text = TextField()
    is_open = BooleanField(default=True)
    size = BigIntegerField(null=True)
    tags = JSONField()
    made_at = UtcField()

    class Meta:
        table_name = "plugin_away_note"


def register(bot):
    """Declare the table and the commands."""
    bot.table(Note, erase="{erase}")
    bot.command("note", keep, about="common.menu")
    bot.page("/notes", lambda bot, leads, visit: list(Note.select().order_by(Note.id)))


def keep(ctx):
    """Keep a note."""
    with transaction():
        Note.create(user=ctx.user.id, text=ctx.args, tags={{"n": [1, None]}}, made_at=ctx.now)
    ctx.store.put("last", ctx.args)
    ctx.reply("common.menu")
'''
PO = 'msgid "zzz.later"\nmsgstr "It is later."\n'


@pytest.fixture
def houses(monkeypatch, tmp_path):
    """The parts of a bot with the plugin, and of one without it."""
    import shutil

    from tests.kit import ROOT

    with_it = plugins_with(monkeypatch, tmp_path, zzz=NOTES.format(erase="delete"))
    texts = tmp_path / "texts"
    shutil.copytree(ROOT / "data" / "texts", texts)
    (texts / "en" / "zzz.po").write_text('msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n' + PO)
    return {"plugins": with_it, "texts": texts}, {}


def change(bot, parts):
    """Start a bot again, with other parts."""
    bot.stop()
    bot._parts = parts
    bot.start()


def notes(bot):
    """Return the texts of the notes there are."""
    with db.connection():
        return [(note.text, note.tags, note.is_open) for note in bot.bot.pages["/notes"](bot.bot, True, None)]


@pytest.mark.parametrize("off", [False, True])
def test_what_it_has_queued_waits_apart_and_comes_when_it_is_back(start_bot, houses, off):
    with_it, without = houses
    bot = start_bot(**with_it)
    alice, bob = bot.user("Alice"), bot.rich("Bob")
    alice.send("/start")
    bot.bot.notify(user_of(bot, alice).id, "zzz.later", unique="zzz:1", now=bot.clock.now())
    if off:
        bot.environ["PLUGINS_OFF"] = "zzz"
    change(bot, with_it if off else without)
    bot.bot.notify(user_of(bot, bob).id, "common.menu", unique="bob", now=bot.clock.now())
    bot.forward(120)
    assert (
        outbox.apart() == 1 and "Menu" in bob.last and not any("later" in one.get("text", "") for one in alice.messages)
    )
    key, values = {name: (key, values) for name, key, values in bot.bot.examine()}["away"]
    assert key == "doctor.away" and values["n"] == 1
    bot.environ.pop("PLUGINS_OFF", None)
    change(bot, with_it)
    bot.forward(5)
    assert alice.last == "It is later." and outbox.apart() == 0


def other(request_url, tmp_path, request):
    """Return the address of an empty database of the other kind."""
    if request_url.startswith("sqlite"):
        return request.getfixturevalue("postgres")()
    return f"sqlite:///{tmp_path}/other.db"


def test_its_rows_survive_a_move_without_it_and_are_there_when_it_returns(start_bot, houses, tmp_path, request, capsys):
    with_it, without = houses
    bot = start_bot(**with_it)
    alice, bob = bot.user("Alice"), bot.user("Bob")
    for person, text in ((alice, "milk"), (bob, "bread"), (alice, "tea")):
        person.send(f"/note {text}")
    kept = notes(bot)
    change(bot, without)
    bot.stop()
    url = other(bot.url, tmp_path, request)
    code = main.command("move", url, bot.environ | {"DATA_DIR": str(tmp_path / "data")})
    assert code == 0, capsys.readouterr()
    bot.environ["DATABASE_URL"] = bot.url = url
    bot.start()
    assert plugin_tables.parked() == {"plugin_away_note": 3}
    bot.bot.privacy.erase(user_of(bot, bob).id, bot.clock.now())
    assert plugin_tables.parked() == {"plugin_away_note": 2}
    change(bot, with_it)
    assert notes(bot) == [one for one in kept if one[0] != "bread"] and plugin_tables.parked() == {}
    alice.send("/note salt")
    assert [text for text, _tags, _open in notes(bot)] == ["milk", "tea", "salt"]


def test_purge_removes_what_it_kept_after_a_backup_and_nothing_else(start_bot, houses, tmp_path, capsys):
    with_it, without = houses
    bot = start_bot(**with_it)
    alice = bot.user("Alice")
    alice.send("/note milk")
    bot.stop()
    settings = bot.environ | {"DATA_DIR": str(tmp_path / "data")}
    assert main.command("plugins", "purge zzz", settings) == 0, capsys.readouterr()
    assert "plugin_away_note" in capsys.readouterr().out and list((tmp_path / "data" / "backups").iterdir())
    assert main.command("plugins", "purge zzz", settings) == 1
    assert "nothing is kept for zzz" in capsys.readouterr().err
    assert main.command("plugins", "purge help", settings) == 1
    assert "is there and on" in capsys.readouterr().err
    bot._parts = with_it
    bot.start()
    assert notes(bot) == []


def test_the_list_names_every_plugin(start_bot, capsys):
    bot = start_bot(PLUGINS_OFF="promo")
    boss = bot.admin()
    boss.send("/plugins")
    assert "admin/alerts" in boss.last and "/audit" in boss.last
    bot.stop()
    assert main.command("plugins", None, bot.environ) == 0
    said = capsys.readouterr().out
    assert "admin/alerts" in said and [
        line for line in said.splitlines() if line.startswith("promo") and line.endswith("off")
    ]
    bot.start()


def test_the_list_says_what_a_plugin_adds_and_which_setting_it_waits_for(start_bot, tmp_path, capsys):
    (tmp_path / "watch.py").write_text(WATCH)
    (tmp_path / "streak.py").write_text(STREAK)
    bot = start_bot(PLUGINS_DIR=str(tmp_path))
    boss = bot.admin()
    boss.send("/plugins")
    assert f"streak · {tmp_path} · off: not set: STREAK_BONUS" in boss.last
    bot.stop()
    assert main.command("plugins", None, bot.environ) == 0
    lines = {line.split()[0]: line.partition(str(tmp_path))[2].strip() for line in capsys.readouterr().out.splitlines()}
    assert lines["watch"] == "2 listeners, 1 loop, 1 deep link, 1 result button"
    assert lines["streak"] == "off: STREAK_BONUS is not set"
    assert main.command("plugins", None, bot.environ | {"STREAK_BONUS": "5"}) == 0
    assert re.search(rf"^streak +{re.escape(str(tmp_path))} +1 command$", capsys.readouterr().out, re.M)
    bot.start()


WATCH = '''"""Watches."""


def register(bot):
    """Declare."""
    bot.on("job.failed", lambda bot, event, now: None)
    bot.on("job.lost", lambda bot, event, now: None)
    bot.every(3600, "watch", lambda bot, now: None)
    bot.deep_link("w", lambda ctx, rest: False)
    bot.under_result(90, lambda bot, job: [])
'''
STREAK = '''"""Waits for its setting."""


def register(bot):
    """Declare."""
    bot.setting("STREAK_MOST", int, default=7)
    if bot.setting("STREAK_BONUS", int, default=0):
        bot.command("streak", lambda ctx: ctx.reply("common.menu"))
'''
