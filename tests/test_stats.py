"""/stats: the picture, the numbers under it, and the files."""

import csv
import io

import pytest
import requests

from storage.base import db
from storage.orders import stats
from storage.people import users
from tests.kit import TOKEN
from tests.shop import order


def test_the_numbers_are_those_of_the_books(start_bot):
    bot = start_bot()
    alice = bot.rich("Alice", "50")
    alice.tap("🖼 Picture")
    alice.tap("Draft: Z-Image")
    alice.send("a fox")
    alice.tap("▶ Create")
    bot.forward(60)
    alice.send("/topup")
    alice.tap("100 ₽")
    alice.tap("⭐")
    alice.pay()
    boss = bot.admin()
    boss.send("/stats 7d")
    assert "photo" in boss.received[-2]
    text = boss.last
    assert "Stars 100 ₽" in text and "Spent 0.72 ₽" in text and "Orders 1 · done 100%" in text
    assert "cost 0.36 ₽" in text and "margin 0.36 ₽" in text and "Z-Image: 1 of 1" in text
    assert "correction: +50 ₽ (1)" in text and "#" not in text, (
        "money that is no income has its line, orders have theirs"
    )


def test_both_places_for_figures_have_the_same_cost_also_of_what_failed(start_bot):
    bot = start_bot()
    alice, boss = bot.rich("Alice", "50"), bot.admin()
    order(bot, alice)
    order(bot, alice, "a wolf")
    bot.forward(120)
    job = bot.bot.jobs.get(1)
    with db.connection():
        type(job).update(state="failed", charged=None).where(type(job).id == job.id).execute()
    boss.send("/admin")
    assert "cost 0.72 ₽" in boss.last and "spent 0.72 ₽" in boss.last
    boss.send("/stats 1d")
    assert "cost 0.72 ₽" in boss.last and "Spent 0.72 ₽" in boss.last and "done 50%" in boss.last


def test_days_of_credits_are_shown_only_where_they_say_something(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich("Alice", "50")
    order(bot, alice)
    bot.forward(60)
    boss.send("/admin")
    assert "credits" in boss.last and "≈" not in boss.last, "one cheap order a day would last for years"


def test_there_is_one_place_for_figures(start_bot):
    boss = start_bot().admin()
    boss.send("/admin")
    ways = [label for label, data in boss.buttons.items() if data.startswith(("stats:", "admin:"))]
    assert ways == ["Stats"]


def test_an_empty_bot_has_figures_too(start_bot):
    bot = start_bot()
    boss = bot.admin()
    boss.send("/stats 30")
    assert "Last 30 days" in boss.last
    assert not any("photo" in message for message in boss.received), "an empty picture says nothing"


def test_a_wrong_span_is_explained(start_bot):
    bot = start_bot()
    boss = bot.admin()
    for words in ("week", "0", "99999", "-7d"):
        boss.send(f"/stats {words}")
        assert "not a period" in boss.last or "9999" in boss.last


def test_csv_files_hold_every_row(start_bot):
    bot = start_bot()
    bot.rich("Алиса", "50")
    boss = bot.admin()
    boss.send("/stats 7d")
    for label in ("⬇ Transactions", "⬇ Orders", "⬇ People", "⬇ Top-ups"):
        boss.tap(label)
        assert boss.last_message["document"]["file_name"].endswith(".csv")
    since = bot.clock.now().replace(hour=0)
    who = (users.by_telegram_id(boss.id).id, bot.clock.now())
    rows = list(stats.export("users", since, *who))
    assert rows[0][0] == "id" and any("Алиса" in row for row in rows[1:])
    assert len(list(stats.export("entries", since, *who))) == 2


def test_a_user_sees_no_figures(start_bot):
    bot = start_bot()
    alice = bot.user()
    alice.send("/stats 7d")
    alice.forge("stats:show:7")
    assert "last 7" not in alice.last


def content_of(bot, person):
    """Return the newest file a person was sent, as text."""
    file_id = person.last_message["document"]["file_id"]
    path = requests.get(f"{bot.telegram.url}/bot{TOKEN}/getFile", params={"file_id": file_id}, timeout=10).json()[
        "result"
    ]
    return requests.get(f"{bot.telegram.url}/file/bot{TOKEN}/{path['file_path']}", timeout=10).content.decode(
        "utf-8-sig"
    )


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t=", " =", "＝"])
def test_a_name_is_no_formula_in_a_spreadsheet(start_bot, sign):
    bot = start_bot()
    bot.rich(f'{sign}HYPERLINK("http://evil","x")', "50")
    boss = bot.admin()
    boss.send("/stats 7d")
    boss.tap("⬇ People")
    cells = [cell for row in csv.reader(io.StringIO(content_of(bot, boss))) for cell in row]
    assert any("HYPERLINK" in cell for cell in cells)
    assert not [cell for cell in cells if cell.strip(" \t")[:1] in ("=", "+", "@", "＝")]


def test_amounts_stay_numbers_in_a_spreadsheet(start_bot):
    bot = start_bot()
    order(bot, bot.rich())
    boss = bot.admin()
    boss.send("/stats 7d")
    boss.tap("⬇ Transactions")
    assert ",-72,hold," in content_of(bot, boss)


def test_a_tap_is_answered_before_the_picture_is_drawn(start_bot):
    bot = start_bot()
    order(bot, bot.rich())
    bot.forward(60)
    boss = bot.admin()
    boss.send("/admin")
    boss.tap("Stats")
    names = [call["method"] for call in bot.telegram.calls() if call["method"] in ("answerCallbackQuery", "sendPhoto")]
    assert names[-2:] == ["answerCallbackQuery", "sendPhoto"]
