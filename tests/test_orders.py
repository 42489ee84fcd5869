"""Orders: from the card's price to the charge, whatever is tapped, how often, and in which order."""

import re

import pytest

from storage.journal import drafts
from storage.money import ledger
from storage.orders import jobs
from storage.people import users
from tests.shop import (
    assert_books_are_right,
    billed,
    captured,
    card,
    creates,
    entries_of,
    in_threads,
    job_of,
    jobs_of,
    order,
    texts,
    user_of,
)

HELD, CAPTURED, RELEASED = ("hold", -72), ("capture", 0), ("release", 72)
PRICE = re.compile(r"▶ Create · (up to )?([\d,]+(?:\.\d\d)?) ₽")


def quoted(person):
    """Return (kopecks, whether it is an upper bound) of the price on the newest card."""
    found = next(match for label in person.buttons if (match := PRICE.fullmatch(label)))
    whole, _point, rest = found[2].replace(",", "").partition(".")
    return int(whole) * 100 + int(rest or 0), bool(found[1])


def confirm(person):
    """Return (data, message) of the confirm button on the newest card."""
    return next(data for data in person.buttons.values() if data.startswith("orders:go")), person.last_message


# one quote, one job


def test_twenty_rapid_taps_make_one_job_one_charge_and_one_line_in_the_history(start_bot):
    """The taps are all there before the bot looks at the first."""
    bot = start_bot()
    alice = bot.rich()
    card(alice)
    data, message = confirm(alice)
    tap = {"message_id": message["message_id"], "data": data}
    ids = [bot.telegram.call("POST", f"/people/{alice.id}/tap", json=tap)["callback_query_id"] for _ in range(20)]
    bot.pump()
    answers = [bot.telegram.call("GET", f"/taps/{number}") for number in ids]
    assert all(answer["answered"] for answer in answers)
    assert sum("already being made" in answer["text"] for answer in answers) == 19
    bot.forward(60)
    assert len(jobs_of(bot, alice)) == len(creates(bot)) == billed(bot) == captured() == 1
    assert entries_of(bot, alice)[1:] == [HELD, CAPTURED]
    assert sum("photo" in received for received in alice.received) == 1
    alice.send("/history")
    assert len([label for label in alice.buttons if "Z-Image" in label]) == 1
    assert_books_are_right()


def test_the_same_quote_tapped_after_the_result_is_not_made_again(start_bot):
    bot = start_bot()
    alice = bot.rich()
    card(alice)
    data, message = confirm(alice)
    alice.forge(data, message)
    bot.forward(60)
    alice.forge(data, alice.received[-1])
    bot.forward(60)
    assert len(jobs_of(bot, alice)) == len(creates(bot)) == 1


def test_two_orders_of_the_same_words_are_two_orders(start_bot):
    bot = start_bot()
    alice = bot.rich()
    for _ in range(2):
        order(bot, alice)
        bot.forward(60)
    assert entries_of(bot, alice)[1:] == [HELD, CAPTURED] * 2
    assert len(creates(bot)) == 2


def test_an_order_after_a_dropped_card_is_a_new_one(start_bot):
    """The next card gets a number of its own; a number used twice would meet the first order's quote."""
    bot = start_bot()
    alice = bot.rich()
    for number in range(3):
        order(bot, alice, prompt=f"number {number}")
        bot.forward(60)
        alice.send("/cancel")
    assert [job.inputs["prompt"] for job in jobs_of(bot, alice)] == ["number 0", "number 1", "number 2"]
    assert captured() == 3


def test_the_newest_text_of_the_prompt_is_what_is_made(start_bot):
    bot = start_bot()
    alice = bot.rich()
    card(alice, "a fox")
    alice.send("a fox & a <bear>")
    alice.tap("▶ Create")
    assert bot.kie.task()["inputs"]["prompt"] == "a fox & a <bear>"
    assert bot.kie.unknown_inputs() == {}


# what was shown is what is charged


def test_the_price_on_the_card_is_the_price_held_and_captured_for_every_kind_of_model(start_bot):
    """Every third model that one sentence suffices for; metered ones cost at most what was shown."""
    bot = start_bot(USER_JOBS="500", USER_STARTS="500")
    alice = bot.rich(amount="100000")
    seen = []
    for model in list(bot.bot.generation.catalog.models.values())[::3]:
        if model.main_text is None or model.missing(model.defaults() | {model.main_text.name: "a fox in the snow"}):
            continue
        card(alice, model=model.code)
        price, upper = quoted(alice)
        alice.tap("▶ Create")
        job = job_of(bot, alice)
        assert (job.model, job.price) == (model.id, price)
        seen.append((job.id, price, upper))
        bot.clock.forward(1)
    bot.forward(600, step=20)
    assert len(seen) >= 20
    done = {job.id: job for job in jobs_of(bot, alice)}
    for number, price, upper in seen:
        job = done[number]
        assert job.state == "succeeded", (job.model, job.detail)
        assert 0 < job.charged <= price if upper else job.charged == price, job.model
    assert billed(bot) == captured() == len(seen)
    assert bot.balance(alice) == 10_000_000 - sum(job.charged for job in done.values())
    assert bot.kie.unknown_inputs() == {}
    assert_books_are_right()


def test_a_choice_moves_the_price_and_the_chosen_price_is_charged(start_bot):
    bot = start_bot()
    alice = bot.rich()
    card(alice, model="grok-vid")
    before, _upper = quoted(alice)
    alice.tap("Resolution")
    alice.tap("720p")
    after, _upper = quoted(alice)
    assert after > before
    alice.tap("▶ Create")
    assert bot.balance(alice) == 100_000 - after
    bot.forward(180)
    assert job_of(bot, alice).charged == after
    assert bot.kie.task()["inputs"]["resolution"] == "720p"


def test_an_old_card_orders_nothing_it_does_not_show_any_more(start_bot):
    """Stale quote → shown again."""
    bot = start_bot()
    alice = bot.rich()
    card(alice, model="grok-vid")
    data, message = confirm(alice)
    alice.tap("Resolution")
    alice.tap("720p")
    alice.forge(data, message)
    assert jobs_of(bot, alice) == [] and creates(bot) == []
    assert "The order has changed in the meantime" in alice.toast
    assert "720p" in alice.last
    alice.tap("▶ Create")
    assert len(jobs_of(bot, alice)) == 1


def test_a_changed_rate_shows_the_new_price_and_charges_nothing_at_the_old_one(start_bot):
    bot = start_bot()
    alice, boss = bot.rich(), bot.admin()
    card(alice)
    assert quoted(alice) == (72, False)
    boss.send("/rate 180")
    alice.tap("▶ Create · 0.72 ₽")
    assert "The price has changed" in alice.toast
    assert jobs_of(bot, alice) == [] and bot.balance(alice) == 100_000
    assert quoted(alice) == (144, False)
    alice.tap("▶ Create · 1.44 ₽")
    bot.forward(60)
    assert entries_of(bot, alice)[1:] == [("hold", -144), CAPTURED]


def test_an_order_on_its_way_keeps_the_price_it_was_made_at(start_bot):
    bot = start_bot()
    alice, boss = bot.rich(), bot.admin()
    bot.kie.settings(hold=True)
    order(bot, alice)
    boss.send("/rate 900")
    bot.kie.finish()
    bot.forward(60)
    assert entries_of(bot, alice)[1:] == [HELD, CAPTURED]
    assert "0.72 ₽ · balance 999.28 ₽" in alice.last


# rates


def test_a_rate_set_in_the_chat_shows_at_once_in_menus_and_cards_and_survives_a_restart(start_bot):
    """Seen in other bots: admin sets a rate, prices do not change."""
    bot = start_bot()
    alice, boss = bot.rich(), bot.admin()
    alice.forge("models:menu")
    alice.forge("models:type:picture:0")
    before = [label for label in alice.buttons if "from" in label]
    boss.send("/rate 180")
    assert "180" in boss.last and "from" in boss.last
    alice.forge("models:type:picture:0")
    after = [label for label in alice.buttons if "from" in label]
    assert before and before != after
    card(alice)
    assert quoted(alice) == (144, False)
    bot.restart()
    card(alice, "another fox")
    assert quoted(alice) == (144, False)


def test_a_markup_set_in_the_chat_is_a_factor_on_cost(start_bot):
    bot = start_bot()
    alice, boss = bot.rich(), bot.admin()
    boss.send("/markup 3,5")
    card(alice)
    assert quoted(alice) == (126, False)


@pytest.mark.parametrize("command", ["rate", "markup"])
@pytest.mark.parametrize("words", ["0", "-5", "nan", "inf", "1e999999", "ten", "99999999", "1 2"])
def test_a_rate_that_makes_no_sense_is_refused_and_the_old_one_stays(start_bot, command, words):
    bot = start_bot()
    alice, boss = bot.rich(), bot.admin()
    boss.send(f"/{command} {words}")
    assert "isn’t valid" in boss.last
    card(alice)
    assert quoted(alice) == (72, False)


@pytest.mark.parametrize("command", ["rate 1", "markup 1", "rate", "admin", "user 1"])
def test_nobody_but_an_admin_touches_rates_and_people(start_bot, command):
    bot = start_bot()
    alice = bot.rich()
    alice.send(f"/{command}")
    assert "No such command" in alice.last
    card(alice)
    assert quoted(alice) == (72, False)


def test_without_a_rate_nothing_is_sold_and_the_admin_reads_how_to_set_one(start_bot):
    """No rate, no sales, no guess."""
    bot = start_bot(USD_RATE="")
    alice, boss = bot.rich(), bot.admin()
    alice.forge("models:type:picture:0")
    assert [label for label in alice.buttons if "from" in label] == []
    card(alice)
    assert "▶ Create" not in " ".join(alice.buttons)
    assert "Not available now" in alice.buttons
    draft = drafts.get(user_of(bot, alice).id, "generate", bot.clock.now())
    alice.forge(f"orders:go:{draft.id}:{draft.version}")
    assert jobs_of(bot, alice) == [] and bot.balance(alice) == 100_000
    boss.send("/admin")
    assert "/rate" in boss.last
    boss.send("/rate")
    assert "The dollar rate is not set, so nothing is on sale." in boss.last and "/rate 92.5" in boss.last
    boss.send("/rate 90")
    alice.tap("Not available now")
    alice.tap("▶ Create · 0.72 ₽")
    bot.forward(60)
    assert "photo" in alice.last_message


# money that is not there


def test_too_little_money_is_said_on_the_card_with_the_sum_that_is_missing(start_bot):
    bot = start_bot()
    alice = bot.user()
    alice.send("/start")
    card(alice)
    assert "0.72 ₽ short · top up" in alice.buttons
    assert not any(data.startswith("orders:go") for data in alice.buttons.values())


def test_money_spent_elsewhere_meanwhile_refuses_the_order_and_keeps_it(start_bot):
    """The balance is reserved, not looked at."""
    bot = start_bot()
    alice = bot.rich(amount="1")
    card(alice)
    data, message = confirm(alice)
    user = user_of(bot, alice)
    ledger.post(user.id, -60, kind="admin", key="spent", now=bot.clock.now())
    alice.forge(data, message)
    assert "You’re 0.32 ₽ short. Your order is waiting here." in alice.toast
    assert jobs_of(bot, alice) == [] and bot.balance(alice) == 40
    assert "0.32 ₽ short · top up" in alice.buttons
    ledger.post(user.id, 100, kind="admin", key="back", now=bot.clock.now())
    alice.forge("generate:card")
    alice.tap("▶ Create")
    assert len(jobs_of(bot, alice)) == 1


def test_money_for_one_order_makes_one_order(start_bot):
    """Seen in other bots: four jobs on money for one."""
    bot = start_bot()
    alice = bot.rich(amount="1")
    for number in range(4):
        card(alice, prompt=f"number {number}")
        if any(data.startswith("orders:go") for data in alice.buttons.values()):
            alice.tap("▶ Create")
    assert len(jobs_of(bot, alice)) == 1 and bot.balance(alice) == 28


def test_somebody_whose_sales_are_paused_orders_nothing(start_bot):
    bot = start_bot()
    alice = bot.rich()
    users.change(user_of(bot, alice), sales_paused=True)
    order_tried(alice)
    assert "Your orders are paused" in (alice.toast or alice.last)
    assert jobs_of(bot, alice) == []


def order_tried(person):
    """Open a card and try to order from it."""
    card(person)
    person.tap("▶ Create")


def test_somebody_blocked_by_an_admin_orders_nothing(start_bot):
    bot = start_bot()
    alice = bot.rich()
    card(alice)
    users.change(user_of(bot, alice), banned=True)
    alice.tap("▶ Create")
    assert jobs_of(bot, alice) == []


# forged and outdated buttons


def test_a_quote_of_somebody_else_orders_nothing(start_bot):
    bot = start_bot()
    alice, eve = bot.rich(), bot.rich("Eve")
    card(alice)
    data, _message = confirm(alice)
    eve.forge(data)
    assert jobs_of(bot, alice) == jobs_of(bot, eve) == []
    assert eve.toast
    alice.tap("▶ Create")
    eve.forge(data)
    assert jobs_of(bot, eve) == [] and bot.balance(eve) == 100_000


@pytest.mark.parametrize("data", [
    "orders:go:1", "orders:go::", "orders:go:x:y", "orders:go:-1:-1", "orders:go:0:0", "orders:go:1:1:1",
    "orders:go:9223372036854775807:1", "orders:go:9223372036854775808:1", f"orders:go:1:{'9' * 40}",
    "orders:cancel:99999999999999999999", "history:job:99999999999999999999",
])  # fmt: skip
def test_a_button_nobody_drew_gets_an_answer_and_moves_nothing(start_bot, data):
    bot = start_bot()
    alice, boss = bot.rich(), bot.admin()
    alice.forge(data)
    assert alice.toast
    assert jobs_of(bot, alice) == [] and bot.balance(alice) == 100_000
    assert "failed three times" not in texts(boss)


def test_a_model_that_is_not_on_offer_is_not_shown_and_its_old_button_says_so(start_bot):
    bot = start_bot()
    alice = bot.rich()
    alice.forge("generate:open:never-was")
    assert "This model is no longer available" in (alice.toast or alice.last)
    alice.forge("generate:open:z-image")
    assert "Z-Image" in alice.last


def test_an_order_of_a_model_that_was_withdrawn_meanwhile_gives_the_money_back(start_bot):
    bot = start_bot()
    alice = bot.rich()
    user, now = user_of(bot, alice), bot.clock.now()
    draft = drafts.put(user.id, "generate", now, model="gone/model", data={"values": {"prompt": "a fox"}}, price=72)
    jobs.order(user.id, draft.id, draft.version, now=now, usual_s=15, limit=5, starts=5)
    bot.forward(5)
    assert "model: this model isn’t available now." in alice.last and bot.balance(alice) == 100_000
    number = job_of(bot, alice).id
    alice.send("/history")
    alice.forge(f"orders:again:{number}")
    assert "no longer available" in (alice.toast or alice.last)
    assert creates(bot) == []


# going on from a result


def test_again_is_one_tap_at_the_price_it_says(start_bot):
    bot = start_bot()
    alice = bot.rich()
    order(bot, alice)
    bot.forward(60)
    shown = alice.last_message
    assert "↻ Again · 0.72 ₽" in alice.buttons
    for _ in range(3):
        alice.tap("↻ Again", message=shown)
    assert "already" in alice.toast.lower() and len(jobs_of(bot, alice)) == 2
    bot.forward(60)
    assert entries_of(bot, alice)[1:] == [HELD, CAPTURED] * 2
    inputs = [task["inputs"] for task in bot.kie.tasks()]
    assert inputs[0] == inputs[1]
    alice.tap("↻ Again", message=shown)
    assert "a fox in the snow" in alice.last and "▶ Create · 0.72 ₽" in alice.buttons, "its next one is there"
    alice.tap("↻ Again", message=[one for one in alice.messages if "photo" in one][-1])
    assert len(jobs_of(bot, alice)) == 3
    assert_books_are_right()


def test_again_at_another_price_than_it_says_shows_the_card(start_bot):
    bot = start_bot()
    alice, eve = bot.rich(), bot.rich("Eve")
    order(bot, alice)
    bot.forward(60)
    shown = alice.last_message
    bot.restart(USD_RATE="95")
    eve.forge(next(data for data in alice.buttons.values() if data.startswith("orders:retry")))
    assert "out of date" in eve.toast
    alice.tap("↻ Again", message=shown)
    assert "price" in alice.toast.lower() and "▶ Create · 0.76 ₽" in alice.buttons and len(jobs_of(bot, alice)) == 1


def test_a_failed_order_can_be_changed_and_tried_again(start_bot):
    """Reason shown, a way to try again."""
    bot = start_bot()
    alice = bot.rich()
    bot.kie.fail_next("400-moderation")
    order(bot, alice, prompt="something forbidden")
    bot.forward(60)
    alice.tap("✏ Edit prompt")
    assert "something forbidden" in alice.last
    alice.send("something kind")
    alice.tap("▶ Create")
    bot.forward(60)
    assert "photo" in alice.last_message
    assert entries_of(bot, alice)[1:] == [HELD, RELEASED, HELD, CAPTURED]
    assert_books_are_right()


def test_what_failed_is_ordered_again_by_one_tap_and_once(start_bot):
    bot = start_bot()
    alice = bot.rich()
    bot.kie.fail_next()
    order(bot, alice, prompt="a fox")
    bot.forward(60)
    assert list(alice.buttons)[0] == "↻ Again · 0.72 ₽", alice.buttons
    failure = alice.last_message
    alice.send("a wolf")
    for _ in range(3):
        alice.tap("↻ Again", message=failure)
    assert "already" in alice.toast.lower() and len(jobs_of(bot, alice)) == 2
    bot.forward(60)
    assert "photo" in alice.last_message and jobs_of(bot, alice)[1].inputs == jobs_of(bot, alice)[0].inputs
    assert entries_of(bot, alice)[1:] == [HELD, RELEASED, HELD, CAPTURED]
    assert bot.bot.drafts.get(user_of(bot, alice).id, "generate", bot.clock.now()).data["loose"]["text"] == "a wolf"
    assert_books_are_right()


def test_of_several_that_order_again_at_once_one_does_and_only_what_has_ended(start_bot):
    bot = start_bot()
    alice = bot.rich()
    bot.kie.fail_next()
    order(bot, alice)
    bot.forward(60)
    (failed,) = jobs_of(bot, alice)
    quote = jobs.Quote(failed.model, failed.inputs, failed.price, None, None)
    terms = {"now": bot.clock.now(), "usual_s": 60, "limit": 5, "starts": 20}
    made = in_threads(8, lambda _number: jobs.repeat(failed.user_id, failed.id, quote, **terms))
    assert sorted(created for _job, created in made) == [False] * 7 + [True] and len({job.id for job, _ in made}) == 1
    again = jobs_of(bot, alice)[1]
    with pytest.raises(jobs.StaleQuote):
        jobs.repeat(failed.user_id, again.id, quote, **terms)
    assert again.state == "queued"
    bot.forward(60)
    assert jobs_of(bot, alice)[1].state == "succeeded" and len(jobs_of(bot, alice)) == 2
    assert_books_are_right()


def test_again_is_not_offered_where_it_would_fail_once_more(start_bot):
    bot = start_bot()
    alice = bot.rich()
    bot.kie.fail_next("400-moderation")
    order(bot, alice)
    bot.forward(60)
    assert "↻" not in str(alice.buttons) and "✏ Edit prompt" in alice.buttons


def test_again_at_another_price_or_without_money_shows_the_card(start_bot):
    bot = start_bot()
    alice, eve = bot.rich(amount="1"), bot.rich("Eve")
    bot.kie.fail_next()
    order(bot, alice)
    bot.forward(60)
    failure = alice.last_message
    eve.forge(next(data for data in alice.buttons.values() if data.startswith("orders:retry")))
    assert "out of date" in eve.toast
    bot.restart(USD_RATE="95")
    alice.tap("↻ Again", message=failure)
    assert "price" in alice.toast.lower() and "▶ Create · 0.76 ₽" in alice.buttons
    bot.restart(USD_RATE="90")
    user = user_of(bot, alice).id
    bot.bot.ledger.post(user, -90, kind="admin", key="spent", now=bot.clock.now(), reason="spent")
    alice.tap("↻ Again", message=failure)
    assert "0.62 ₽ short · top up" in alice.buttons and len(jobs_of(bot, alice)) == 1


def test_a_failed_version_is_made_again_from_the_same_result(start_bot):
    bot = start_bot()
    alice = bot.rich()
    order(bot, alice)
    bot.forward(60)
    alice.send("warmer light", reply_to=alice.last_message)
    bot.kie.fail_next()
    alice.tap(next(data for data in alice.buttons.values() if data.startswith("replies:rung")))
    bot.forward(60)
    alice.tap("↻ Again")
    again = jobs_of(bot, alice)[-1]
    assert bot.bot.revisions.get(again.id).parent_id == jobs_of(bot, alice)[0].id


def test_a_kill_right_after_the_order_leaves_a_screen_that_says_so(start_bot):
    bot = start_bot()
    alice = bot.rich()
    card(alice)
    data, _message = confirm(alice)
    draft, version = map(int, data.split(":")[2:])
    generation = bot.bot.generation
    generation.order(user_of(bot, alice), draft, version, bot.clock.now())
    drafts.drop(user_of(bot, alice).id, "generate")
    alice.tap(data)  # the order was a row before the process ended; the tap comes once more
    assert jobs_of(bot, alice)[0].progress_id and not any(label.startswith("▶") for label in alice.buttons)
    assert len(jobs_of(bot, alice)) == 1
    bot.forward(60)
    assert entries_of(bot, alice)[1:] == [HELD, CAPTURED]
    assert sum("photo" in received for received in alice.received) == 1
