"""/mydata: everything stored about a person, in one file, and nothing about anybody else."""

import json

import pytest
import requests

from core.tables import ForeignKeyField, IdField, Table, TextField, User
from demo.kit import RawBot
from storage.base import db, schema
from tests.kit import TOKEN, png
from tests.shop import order, texts, user_of
from tests.till import open_card, pay_stars, transfer

pytest.importorskip("plugins.mydata")


class Diary(Table):
    """A table as some plugin has it."""

    id = IdField()
    writer = ForeignKeyField(User)
    text = TextField()

    class Meta:
        table_name = "plugin_diary"


def file_of(bot, person):
    """Return the newest file a person was sent, as what stands in it."""
    message = [message for message in person.received if "document" in message][-1]
    path = RawBot(bot.telegram.url, TOKEN)("getFile", file_id=message["document"]["file_id"])["file_path"]
    return message, requests.get(f"{bot.telegram.url}/file/bot{TOKEN}/{path}", timeout=10).json()


def test_the_file_has_everything_of_the_person_and_nothing_of_others(start_bot):
    bot = start_bot(WELCOME_GIFT="30")
    boss, alice = bot.admin(), bot.user("Alice Secret", username="alice_secret")
    alice.send("/start")
    pay_stars(alice)
    order(bot, alice, "a very secret fox")
    bot.forward(60)
    transfer(alice, picture=png("the screenshot"))
    boss.send("/newpromo SUMMER 100 50")
    alice.send("/promo SUMMER")
    open_card(boss, alice)
    boss.tap("📝 Note")
    boss.send("asks a lot")
    boss.tap("✓")
    bob = bot.rich("Bob Other")
    order(bot, bob, "a fox of Bob's")
    bot.forward(60)
    alice.send("/mydata")
    message, found = file_of(bot, alice)
    assert message["document"]["file_name"] == "mydata.json" and "Everything I know about you" in message["caption"]
    assert found["profile"]["telegram_id"] == alice.id and found["profile"]["first_name"] == "Alice Secret"
    assert found["balance"] == "429.28" and found["currency"] == "RUB"
    assert [(entry["kind"], entry["amount"]) for entry in found["balance_entries"]] == [
        ("gift", "30.00"), ("stars", "300.00"), ("hold", "-0.72"), ("capture", "0.00"), ("promo", "100.00"),
    ]  # fmt: skip
    assert found["orders"][0]["inputs"]["prompt"] == "a very secret fox" and found["orders"][0]["sent"]
    assert found["payments_in_stars"][0]["stars"] == 188 and found["payments"][1]["proof"]["file_id"]
    assert found["sketches_of_screenshots"][0]["grey_levels"]
    assert found["code_that_stays"]["hash"] == user_of(bot, alice).person
    assert found["code_that_stays"]["had_once"] == ["gift"]
    assert found["promo_codes"][0]["promo"] == "SUMMER"
    assert found["what_the_staff_noted"][-1]["words"] == "asks a lot"
    assert "Bob" not in json.dumps(found) and "Boss" not in json.dumps(found)


def test_the_caption_is_in_the_readers_language_and_the_next_file_comes_in_a_minute(start_bot):
    bot = start_bot()
    anna = bot.user("Анна", language_code="ru")
    anna.send("/privacy")
    anna.tap("Мои данные файлом")
    message, found = file_of(bot, anna)
    assert "Всё, что я о вас знаю" in message["caption"] and found["profile"]["first_name"] == "Анна"
    anna.send("/mydata")
    assert "Файл только что отправлен" in texts(anna)
    bot.forward(61)
    anna.send("/mydata")
    assert len([message for message in anna.received if "document" in message]) == 2


def test_rows_in_plugins_tables_are_in_it_and_go_by_the_fact(start_bot):
    bot = start_bot()
    alice, bob = bot.user(), bot.user("Bob")
    for person in (alice, bob):
        person.send("/start")
    schema.adopt(Diary)
    bot.bot.table(Diary, erase="delete")
    with db.transaction():
        Diary.create(writer=user_of(bot, alice).id, text="dear diary")
        Diary.create(writer=user_of(bot, bob).id, text="not hers")
    alice.send("/mydata")
    assert [row["text"] for row in file_of(bot, alice)[1]["plugin_diary"]] == ["dear diary"]


def test_every_table_of_people_is_in_the_file_or_is_known_to_have_nothing_of_theirs(start_bot):
    """A new table with a column of a user has to be thought of."""
    from peewee import ForeignKeyField as Foreign

    from storage.base import tables
    from storage.people import mydata

    named = {table for table, _columns in mydata.COLUMNS.values()}
    shaped = {
        tables.Account,
        tables.Charge,
        tables.Referral,
        tables.Promo,
        tables.Broadcast,
        tables.Words,
        tables.Source,
    }
    operators = {
        tables.Stored,
        tables.Overlay,
        tables.OwnText,
    }  # settings, the catalogue, texts: who changed them stands in the acts
    with_people = {
        table
        for table in tables.TABLES
        if any(isinstance(field, Foreign) and field.rel_model is User for field in table._meta.sorted_fields)
    }
    assert with_people <= named | shaped | operators


def test_a_forgotten_persons_notes_and_reminders_go_with_them(start_bot, tmp_path):
    """The plugins of docs/plugins.md listen to `user.erased`."""
    import shutil

    from tests.kit import ROOT

    plugins, words = tmp_path / "plugins", tmp_path / "texts"
    for source, target in ((ROOT / "plugins", plugins), (ROOT / "data" / "texts", words)):
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "docs" / "examples" / "plugins", plugins, dirs_exist_ok=True)
    shutil.copytree(ROOT / "docs" / "examples" / "texts", words, dirs_exist_ok=True)
    bot = start_bot(plugins=plugins, texts=words)
    alice, bob = bot.user(), bot.user("Bob")
    for person in (alice, bob):
        person.send("/note secret plans")
        person.send("/remind 600 secret cake")
    alice.send("/mydata")
    found = file_of(bot, alice)[1]
    assert [row["text"] for row in found["plugin_note"]] == ["secret plans"]
    assert [row["text"] for row in found["plugin_reminder"]] == ["secret cake"]
    alice.send("/deleteme")
    alice.tap("Yes, forget me")
    with db.connection() as connection:
        for table in ("plugin_note", "plugin_reminder"):
            assert connection.execute_sql(f"SELECT COUNT(*) FROM {table}").fetchone() == (1,)
