"""Polls and quizzes on the local Bot API server: sent, voted in, closed, forwarded, and refused as Telegram does."""

import pytest

from demo.kit import BotCallFailed, RawBot, Telegram
from demo.server import start

COLOURS = [{"text": "Red"}, {"text": "Green"}, {"text": "Dark blue"}]


@pytest.fixture
def server():
    server = start()
    yield server
    server.stop()


@pytest.fixture
def bot(server):
    return RawBot(server.url, server.token)


@pytest.fixture
def telegram(server):
    return Telegram(server.url)


@pytest.fixture
def alice(telegram):
    return telegram.person("Alice")


def ask(bot, chat, **more):
    """Send a poll; return its Message."""
    return bot("sendPoll", **{"chat_id": chat.id, "question": "Which colour?", "options": COLOURS} | more)


def votes(poll):
    """Return the voters of each option, and of all."""
    return [option["voter_count"] for option in poll["options"]], poll["total_voter_count"]


def told(bot):
    """Return the bot's new updates about polls as (kind, content)."""
    return [(kind, one[kind]) for one in bot.updates() for kind in ("poll", "poll_answer") if kind in one]


def test_a_poll_is_what_the_documentation_says(bot, alice):
    sent = ask(bot, alice)["poll"]
    assert len(sent.pop("id")) > 8
    assert sent == {
        "question": "Which colour?",
        "options": [
            {"persistent_id": str(at), "text": one["text"], "voter_count": 0} for at, one in enumerate(COLOURS)
        ],
        "total_voter_count": 0,
        "is_closed": False,
        "is_anonymous": True,
        "type": "regular",
        "allows_multiple_answers": False,
        "allows_revoting": True,
        "members_only": False,
    }
    assert alice.last == "Which colour?"


def test_votes_of_nobody_are_told_as_the_polls_state_alone(bot, alice):
    poll = ask(bot, alice)["poll"]
    assert votes(alice.vote("Green")) == ([0, 1, 0], 1)
    assert votes(alice.vote("Dark")) == ([0, 0, 1], 1)
    assert votes(alice.vote()) == ([0, 0, 0], 0)
    updates = told(bot)
    assert [kind for kind, _content in updates] == ["poll"] * 3
    assert [votes(content)[0] for _kind, content in updates] == [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert {content["id"] for _kind, content in updates} == {poll["id"]}


def test_a_vote_with_a_name_is_told_with_it_and_taken_back(bot, alice):
    poll = ask(bot, alice, is_anonymous=False, allows_multiple_answers=True)["poll"]
    alice.vote("Dark blue", "Red")
    alice.vote()
    answers = [content for kind, content in told(bot) if kind == "poll_answer"]
    assert [(one["user"]["id"], one["option_ids"], one["option_persistent_ids"]) for one in answers] == [
        (alice.id, [0, 2], ["0", "2"]),
        (alice.id, [], []),
    ]
    assert {one["poll_id"] for one in answers} == {poll["id"]}


def test_the_same_vote_twice_is_no_news(bot, alice):
    ask(bot, alice)
    alice.vote("Red")
    alice.vote("Red")
    assert len(told(bot)) == 1


def test_what_the_apps_do_not_let_people_do_is_refused(bot, alice):
    ask(bot, alice)
    with pytest.raises(AssertionError, match="takes one answer"):
        alice.vote("Red", "Green")
    with pytest.raises(AssertionError, match="options of this poll are 0 to 2"):
        alice.vote(3)
    with pytest.raises(AssertionError, match="no option 'Pink'"):
        alice.vote("Pink")
    alice.send("hi")
    with pytest.raises(AssertionError, match="there is no poll"):
        alice.vote("Red", message=alice.messages[-1])
    assert told(bot) == []


def test_a_quiz_takes_one_vote_and_knows_the_answer(bot, alice):
    quiz = ask(
        bot, alice, type="quiz", correct_option_ids=[2], explanation="<b>Blue</b>", explanation_parse_mode="HTML"
    )
    poll = quiz["poll"]
    assert (poll["type"], poll["correct_option_ids"], poll["allows_revoting"]) == ("quiz", [2], False)
    assert poll["explanation"] == "Blue" and poll["explanation_entities"][0]["type"] == "bold"
    alice.vote("Red")
    for again in (("Dark blue",), ()):
        with pytest.raises(AssertionError, match="no second vote"):
            alice.vote(*again)
    assert ask(bot, alice, type="quiz", correct_option_id="1")["poll"]["correct_option_ids"] == [1]


def test_a_poll_is_stopped_once_and_takes_no_more_votes(bot, alice):
    sent = ask(bot, alice, reply_markup={"inline_keyboard": [[{"text": "x", "callback_data": "x"}]]})
    alice.vote("Red")
    told(bot)
    stopped = bot("stopPoll", chat_id=alice.id, message_id=sent["message_id"])
    assert stopped["is_closed"] and votes(stopped) == ([1, 0, 0], 1)
    assert told(bot) == [("poll", stopped)]
    assert alice.last_message["poll"]["is_closed"] and "reply_markup" not in alice.last_message
    with pytest.raises(AssertionError, match="closed"):
        alice.vote("Green")
    assert refused(bot, "stopPoll", chat_id=alice.id, message_id=sent["message_id"]) == "poll has already been closed"


@pytest.mark.parametrize("ending", [{"open_period": 600}, {"close_date": 600}])
def test_a_poll_ends_when_its_time_is_over(bot, telegram, alice, ending):
    telegram.set_time(1_800_000_000)
    if "close_date" in ending:
        ending = {"close_date": 1_800_000_600}
    assert ask(bot, alice, **ending)["poll"]["close_date"] == 1_800_000_600
    telegram.forward(599)
    assert told(bot) == []
    telegram.forward(1)
    assert [(kind, content["is_closed"]) for kind, content in told(bot)] == [("poll", True)]
    assert alice.last_message["poll"]["is_closed"]


def test_a_forwarded_poll_is_the_same_one_and_a_copy_begins_anew(bot, telegram, alice):
    bob = telegram.person("Bob")
    sent = ask(bot, alice)
    alice.vote("Red")
    there = {"from_chat_id": alice.id, "message_id": sent["message_id"], "chat_id": bob.id}
    assert votes(bot("forwardMessage", **there)["poll"]) == ([1, 0, 0], 1)
    assert votes(bob.vote("Red")) == ([2, 0, 0], 2)
    assert votes(alice.last_message["poll"]) == ([2, 0, 0], 2)
    assert (
        refused(bot, "stopPoll", chat_id=bob.id, message_id=bob.last_message["message_id"]) == "poll can't be stopped"
    )
    bot("copyMessage", **there)
    assert votes(bob.vote("Green")) == ([0, 1, 0], 1) and votes(alice.last_message["poll"]) == ([2, 0, 0], 2)


def test_people_of_a_group_vote_there(bot, telegram, alice):
    bob = telegram.person("Bob")
    group = telegram.group("Friends", alice, bob)
    ask(bot, group, is_anonymous=False)
    alice.vote("Red", group=group)
    assert votes(bob.vote(1, group=group)) == ([1, 1, 0], 2)


def refused(bot, method, **params):
    """Return why Telegram refuses a call."""
    with pytest.raises(BotCallFailed) as error:
        bot(method, **params)
    assert error.value.code == 400
    return error.value.description.removeprefix("Bad Request: ")


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"question": ""}, "poll question must be non-empty"),
        ({"question": "x" * 301}, "poll question length must not exceed 300"),
        ({"options": []}, "poll must have at least 1 option"),
        ({"options": [{"text": str(n)} for n in range(13)]}, "poll can't have more than 12 options"),
        ({"options": [{"text": "x"}, {"text": ""}]}, "poll options must be non-empty"),
        ({"options": [{"text": "x" * 101}]}, "poll options length must not exceed 100"),
        ({"type": "survey"}, "unsupported poll type specified"),
        ({"type": "quiz"}, "wrong correct option ID specified"),
        ({"type": "quiz", "correct_option_ids": [3]}, "wrong correct option ID specified"),
        ({"type": "quiz", "correct_option_ids": [1, 0]}, "wrong correct option ID specified"),
        ({"type": "quiz", "correct_option_ids": [0], "explanation": "a\nb\nc\nd"}, "poll explanation is too long"),
        ({"open_period": 4}, "poll must be open for 5 to 2628000 seconds"),
        ({"open_period": 9, "close_date": 1}, "open_period and close_date can't be used together"),
        ({"description": "x" * 1025}, "poll description is too long"),
        ({"chat_id": 1}, "chat not found"),
    ],
)
def test_a_poll_that_cannot_be_is_refused(bot, alice, params, why):
    assert refused(bot, "sendPoll", **{"chat_id": alice.id, "question": "?", "options": COLOURS} | params) == why
    assert alice.messages == []


def test_what_is_no_poll_cannot_be_stopped(bot, alice):
    sent = bot("sendMessage", chat_id=alice.id, text="hi")
    assert refused(bot, "stopPoll", chat_id=alice.id, message_id=sent["message_id"]) == "message is not a poll"
    assert refused(bot, "stopPoll", chat_id=alice.id, message_id=99) == "message with poll to stop not found"


def test_a_restart_keeps_polls_and_their_votes(tmp_path):
    server = start(state_path=tmp_path / "demo.json")
    bot, alice = RawBot(server.url, server.token), Telegram(server.url).person("Alice")
    ask(bot, alice)
    alice.vote("Red")
    server.stop()
    server = start(state_path=tmp_path / "demo.json")
    bob = Telegram(server.url).person("Alice", id=alice.id)
    assert votes(bob.last_message["poll"]) == ([1, 0, 0], 1)
    assert votes(bob.vote("Green")) == ([0, 1, 0], 1)
    server.stop()
