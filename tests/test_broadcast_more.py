"""What a broadcast can be: a picture that is no order, buttons of its own, and a time to go out."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from plugins.admin.broadcast_time import read
from storage.people import broadcasts
from tests.kit import png
from tests.shop import jobs_of

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def asked(bot, words="News"):
    """Return the admin with a draft, and a person."""
    boss, anna = bot.admin(), bot.user("Anna")
    anna.send("/start")
    boss.send("/broadcast")
    boss.send(words)
    return boss, anna


def send_now(bot, boss):
    """Confirm and send."""
    boss.tap("Send to")
    boss.tap("✓ Send to")
    bot.forward(30)


def test_a_picture_for_a_broadcast_is_taken_for_no_order(start_bot):
    bot = start_bot()
    boss, anna = bot.admin(), bot.user("Anna")
    anna.send("/start")
    boss.send("/broadcast")
    boss.photo(png("news"), caption="News!")
    assert "Broadcast #1" in boss.last and "photo" in boss.received[-2], "the message itself is the preview"
    send_now(bot, boss)
    assert anna.last == "News!" and "photo" in anna.last_message
    user = bot.bot.users.by_telegram_id(boss.id).id
    assert jobs_of(bot, boss) == [] and bot.bot.drafts.get(user, "generate", bot.clock.now()) is None


def test_six_buttons_go_out_below_the_message_and_the_preview_shows_them(start_bot):
    bot = start_bot()
    boss, anna = asked(bot)
    boss.tap("Buttons")
    boss.send(
        "Shop https://example.org/a\nNews | t.me/news\nAll models /models\nPay /topup\nE https://e.org\nF - https://f.org"
    )
    preview = next(m for m in boss.received if m.get("text") == "News" and "reply_markup" in m)
    assert [row[0]["text"] for row in preview["reply_markup"]["inline_keyboard"]] == [
        "Shop",
        "News",
        "All models",
        "Pay",
        "E",
        "F",
    ]
    send_now(bot, boss)
    assert anna.buttons["Shop"] == "https://example.org/a" and anna.buttons["News"] == "https://t.me/news"
    news = anna.last_message
    anna.tap("All models")
    assert anna.last_message["message_id"] > news["message_id"] and "Z-Image" not in news["text"]
    assert next(m for m in anna.received if m["message_id"] == news["message_id"])["text"] == "News", "it stays"
    anna.tap("Pay", message=news)
    assert "Top up" in anna.last
    boss.forge("broadcast:draft:1")
    boss.forge("under:none:1")
    assert broadcasts.get(1).links, "it has been sent"


@pytest.mark.parametrize("words", [
    "a https://a.org\n" * 7, "no address", "x" * 41 + " https://a.org", "Admin /admin", "Nothing /nothing", "JS javascript:alert(1)",
])  # fmt: skip
def test_what_is_no_button_is_said_so(start_bot, words):
    bot = start_bot()
    boss, _anna = asked(bot)
    boss.tap("Buttons")
    boss.send(words)
    assert broadcasts.get(1).links is None
    assert any(said in boss.last for said in ("One to 6 lines", "can’t be a button", "There is no command"))
    boss.send("Shop https://example.org")
    assert broadcasts.get(1).links, "one can write it again"
    boss.tap("Buttons")
    boss.tap("✕ No buttons")
    assert broadcasts.get(1).links is None


def test_a_forged_button_of_the_staffs_commands_opens_nothing(start_bot):
    anna = start_bot().user("Anna")
    anna.send("/start")
    for command in ("admin", "nothing"):
        anna.forge(f"under:open:{command}")
        assert "out of date" in anna.toast


def test_it_goes_out_at_its_time_also_after_a_restart_and_once(start_bot):
    bot = start_bot()
    boss, anna = asked(bot)
    boss.tap("Send to")
    boss.tap("🕓 Schedule")
    boss.send("12:30")
    assert "Send it 22 Nov, 12:30 to about 2 people?" in boss.last
    boss.tap("✓ Send 22 Nov, 12:30")
    assert "goes out 22 Nov, 12:30" in boss.last
    late = bot.user("Late")
    late.send("/start")
    bot.forward(1500, step=60)
    assert anna.last != "News"
    bot.restart()
    bot.forward(600, step=30)
    assert anna.last == "News" and late.last == "News", "to whoever belongs to the audience by then"
    assert sum(message.get("text") == "News" for message in anna.received) == 1
    boss.send("/audit")
    assert "broadcast scheduled" in boss.last


def test_its_time_can_be_taken_back_and_a_change_meanwhile_voids_the_confirmation(start_bot):
    bot = start_bot()
    boss, anna = asked(bot)
    boss.forge("later:ask:1")
    boss.send("12:30")
    yes = boss.buttons["✓ Send 22 Nov, 12:30"]
    boss.forge("broadcast:to:1:3")
    boss.forge(yes)
    assert broadcasts.get(1).state == "draft" and "changed" in boss.toast
    boss.forge("later:ask:1")
    boss.send("12:30")
    boss.tap("✓ Send 22 Nov, 12:30")
    boss.tap("✕ Unschedule")
    assert broadcasts.get(1).state == "draft" and "Send to" in str(boss.buttons)
    bot.forward(3600, step=120)
    assert anna.last != "News"


@SQLITE
@pytest.mark.parametrize("words", ["", "noon", "25:00", "31.02 10:00", "1.1.2020 10:00", "12.11.2027 10:00"])
def test_what_is_no_time_is_said_so(start_bot, words):
    bot = start_bot()
    boss, _anna = asked(bot)
    boss.forge("later:ask:1")
    boss.send(words or "-")
    assert "not a time within" in boss.last


def test_a_time_is_read_by_the_clock_of_its_writer():
    now, zone = datetime(2026, 11, 22, 12, 0, tzinfo=UTC), timezone(timedelta(hours=3))
    assert read("15:30", now, zone) == datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
    assert read("15:00", now, zone) == datetime(2026, 11, 23, 12, 0, tzinfo=UTC), "that is now: tomorrow"
    assert read("1.02 9:05", now, zone) == datetime(2027, 2, 1, 6, 5, tzinfo=UTC)
    assert read("24.12.2026, 18:30", now, zone) == datetime(2026, 12, 24, 15, 30, tzinfo=UTC)
