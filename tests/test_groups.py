"""Groups: the bot points to the private chat, shows no money, and leaves ordinary talk alone."""

import pytest

from storage.base import db
from storage.base.tables import Account, Entry, Person, User
from tests.shop import entries_of, jobs_of, order, user_of
from tests.till import pay_stars


def group_texts(group):
    """Return what the bot has said in a group."""
    return [message.get("text", "") for message in group.messages if message["_from_bot"]]


@pytest.fixture
def party(start_bot):
    """Return (bot, group, alice, bob): both have money, alice a finished order."""
    bot = start_bot()
    alice, bob = bot.rich("Alice", "777"), bot.rich("Bob", "555")
    order(bot, alice)
    bot.forward(90)
    return bot, bot.telegram.group("Friends", alice, bob), alice, bob


@pytest.mark.parametrize("command", ["/generate", "/start", "/balance", "/history", "/topup", "/models", "/cancel"])
def test_a_command_points_to_the_private_chat(party, command):
    bot, group, alice, _bob = party
    alice.send(command, group=group)
    said = group_texts(group)
    assert len(said) == 1 and "private" in said[0]
    buttons = [
        cell for m in group.messages for row in m.get("reply_markup", {}).get("inline_keyboard", []) for cell in row
    ]
    assert any(cell.get("url", "").startswith("https://t.me/") for cell in buttons)


def test_money_never_shows_in_a_group(party):
    bot, group, alice, _bob = party
    for name, entry in bot.bot.handlers["command"].items():
        if not entry.right:
            alice.send(f"/{name}", group=group)
    for route, entry in bot.bot.handlers["button"].items():
        alice.forge(":".join([route, *["1"] * len(entry.types)]), group=group)
    said = "\n".join(group_texts(group))
    assert "₽" not in said and "777" not in said and "balance" not in said.lower()


def test_a_command_for_another_bot_is_ignored(party):
    bot, group, alice, _bob = party
    alice.send("/start@other_bot", group=group)
    sender = {"id": alice.id, "is_bot": False, "first_name": "Alice"}
    chat = {"id": group.id, "type": "supergroup", "title": "Friends"}
    bot.telegram.update(message={"message_id": 77, "date": 1, "from": sender, "chat": chat, "text": "/start@other_bot"})
    assert group_texts(group) == []


def test_a_command_with_our_name_is_ours_however_it_is_written(party):
    bot, group, alice, _bob = party
    for name in (bot.bot.username, bot.bot.username.upper()):
        alice.send(f"/id@{name}", group=group)
    assert len(group_texts(group)) == 2 and str(alice.id) in group_texts(group)[0]


def test_ordinary_talk_is_left_alone(party):
    bot, group, alice, bob = party
    before = len(bob.received)
    alice.send(f"@{bot.bot.username} what do you think?", group=group)
    alice.send("hello all", group=group)
    alice.send("/nonsense", group=group)
    assert group_texts(group) == [] and len(bob.received) == before
    assert jobs_of(bot, bob) == []


def test_a_tap_in_a_group_is_answered_and_shows_nothing(party):
    bot, group, alice, bob = party
    alice.send("/generate", group=group)
    for person in (alice, bob):
        person.forge("balance:show", group=group)
        assert "private" in person.toast
    assert "₽" not in "\n".join(group_texts(group))


def test_a_card_cannot_be_driven_from_a_group(party):
    bot, group, alice, bob = party
    alice.send("a fox")
    alice.forge("generate:open:z-image")
    confirm = next(data for label, data in alice.buttons.items() if "Create" in label)
    alice.send("/generate", group=group)
    before = entries_of(bot, alice), entries_of(bot, bob)
    for person in (alice, bob):
        person.forge(confirm, group=group)
    assert (entries_of(bot, alice), entries_of(bot, bob)) == before


def test_what_is_said_in_a_group_is_no_prompt(party):
    bot, group, alice, _bob = party
    alice.send("/start")
    alice.forge("generate:open:z-image")
    alice.send(f"@{bot.bot.username} the secret plan", group=group)
    alice.forge("generate:card")
    assert "secret plan" not in alice.last


# people who have never opened the bot


def everybody():
    """Return how many rows of people there are."""
    with db.connection():
        return [table.select().count() for table in (User, Account, Person, Entry)]


@pytest.fixture
def crowd(start_bot):
    """Return (bot, group, boss, zoe): the boss is known, Zoe is not; a gift and free orders are to be had."""
    bot = start_bot(WELCOME_GIFT="30", FREE_MODELS="z-image", REFERRAL_HOLD_DAYS="0")
    boss, zoe = bot.admin(), bot.user("Zoe")
    return bot, bot.telegram.group("Friends", boss, zoe), boss, zoe


@pytest.mark.parametrize("command", ["/start", "/start rX", "/generate", "/balance", "/id", "/privacy"])
def test_a_stranger_gets_one_answer_with_the_link_and_is_no_row(crowd, command):
    bot, group, _boss, zoe = crowd
    before = everybody()
    zoe.send(command, group=group)
    said = group_texts(group)
    assert len(said) == 1 and "private" in said[0]
    assert f"https://t.me/{bot.bot.username}" in str(group.messages[-1]["reply_markup"])
    assert everybody() == before and zoe.received == []


def test_talk_and_taps_of_strangers_make_no_rows_and_no_noise(crowd):
    bot, group, boss, zoe = crowd
    boss.send("/generate", group=group)
    before, said = everybody(), group_texts(group)
    zoe.send(f"@{bot.bot.username} hello", group=group)
    zoe.send("/nonsense", group=group)
    zoe.send("/stats", group=group)
    zoe.forge("balance:show", group=group)
    assert "private" in zoe.toast
    zoe.forge("transfer:approve:1", group=group)
    assert "private" in zoe.toast
    assert everybody() == before and group_texts(group) == said


def test_a_flood_of_one_stranger_silences_no_other(crowd):
    _bot, group, boss, zoe = crowd
    for _ in range(40):
        zoe.send("/id", group=group)
    mia = crowd[0].user("Mia")
    other = crowd[0].telegram.group("Others", boss, mia)
    mia.send("/id", group=other)
    assert len(group_texts(other)) == 1


def test_an_owner_who_has_not_opened_the_bot_is_a_stranger_too(start_bot):
    bot = start_bot(ADMIN_IDS="5000000900,5000000899")
    oleg = bot.telegram.person("Oleg", id=5000000899, language_code="en")
    group = bot.telegram.group("Staff", bot.admin(), oleg)
    oleg.send("/here", group=group)
    assert "private" in group_texts(group)[-1] and user_of(bot, oleg) is None


def test_group_talk_spends_no_first_visit(crowd):
    bot, group, _boss, zoe = crowd
    alice = bot.user("Alice")
    alice.send("/invite")
    link = alice.buttons["Copy the link"]["text"].partition("?start=")[2]
    zoe.send("/start", group=group)
    zoe.send(f"/start {link}")
    assert "English" in str(zoe.buttons) and bot.balance(zoe) == 3000
    pay_stars(zoe)
    assert ("referral", 3_000) in entries_of(bot, alice)


def test_an_update_without_a_chat_makes_nobody_known(crowd):
    bot, _group, _boss, zoe = crowd
    before = everybody()
    person = {"id": zoe.id, "is_bot": False, "first_name": "Zoe", "language_code": "en"}
    bot.telegram.update(
        my_chat_member={
            "chat": {"id": zoe.id, "type": "private", "first_name": "Zoe"},
            "from": person,
            "date": 1,
            "old_chat_member": {"user": person, "status": "member"},
            "new_chat_member": {"user": person, "status": "kicked"},
        }
    )
    query = {"id": "7", "from": person, "currency": "XTR", "total_amount": 5, "invoice_payload": "1"}
    bot.telegram.update(pre_checkout_query=query)
    assert everybody() == before
