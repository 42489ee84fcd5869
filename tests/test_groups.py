"""Groups: the bot points to the private chat, shows no money, and leaves ordinary talk alone."""

import pytest

from tests.shop import entries_of, jobs_of, order


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
