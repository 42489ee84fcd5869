"""Admin work as a conversation: who gets in, what they see, manual credits; none of its wording in a user's chat."""

import re

import pytest

from tests.kit import BOSS, png
from tests.shop import entries_of, order

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ADMIN_WORDS = re.compile(r"\b(KIE|admin|margin|markup|credits?|task|callback|quote|stub|API|HTTP|Traceback|None)\b")


def test_nobody_is_an_admin_unless_the_operator_says_so(start_bot):
    bot = start_bot(ADMIN_IDS="")
    boss = bot.admin()
    assert "Admin" not in boss.buttons
    for command in ("/admin", "/rate 5", "/user 1"):
        boss.send(command)
        assert "No such command" in boss.last
    boss.forge("admin:show")
    assert boss.toast == "This button is not for you."


def test_the_admin_menu_leads_to_every_tool_and_back(start_bot):
    bot = start_bot()
    boss = bot.admin()
    boss.send("/admin")
    tools = {label: data for label, data in boss.buttons.items() if data not in ("start:menu", "start:fresh")}
    assert len(tools) >= 6
    for label, data in tools.items():
        boss.send("/admin")
        screen = boss.last
        boss.forge(data)
        assert boss.last != screen or boss.toast, label
        assert not (boss.toast or "").startswith("This button"), label
        assert any(out.startswith(("admin:", "start:")) for out in boss.buttons.values()), f"{label} is a dead end"


def test_the_admin_menu_counts_what_has_happened(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich("Alice", "300")
    alice.forge("payments:pay:transfer:30000")
    alice.photo(png("proof"))
    order(bot, alice)
    bot.kie.fail_next()
    order(bot, alice, "another fox")
    bot.forward(120)
    boss.send("/admin")
    assert any("(1)" in label or " 1" in label for label in boss.buttons), boss.buttons
    assert "1" in boss.last and "₽" in boss.last


def test_money_by_hand_is_an_entry_with_its_reason_and_a_message(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user("Alice")
    alice.send("/start")
    user = bot.bot.users.by_telegram_id(alice.id).id
    boss.forge(f"users:credit:{user}")
    boss.send("150.50 sorry for the wait")
    confirm = next(data for data in boss.buttons.values() if data.startswith("users:ok"))
    boss.forge(confirm)
    boss.forge(confirm)
    assert entries_of(bot, alice) == [("admin", 15050)]
    assert "150.50 ₽" in alice.last and "sorry for the wait" in alice.last
    alice.send("/balance")
    assert "150.50 ₽" in alice.last


@pytest.mark.parametrize(
    "words", ["100", "-5 no", "0 nothing", "1e5000 x", "NaN x", "12.345 x", "much money", "9" * 20 + " x", "５ x x"]
)
def test_an_amount_that_is_none_moves_nothing(start_bot, words):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user("Alice")
    alice.send("/start")
    boss.forge(f"users:credit:{bot.bot.users.by_telegram_id(alice.id).id}")
    boss.send(words)
    assert not [data for data in boss.buttons.values() if data.startswith("users:ok")] or words.startswith("５")
    assert entries_of(bot, alice) == [] and len(boss.last) > 10


def test_more_cannot_be_taken_than_there_is(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich("Alice", "10")
    before = entries_of(bot, alice)
    boss.forge(f"users:debit:{bot.bot.users.by_telegram_id(alice.id).id}")
    boss.send("11 too much")
    boss.forge(next(data for data in boss.buttons.values() if data.startswith("users:ok")))
    assert entries_of(bot, alice) == before


def test_an_admin_cannot_be_blocked(start_bot):
    bot = start_bot()
    boss = bot.admin()
    boss.forge(f"users:block:{bot.bot.users.by_telegram_id(BOSS).id}")
    boss.send("by mistake")
    confirm = [data for data in boss.buttons.values() if data.startswith("users:ok")]
    for data in confirm:
        boss.forge(data)
    boss.send("/balance")
    assert "₽" in boss.last


def test_a_person_who_is_blocked_and_let_in_again(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user("Alice")
    alice.send("/start")
    user = bot.bot.users.by_telegram_id(alice.id).id
    act(boss, f"users:block:{user}", "spam")
    alice.send("/balance")
    assert "blocked here" in alice.last
    act(boss, f"users:unblock:{user}", "it was a mistake")
    alice.send("/balance")
    assert "0 ₽" in alice.last


def act(boss, data, reason):
    """Do something to a person: tap, give the reason, confirm."""
    boss.forge(data)
    boss.send(reason)
    boss.forge(next(data for data in boss.buttons.values() if data.startswith("users:ok")))


def test_a_person_is_found_by_id_name_and_username(start_bot):
    bot = start_bot()
    boss = bot.admin()
    bot.user("Aurelia", username="aurelia_k").send("/start")
    found = bot.user("Aurelia B.")
    found.send("/start")
    for words in (str(found.id), "@aurelia_k", "aurelia"):
        boss.send(f"/user {words}")
        assert "Aurelia" in str(boss.buttons) + boss.last, words
    boss.send("/user nobody of this name")
    assert "nobody of this name" in boss.last


def test_telegrams_menu_shows_everybody_their_own_commands(start_bot):
    bot = start_bot()
    bot.admin()
    bot.restart()
    menus = {}
    for call in bot.telegram.calls("setMyCommands"):
        scope = (call["params"].get("scope") or {}).get("chat_id")
        commands = call["params"]["commands"]
        menus[scope, call["params"].get("language_code")] = {
            command["command"]: command["description"] for command in commands
        }
    mine, theirs = menus[BOSS, None], menus[None, None]
    assert "admin" in mine and "admin" not in theirs and "start" in theirs and set(theirs) < set(mine)
    russian = menus[None, "ru"]
    assert set(russian) == set(theirs) and all(re.search("[а-я]", text) for text in russian.values())
    assert all(re.fullmatch(r"[a-z0-9_]{1,32}", name) and 1 <= len(text) <= 256 for name, text in mine.items())


@SQLITE
@pytest.mark.parametrize("lang", ["en", "ru"])
def test_admin_words_never_show_in_a_users_chat(start_bot, lang):
    bot = start_bot(FLOOD_MESSAGES="100000")
    bot.admin()
    alice = bot.rich("Anna", "300", language_code=lang)
    for name, entry in bot.bot.handlers["command"].items():
        if not entry.right:
            alice.send(f"/{name}")
    for trouble in (None, ("create", "400-moderation"), ("create", "402"), ("create", "500-validation")):
        if trouble:
            bot.kie.trouble(*trouble)
        alice.send("a fox in the snow")
        alice.forge("generate:open:z-image")
        alice.tap("orders:go")
        bot.forward(120, step=15)
    said = [m.get("text") or m.get("caption") or "" for m in alice.received]
    labels = [
        cell["text"]
        for m in alice.received
        for row in m.get("reply_markup", {}).get("inline_keyboard", [])
        for cell in row
    ]
    assert [(text, hit[0]) for text in [*said, *labels] if (hit := ADMIN_WORDS.search(text))] == []
