"""Talk: a question is held, asked once, answered and charged by what it took; whatever the day is like, nobody pays more."""

import json

import pytest

from storage.base import db
from storage.base.tables import Job
from storage.orders import jobs as rows
from tests.house import Live
from tests.kit import png
from tests.process import Process
from tests.shop import assert_books_are_right, entries_of, user_of

FLASH, OPUS = "gemini-3-8-flash-openai", "claude-opus-5-5"
UNKNOWN = [
    "502",
    "empty",
    "drop",
    "hang",
    "blank-text",
    "no-output",
    "null-text",
    "only-reasoning",
    "stream-cut",
    "upstream-timeout",
]
REFUSED = ["500", "internal", "no-page", "retired", "422", "vendor-request", "vendor-error"]
SILENCE_S = 0.1


def questions(bot, person):
    """Return a person's questions, oldest first."""
    found = bot.bot.jobs.of_user(user_of(bot, person).id, limit=1000, questions=True)
    return [job for job in reversed(found) if job.topic is not None]


def asked(bot):
    """Return the bodies of the calls to chat models."""
    found = [entry for entry in bot.kie.requests("/v1/") if not entry["path"].startswith("/api/")]
    return [entry["body"] for entry in found]


def said(body):
    """Return the texts of a call as one string."""
    return json.dumps(body.get("messages", body.get("input")), ensure_ascii=False)


def message_of(person, text):
    """Return a message of a person's in the Bot API's form."""
    who = {"id": person.id, "first_name": "Alice"}
    return {
        "message_id": 77_001,
        "text": text,
        "date": 1,
        "from": who | {"is_bot": False},
        "chat": who | {"type": "private"},
    }


def talker(bot, name="Alice", amount="1000", **fields):
    """Return a person with money, who has opened the dialogue."""
    person = bot.rich(name, amount, **fields)
    person.send("/ask")
    return person


# --- a good day ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lang", "menu", "foot"),
    [("en", "💬 Ask", "topic"), ("ru", "💬 Спросить", "за тему"), ("es", "💬 Preguntar", "tema")],
)
def test_a_question_from_the_menu_is_answered_and_costs_what_it_took(start_bot, lang, menu, foot):
    bot = start_bot()
    alice = bot.rich(language_code=lang)
    alice.send("/start")
    alice.tap(menu)
    assert "Gemini 3.8 Flash" in alice.last and "Claude Opus 5.5" in alice.last and len(alice.buttons) == 4
    alice.send("Why is the sky blue?")
    (job,) = questions(bot, alice)
    assert "Why is the sky blue?" in alice.last and foot in alice.last
    assert 0 < job.charged < job.price and job.cost == 1_000_000 * bot.kie.bill()["chat_credits"]
    assert entries_of(bot, alice)[-2:] == [("hold", -job.price), ("capture", job.price - job.charged)]
    assert bot.balance(alice) == 100_000 - job.charged
    assert asked(bot)[0]["stream"] is False
    assert_books_are_right()


def test_the_most_it_can_cost_is_on_the_button_and_on_hold(start_bot):
    bot = start_bot()
    alice = talker(bot)
    alice.tap("Best")
    label = next(label for label in alice.buttons if label.startswith("✓ Best"))
    bot.kie.trouble("chat", "over-cap")
    alice.send("Tell me everything")
    (job,) = questions(bot, alice)
    assert job.charged == job.price and job.overrun > 0, "an answer ten times as long: the rest is the operator's"
    assert job.price >= round(100 * float(label.rsplit(" ", 2)[1]))
    assert job.model == f"chat/{OPUS}"
    assert_books_are_right()


def test_what_was_said_goes_along_until_a_new_topic_begins(start_bot):
    bot = start_bot()
    alice = talker(bot)
    for words in ("My name is Zoe", "And what is my name?"):
        alice.send(words)
    alice.tap("✚ New topic")
    alice.send("Who am I?")
    first, second, third = asked(bot)
    assert "My name is Zoe" not in said(third) and "You asked" not in said(third)
    assert [turn["role"] for turn in second["messages"]] == ["system", "user", "assistant", "user"]
    assert "My name is Zoe" in said(second) and "You asked: “My name is Zoe”" in said(second) and "Zoe" in said(first)
    one, two, other = questions(bot, alice)
    assert one.topic == two.topic == one.id and other.topic == other.id
    assert other.charged > 0 and f"topic {other.charged / 100:.2f} ₽" in alice.last


def test_each_answer_says_what_the_topic_has_cost_so_far(start_bot):
    bot = start_bot()
    alice = talker(bot)
    alice.send("one")
    alice.send("two")
    total = sum(job.charged for job in questions(bot, alice))
    assert f"topic {total / 100:.2f} ₽" in alice.last and f"balance {bot.balance(alice) / 100:.2f} ₽" in alice.last


def test_another_model_goes_on_with_the_topic(start_bot):
    bot = start_bot()
    alice = talker(bot)
    alice.send("My name is Zoe")
    answer = alice.last_message
    alice.tap("Another model")
    assert "same topic" in alice.last and alice.messages[-2]["text"] == answer["text"], "the answer stays"
    alice.tap("Clever")
    alice.send("What is my name?")
    assert "My name is Zoe" in said(asked(bot)[1]) and asked(bot)[1]["model"] == "claude-sonnet-5-5"
    assert asked(bot)[1]["max_tokens"] == 4000


def test_a_reply_to_an_answer_is_the_next_question(start_bot):
    bot = start_bot()
    alice = talker(bot)
    alice.send("Why is the sky blue?")
    alice.send("And at night?", reply_to=alice.last_message)
    assert [job.inputs["question"] for job in questions(bot, alice)] == ["Why is the sky blue?", "And at night?"]
    alice.tap("⌂ Menu")
    alice.send("a fox in the snow", reply_to=alice.messages[-3])
    assert "fox" in alice.last and len(questions(bot, alice)) == 2


def test_history_keeps_within_its_budget(start_bot):
    bot = start_bot(FLOOD_MESSAGES="1000", USER_STARTS="1000")
    alice = talker(bot)
    for number in range(9):
        alice.send(f"question {number} " + "word " * 600)
    last = said(asked(bot)[-1])
    assert "question 7" in last and "question 0" not in last
    prices = [job.price for job in questions(bot, alice)]
    assert prices[1] > prices[0] and max(prices) < 2 * prices[0] + 100


def test_a_picture_goes_with_its_question_and_with_the_next_one(start_bot):
    bot = start_bot()
    alice = talker(bot)
    alice.photo(png("a cat"), caption="What is it?")
    alice.send("And its colour?")
    first, second = (body["messages"] for body in asked(bot))
    assert first[-1]["content"][1]["image_url"]["url"].startswith(bot.kie.url)
    assert len(second[1]["content"]) == 2 and len(second[-1]["content"]) == 1
    assert_books_are_right()


def test_a_picture_without_words_waits_for_them(start_bot):
    bot = start_bot()
    alice = talker(bot)
    alice.photo(png("a cat"))
    assert "I have 1 picture" in alice.last and not asked(bot)
    alice.send("What is it?")
    assert len(asked(bot)[0]["messages"][-1]["content"]) == 2


def test_a_picture_whose_question_never_came_does_not_go_with_another(start_bot):
    bot = start_bot()
    alice = talker(bot)
    alice.photo(png("a cat"))
    alice.tap("⌂ Menu")
    alice.send("/ask")
    alice.send("What is it?")
    assert len(asked(bot)[0]["messages"][-1]["content"]) == 1


def test_an_album_is_one_question_that_a_tap_asks(start_bot):
    bot = start_bot()
    alice = talker(bot)
    alice.album([png("one"), png("two"), png("three")], caption="Which one is best?")
    assert "Which one is best?" in alice.last and not asked(bot)
    alice.tap("▶ Ask")
    assert len(asked(bot)) == 1 and len(asked(bot)[0]["messages"][-1]["content"]) == 4
    (job,) = questions(bot, alice)
    assert job.state == "succeeded" and "Which one is best?" in alice.last


def test_what_no_chat_model_reads_is_refused(start_bot):
    bot = start_bot()
    alice = talker(bot)
    alice.video(b"\0" * 100)
    assert "words and pictures" in alice.last
    alice.album([png(str(number)) for number in range(5)], caption="all of them")
    assert any("up to 4 pictures" in message.get("text", "") for message in alice.received)
    assert not asked(bot)


def test_a_question_may_follow_the_command(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.send("/ask Why is the sky blue?")
    assert "Why is the sky blue?" in alice.last and len(questions(bot, alice)) == 1


def test_another_screen_ends_the_dialogue_and_the_topic_can_go_on(start_bot):
    bot = start_bot()
    alice = talker(bot)
    alice.send("My name is Zoe")
    alice.tap("⌂ Menu")
    alice.send("a fox in the snow")
    assert len(questions(bot, alice)) == 1 and "fox" in alice.last
    alice.send("/ask")
    assert "same topic" in alice.last
    alice.send("What is my name?")
    assert "My name is Zoe" in said(asked(bot)[-1])


# --- long and odd -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    ["**bold _and_ <b>", "`a<b` ```", '[x](https://a.b/"c) &amp; *', "_*_*~~", "<script>", "```py\n**x", "| a |"],
)
def test_unbalanced_markup_arrives_all_the_same(start_bot, words):
    bot = start_bot()
    alice = talker(bot)
    alice.send(words)
    (job,) = questions(bot, alice)
    assert job.delivery == "sent" and job.delivery_tries == 0 and "sample answer" in alice.last


def test_a_long_answer_comes_in_parts_with_one_foot(start_bot):
    bot = start_bot()
    alice = talker(bot)
    alice.send("\n".join(f"Line {number} of my long question." for number in range(250)))
    alice.tap("▶ Ask")
    parts = [message for message in alice.received if "of my long question" in message.get("text", "")][-3:]
    assert len(parts) == 3 and all(len(part["text"]) <= 4096 for part in parts)
    assert ["balance" in part["text"] for part in parts] == [False, False, True]
    assert "Line 249" in parts[-1]["text"] and [bool(part.get("reply_markup")) for part in parts] == [
        False,
        False,
        True,
    ]


def test_a_very_long_answer_comes_with_a_file(start_bot):
    bot = start_bot()
    alice = talker(bot)
    alice.tap("Clever")
    bot.kie.trouble("chat", "over-cap")
    alice.send("Tell me everything")
    assert alice.last_message["document"]["file_name"] == "answer.txt" and "balance" in alice.last
    assert "Tell me everything" in alice.messages[-2]["text"]


def test_a_text_that_telegram_has_cut_is_one_question(start_bot):
    bot = start_bot()
    alice = talker(bot)
    alice.send("word " * 1_500 + "and the end")
    assert "Ready to ask" in alice.last and not asked(bot)
    alice.tap("▶ Ask")
    assert len(asked(bot)) == 1 and "and the end" in said(asked(bot)[0]) and "word " * 1_500 in said(asked(bot)[0])


def test_a_hundred_thousand_characters_are_no_question(start_bot):
    bot = start_bot()
    alice = talker(bot)
    before = len(alice.received)
    alice.send("word " * 20_000)
    assert "10,000" in alice.last and not asked(bot) and not questions(bot, alice)
    assert len(alice.received) == before + 1 and list(alice.buttons) == ["⌂ Menu"], "25 parts, one answer"
    bot.forward(10)
    alice.send("shorter")
    assert "shorter" in alice.last and len(asked(bot)) == 1


def test_a_forged_text_of_any_length_is_no_question(start_bot):
    bot = start_bot()
    alice = talker(bot)
    bot.telegram.update(message=message_of(alice, "word " * 20_000))
    bot.pump()
    assert "10,000" in alice.last and not asked(bot)


# --- bad days -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", UNKNOWN)
def test_an_unknown_outcome_is_never_repeated_and_never_charged(start_bot, kind):
    bot = start_bot()
    alice = talker(bot)
    bot.kie.trouble("chat", kind, times=0, **({"delay_s": SILENCE_S} if kind == "hang" else {}))
    alice.send("Why is the sky blue?")
    bot.forward(900, step=100)
    (job,) = questions(bot, alice)
    assert len(asked(bot)) == 1, "it may have been paid for"
    assert (
        (job.state, job.reason, job.charged) == ("failed", "lost", 0) and job.cost == job.expected and job.overrun > 0
    )
    assert bot.balance(alice) == 100_000 and "the answer didn’t come in time" in alice.last
    assert_books_are_right()
    bot.kie.calm()
    alice.tap("↻ Ask again")
    assert "Why is the sky blue?" in alice.last and len(asked(bot)) == 2
    assert questions(bot, alice)[1].topic == job.topic


@pytest.mark.parametrize("kind", REFUSED)
def test_a_refusal_gives_the_money_back(start_bot, kind):
    bot = start_bot()
    boss, alice = bot.admin(), talker(bot)
    bot.kie.trouble("chat", kind, times=0)
    alice.send("Why is the sky blue?")
    (job,) = questions(bot, alice)
    assert job.state == "failed" and job.charged == 0 and job.cost is None and bot.balance(alice) == 100_000
    assert len(asked(bot)) <= 2 and "returned" in alice.last
    if kind == "retired":
        assert "not available now" in alice.last and OPUS not in boss.last and FLASH in boss.last
    assert_books_are_right()


def test_one_server_error_is_tried_once_more(start_bot):
    bot = start_bot()
    alice = talker(bot)
    bot.kie.trouble("chat", "internal")
    alice.send("Why is the sky blue?")
    assert "sample answer" in alice.last and len(asked(bot)) == 2


def test_too_many_requests_waits_and_asks_again(start_bot):
    bot = start_bot()
    alice = talker(bot)
    bot.kie.trouble("chat", "429")
    alice.send("Why is the sky blue?")
    assert questions(bot, alice)[0].state == "queued"
    bot.forward(30)
    assert "sample answer" in alice.last and questions(bot, alice)[0].state == "succeeded"
    bot.kie.trouble("chat", "429", times=0)
    alice.send("And at night?")
    bot.forward(120)
    assert "too many questions" in alice.last and len(asked(bot)) == 2 + 3
    assert_books_are_right()


def test_without_credits_nothing_more_is_asked(start_bot):
    bot = start_bot()
    boss, alice, bob = bot.admin(), talker(bot), talker(bot, "Bob")
    bot.kie.settings(credits=0)
    bot.kie.trouble("chat", "402", times=0)
    alice.send("Why is the sky blue?")
    assert bot.balance(alice) == 100_000 and "temporarily" not in alice.last and "returned" in alice.last
    assert "run out of credits" in boss.last
    bob.send("And me?")
    assert "paused" in bob.last and len(asked(bot)) == 1 and not questions(bot, bob)
    assert_books_are_right()


@pytest.mark.parametrize(
    ("kind", "charges"),
    [("no-credits", True), ("credits-zero", True), ("credits-odd", True), ("credits-as-text", True), ("stream", True)],
)
def test_an_answer_with_odd_figures_is_charged_by_its_tokens(start_bot, kind, charges):
    bot = start_bot()
    alice = talker(bot)
    bot.kie.trouble("chat", kind)
    alice.send("Why is the sky blue?")
    (job,) = questions(bot, alice)
    assert job.state == "succeeded" and (job.charged > 0) is charges and job.charged <= job.price
    assert_books_are_right()


def test_an_answer_without_its_address_of_kie_waits(start_bot):
    """KIE cannot be reached at all: nothing was asked, so it is tried again; then the money is back."""
    bot = start_bot()
    alice = talker(bot)
    bot.environ |= {"KIE_API_URL": "http://127.0.0.1:9"}
    bot.restart()
    alice.send("Why is the sky blue?")
    assert questions(bot, alice)[0].state == "queued"
    bot.forward(120)
    assert questions(bot, alice)[0].state == "failed" and bot.balance(alice) == 100_000
    assert_books_are_right()


def test_a_kill_while_a_model_is_asked_gives_the_money_back(servers, ready_url, tmp_path):
    telegram, kie = servers
    settings = {"DATABASE_URL": ready_url, "ADMIN_IDS": "5000000900", "FREE_QUESTIONS": "1", "KIE_API_KEY": "stub-key"}
    kie.trouble("chat", "hang", times=0)
    alice = telegram.person("Alice", language_code="en")
    bot = Process(telegram, kie, tmp_path, **settings)
    bot.wait_for("recovered")
    alice.send("/ask")
    alice.wait_for("Write a question")
    alice.send("Why is the sky blue?")
    telegram.wait(lambda: kie.requests("/v1/chat/completions"))
    bot.kill()
    kie.calm()
    again = Process(telegram, kie, tmp_path, **settings)
    try:
        alice.wait_for("the answer didn’t come in time")
        assert len(kie.requests("/v1/chat/completions")) == 1
        alice.tap("↻ Ask again")
        alice.wait_for("sample answer")
    finally:
        again.kill()
    db.connect(ready_url)
    assert_books_are_right()
    db.disconnect()


def test_a_slow_model_keeps_nobody_else_waiting(servers, ready_url):
    telegram, kie = servers
    live = Live(telegram, kie, ready_url, FREE_QUESTIONS="5")
    try:
        kie.trouble("chat", "hang", times=0, model=OPUS)
        patient = [telegram.person(f"P{number}", language_code="en") for number in range(8)]
        for person in patient:
            person.send("/start")
            telegram.wait(lambda person=person: person.received)
            give(live, person)
            person.send("/ask")
            person.wait_for("Write a question")
            person.tap("Best")
            telegram.wait(lambda person=person: "✓ Best" in "".join(person.buttons))
            person.send("Are you there?")
        telegram.wait(lambda: len(kie.requests("/claude/")) == 6)
        quick = telegram.person("Quick", language_code="en")
        quick.send("/ask Are you quick?")
        quick.wait_for("sample answer")
        patient[0].send("/balance")
        patient[0].wait_for("Balance")
        assert len(kie.requests("/claude/")) == 6, "two of eight wait for their turn"
    finally:
        live.stop()
        kie.calm()


def give(live, person):
    """Give somebody a hundred roubles."""
    user, now = live.bot.users.by_telegram_id(person.id), live.bot.clock.now()
    live.bot.ledger.post(user.id, 10_000, kind="admin", key=f"test:{user.id}", now=now, reason="test money")


# --- one at a time, money, limits ---------------------------------------------------------------------------------


def test_a_question_while_one_runs_waits_for_a_tap(start_bot):
    bot = start_bot()
    alice = talker(bot)
    bot.kie.trouble("chat", "429", times=0)
    alice.send("first")
    alice.send("second")
    assert "still being answered" in alice.last and len(questions(bot, alice)) == 1
    bot.kie.calm()
    bot.forward(30)
    alice.tap("▶ Ask")
    assert [job.inputs["question"] for job in questions(bot, alice)] == ["first", "second"]
    assert "second" in alice.last and questions(bot, alice)[1].topic == questions(bot, alice)[0].id
    assert_books_are_right()


def test_without_money_the_question_waits_for_it(start_bot):
    bot = start_bot()
    alice = bot.user()
    alice.send("/start")
    alice.send("/ask Why is the sky blue?")
    assert "The question is waiting here" in alice.last and not asked(bot) and not questions(bot, alice)
    alice.tap("▶ Ask")
    assert "The question is waiting here" in alice.last
    alice.tap("Another model")
    alice.tap("Clever")
    assert "Ready to ask" in alice.last and "4." in next(label for label in alice.buttons if label.startswith("▶"))
    user, now = user_of(bot, alice), bot.clock.now()
    bot.bot.ledger.post(user.id, 1000, kind="admin", key="test:later", now=now, reason="test money")
    alice.tap("▶ Ask")
    assert "sample answer" in alice.last
    assert_books_are_right()


def test_a_price_that_has_changed_is_shown_before_it_is_paid(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), talker(bot)
    alice.album([png("one"), png("two")], caption="Which one?")
    before = next(label for label in alice.buttons if label.startswith("▶"))
    boss.send("/markup 5")
    alice.tap("▶ Ask")
    assert "price has changed" in alice.toast and not asked(bot)
    assert next(label for label in alice.buttons if label.startswith("▶")) != before
    alice.tap("▶ Ask")
    assert len(asked(bot)) == 1


def test_free_questions_are_counted_and_come_back_when_they_fail(start_bot):
    bot = start_bot(FREE_QUESTIONS="2", FREE_CEILING="3")
    alice, bob = bot.user(), bot.user("Bob")
    alice.send("/start")
    assert "Free today: 2 questions to the Quick model" in alice.last
    alice.send("/ask")
    assert "✓ Quick · free" in alice.buttons and any("Clever · up to" in label for label in alice.buttons)
    bot.kie.trouble("chat", "drop")
    alice.send("one")
    assert "Nothing was charged" in alice.last
    for words in ("two", "three"):
        alice.send(words)
        assert "sample answer" in alice.last
    alice.send("four")
    assert "is waiting here" in alice.last
    bob.send("/ask one")
    assert "sample answer" in bob.last
    bob.send("two")
    assert "is waiting here" in bob.last, "the whole bot has given its three"
    assert bot.bot.ledger.balance(user_of(bot, alice).id) == 0
    bot.clock.forward(25 * 3600)
    bob.send("/ask three")
    assert "sample answer" in bob.last
    assert_books_are_right()


def test_questions_count_among_the_starts_of_a_minute(start_bot):
    bot = start_bot(USER_STARTS="2")
    alice = talker(bot)
    for words in ("one", "two", "three"):
        alice.send(words)
    assert len(questions(bot, alice)) == 2 and alice.last_message["reply_markup"]
    assert_books_are_right()


def test_without_a_rate_nothing_is_asked(start_bot):
    bot = start_bot(USD_RATE="")
    alice = bot.user()
    alice.send("/ask")
    assert "Quick · unavailable" in "".join(alice.buttons)
    alice.send("Why is the sky blue?")
    assert "can’t take questions yet" in alice.last and not asked(bot)


def test_somebody_whose_sales_are_paused_asks_nothing(start_bot):
    bot = start_bot()
    alice = talker(bot)
    with db.connection():
        bot.bot.users.change(user_of(bot, alice), sales_paused=True)
    alice.send("Why is the sky blue?")
    assert "Your orders are paused" in alice.last and not asked(bot)


def test_a_queued_question_can_be_cancelled(start_bot):
    bot = start_bot()
    alice = talker(bot)
    bot.kie.trouble("chat", "429", times=0)
    alice.send("first")
    alice.send("/cancel")
    assert questions(bot, alice)[0].state == "cancelled" and bot.balance(alice) == 100_000
    bot.forward(60)
    assert len(asked(bot)) == 1
    assert_books_are_right()


# --- forged and repeated ------------------------------------------------------------------------------------------


def test_the_same_message_twice_is_one_question(start_bot):
    bot = start_bot()
    alice = talker(bot)
    for _ in range(2):
        bot.telegram.update(message=message_of(alice, "Why?"))
        bot.pump()
    assert len(questions(bot, alice)) == 1 and len(asked(bot)) == 1


def test_nobody_asks_again_what_another_asked(start_bot):
    bot = start_bot()
    alice, bob = talker(bot), talker(bot, "Bob")
    bot.kie.trouble("chat", "drop", times=0)
    alice.send("My secret")
    (job,) = questions(bot, alice)
    bot.kie.calm()
    bob.forge(f"answers:again:{job.id}")
    assert not questions(bot, bob) and "My secret" not in bob.last
    alice.send("/ask")
    for data in (f"answers:again:{job.id + 1}", "answers:again:-1", "ask:rank:dearest", "ask:send:1", "ask:send:999"):
        alice.forge(data)
        assert alice.toast, data
    assert len(asked(bot)) == 1


def test_twenty_taps_ask_once(start_bot):
    bot = start_bot()
    alice = talker(bot)
    bot.kie.trouble("chat", "drop")
    alice.send("Why?")
    failed = alice.last_message
    for _ in range(5):
        alice.tap("↻ Ask again", failed)
    assert len(questions(bot, alice)) == 2 and len(asked(bot)) == 2
    alice.album([png("one"), png("two")], caption="Which one?")
    data, message = "ask:send", alice.last_message
    data = message["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    for _ in range(5):
        alice.forge(data, message)
    assert len(questions(bot, alice)) == 3 and len(asked(bot)) == 3
    assert_books_are_right()


def test_a_topic_of_somebody_else_is_none(start_bot):
    bot = start_bot()
    alice, bob = talker(bot), talker(bot, "Bob")
    alice.send("My secret")
    bot.bot.drafts.put(
        user_of(bot, bob).id, "ask", bot.clock.now(), step="ask:question",
        data={"rank": "quick", "topic": questions(bot, alice)[0].id, "question": "", "pictures": [], "album": None},
    )  # fmt: skip
    bob.send("What is it?")
    assert "My secret" not in said(asked(bot)[-1]) and questions(bot, bob)[0].topic == questions(bot, bob)[0].id


# --- where else questions are seen --------------------------------------------------------------------------------


def test_orders_are_not_mixed_with_questions(start_bot):
    bot = start_bot()
    alice = talker(bot)
    alice.send("Why is the sky blue?")
    alice.send("/history")
    assert "sky" not in alice.last and not [label for label in alice.buttons if "Gemini" in label]
    assert bot.bot.jobs.recent_models(user_of(bot, alice).id) == []


def test_the_staff_see_questions_in_figures_and_in_somebodys_orders(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), talker(bot)
    alice.send("Why is the sky blue?")
    boss.send("/stats 1")
    assert "gemini-3-8-flash-openai" in boss.last or "Gemini 3.8 Flash" in boss.last
    boss.forge(f"users:orders:{user_of(bot, alice).id}:0")
    assert "Gemini 3.8 Flash" in boss.last and "sky" not in boss.last


def test_an_erasure_takes_the_words_and_leaves_the_books(start_bot):
    bot = start_bot()
    alice = talker(bot)
    alice.send("Why is the sky blue?")
    user = user_of(bot, alice)
    assert "sky" in json.dumps(bot.bot.mydata.collect(user.id))
    alice.send("/privacy")
    assert "Claude Opus 5.5" in alice.last
    assert bot.bot.privacy.erase(user.id, bot.clock.now())
    with db.connection():
        job = Job.get(Job.user == user.id)
    assert job.inputs == {} and job.result is None and job.topic == job.id
    assert_books_are_right()


def test_a_result_that_comes_after_it_was_given_up_is_free(start_bot):
    bot = start_bot()
    alice = talker(bot)
    bot.kie.trouble("chat", "drop")
    alice.send("Why is the sky blue?")
    (job,) = questions(bot, alice)
    with db.transaction():
        rows.arrive_late(job.id, {"urls": [], "text": "Light scatters."}, cost=10, now=bot.clock.now())
    bot.pump()
    assert "Light scatters." in alice.last and "free" in alice.last and bot.balance(alice) == 100_000
    assert_books_are_right()


def test_after_a_top_up_the_question_that_waits_is_shown_and_not_an_older_card(start_bot):
    bot = start_bot()
    alice = bot.user("Alice")
    alice.send("/start")
    alice.send("a fox in the snow")  # a ladder that waits as well, but longer
    bot.clock.forward(60)
    alice.send("/ask How long do I boil eggs?")
    assert "short for the answer" in alice.last
    alice.tap("+ Top up")
    alice.tap("10 ₽")
    alice.tap("⭐")
    alice.pay()
    alice.tap("▶ Open waiting order")
    assert "How long do I boil eggs?" in alice.last and "short" not in alice.last
    alice.tap("▶")
    bot.forward(30)
    assert [job.topic is not None for job in questions(bot, alice)] == [True]
