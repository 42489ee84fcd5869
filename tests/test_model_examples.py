"""Examples on cards and ladders: a result that a model has made here, one tap away; a rung is ordered from beside it."""

import pytest

from tests.kit import png
from tests.shop import assert_books_are_right, job_of, jobs_of, picture, user_of
from tests.test_ideas import agreed, deliver, kept_of, shown_in

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
LANGS = pytest.mark.parametrize("lang", ["en", "ru", "es"])
LOOK = "👁"


@pytest.fixture
def shop(start_bot):
    """Return (the bot, its owner, the owner's delivered order)."""
    bot = start_bot(WELCOME_RUNS="0")
    boss = bot.admin()
    bot.bot.ledger.post(user_of(bot, boss).id, 100_000, kind="admin", key="t", now=bot.clock.now(), reason="t")
    return bot, boss, deliver(bot, boss)


def of_its_model(boss, job):
    """Make a result the example of its model."""
    boss.forge(f"examples:put:{job.id}:0:@model")


def looks(person):
    """Return whether the newest screen offers an example."""
    return any(label.startswith(LOOK) for label in person.buttons)


def shows(bot, job):
    """Return whether the newest screen was turned into a result."""
    return job.sent[0]["file_id"] in str(bot.telegram.calls("editMessageMedia")[-1]["params"]["media"])


@SQLITE
@LANGS
def test_without_an_example_nothing_is_offered_and_nothing_stands_in(shop, lang):
    bot, _boss, _job = shop
    alice = bot.rich(language_code=lang)
    alice.send("a fox")
    assert not looks(alice)
    alice.forge("generate:open:z-image")
    assert not looks(alice)
    alice.forge("model_examples:card")
    assert alice.toast and "photo" not in alice.last_message


@SQLITE
@LANGS
def test_a_card_shows_what_its_model_has_made_and_comes_back(shop, lang):
    bot, boss, job = shop
    alice = bot.rich(language_code=lang)
    boss.tap("★")
    boss.tap("The model Z-Image")
    alice.send("a fox")
    alice.forge("generate:open:z-image")
    card, before = alice.last, len(alice.received)
    alice.tap(LOOK)
    assert shows(bot, job) and alice.last.startswith("Z-Image\n") and len(alice.received) == before
    alice.tap("‹")
    assert alice.last == card and not any("photo" in message for message in alice.received)
    alice.tap(LOOK)
    alice.send("a boat")
    assert "a boat" in alice.last and job_of(bot, boss).id == job.id
    alice.tap("▶")
    assert job_of(bot, alice).inputs["prompt"] == "a boat"


@SQLITE
@LANGS
def test_a_rung_is_ordered_beside_its_example_at_the_price_shown(shop, lang):
    bot, boss, job = shop
    of_its_model(boss, job)
    alice = bot.rich(language_code=lang)
    before = len(alice.received)
    alice.send("a fox")
    rung = next(iter(alice.buttons))
    alice.tap(LOOK)
    assert next(iter(alice.buttons)) == rung and shows(bot, job) and len(alice.received) == before + 1
    alice.tap("▶")
    assert (job_of(bot, alice).price, bot.balance(alice)) == (72, 100_000 - 72)
    bot.forward(60)
    assert [message for message in alice.received if "photo" in message] == [alice.last_message]
    assert_books_are_right()


@SQLITE
def test_each_rung_with_an_example_has_a_page(shop):
    bot, boss, job = shop
    of_its_model(boss, job)
    other = deliver(bot, boss, "nanobanana-2l")
    of_its_model(boss, other)
    alice = bot.rich()
    alice.send("a fox")
    prices = [label.split(" · ")[-2] for label in list(alice.buttons)[:2]]
    alice.tap(LOOK)
    assert shows(bot, job) and "1/2" in alice.buttons and prices[0] in next(iter(alice.buttons))
    alice.tap("›")
    assert shows(bot, other) and "2/2" in alice.buttons and prices[1] in next(iter(alice.buttons))
    alice.tap("▶ Good")
    assert job_of(bot, alice).model == other.model


@SQLITE
def test_without_money_the_rung_beside_its_example_is_topped_up(shop):
    bot, boss, job = shop
    of_its_model(boss, job)
    alice = bot.user()
    alice.send("a fox")
    alice.tap(LOOK)
    alice.tap("Draft")
    assert "0.72 ₽" in alice.last and not any("photo" in message for message in alice.received)


@SQLITE
def test_the_ladder_of_a_reply_shows_examples_too(shop):
    bot, boss, _job = shop
    alice = bot.rich()
    message = picture(bot, alice)
    boss.photo(png(), caption="warmer light")
    boss.tap("▶")
    bot.forward(90)
    of_its_model(boss, job_of(bot, boss))
    alice.send("warmer light", reply_to=message)
    ladder = alice.last
    alice.tap(LOOK)
    assert shows(bot, job_of(bot, boss))
    alice.tap("‹")
    assert alice.last == ladder
    alice.tap(LOOK)
    alice.tap("▶")
    assert bot.bot.revisions.numbers([job_of(bot, alice).id]) == {job_of(bot, alice).id: 2}


@SQLITE
def test_an_example_of_an_idea_shows_its_model_until_that_has_one_of_its_own(shop):
    bot, boss, job = shop
    boss.forge(f"examples:put:{job.id}:0:logo")
    alice = bot.rich()
    alice.forge("generate:open:z-image")
    alice.tap(LOOK)
    assert shows(bot, job)
    own = deliver(bot, boss)
    of_its_model(boss, own)
    boss.forge(f"examples:put:{job.id}:0:sticker")
    alice.forge("generate:open:z-image")
    alice.tap(LOOK)
    assert shows(bot, own)
    boss.forge(f"examples:pick:{own.id}:0:0")
    boss.tap("✓ The model Z-Image")
    boss.forge(f"examples:drop:logo:{job.id}")
    boss.forge(f"examples:drop:sticker:{job.id}")
    alice.forge("generate:open:z-image")
    assert not looks(alice)


def test_another_persons_result_goes_everywhere_with_the_consent(shop):
    bot, boss, _job = shop
    alice, bob = bot.rich(amount="10"), bot.rich("Bob")
    job = deliver(bot, alice)
    of_its_model(boss, job)
    assert shown_in(bot) == []
    agreed(bot, boss, alice, job)
    of_its_model(boss, job)
    bob.forge("generate:open:z-image")
    assert looks(bob)
    alice.tap("Take it back")
    bob.tap(LOOK)
    assert "any more" in bob.toast and "photo" not in bob.last_message
    bob.forge("generate:open:z-image")
    assert not looks(bob)
    of_its_model(boss, job)
    assert shown_in(bot) == []


def test_an_erasure_takes_the_example_off_cards_and_ladders(shop):
    bot, boss, _job = shop
    alice, bob = bot.rich(amount="10"), bot.rich("Bob")
    job, owner = deliver(bot, alice), user_of(bot, alice).id
    agreed(bot, boss, alice, job)
    of_its_model(boss, job)
    bob.send("a fox")
    assert looks(bob)
    alice.send("/deleteme")
    alice.tap("Yes, forget me")
    bob.tap(LOOK)
    assert "any more" in bob.toast and "photo" not in bob.last_message and kept_of(bot, owner) is None
    bob.send("a boat")
    assert not looks(bob)


@SQLITE
def test_who_agreed_to_ideas_alone_is_shown_there_alone(shop):
    bot, boss, _job = shop
    alice = bot.rich()
    job = deliver(bot, alice)
    agreed(bot, boss, alice, job)
    store = bot.bot.store("ideas/examples").of(user_of(bot, alice).id)
    kept = store.get("results")
    del kept["answers"][str(job.id)]["models"]
    store.put("results", kept)
    boss.forge(f"examples:pick:{job.id}:0:0")
    assert not any(label.startswith("The model") for label in boss.buttons)
    of_its_model(boss, job)
    assert shown_in(bot) == []
    boss.forge(f"examples:put:{job.id}:0:logo")
    alice.forge("generate:open:z-image")
    assert shown_in(bot) == ["logo"] and not looks(alice)


@SQLITE
def test_an_example_that_telegram_has_lost_is_told_and_the_screen_stays(shop):
    bot, boss, job = shop
    of_its_model(boss, job)
    store = bot.bot.store("ideas/examples").of(user_of(bot, boss).id)
    kept = store.get("results")
    for one in kept["shown"].values():
        one["file_id"] = "lost"
    store.put("results", kept)
    alice = bot.rich()
    alice.forge("generate:open:z-image")
    card = alice.last
    alice.tap(LOOK)
    assert "any more" in alice.toast and alice.last == card


@SQLITE
def test_where_examples_are_switched_off_none_is_shown(shop):
    bot, boss, job = shop
    of_its_model(boss, job)
    bot.restart(PLUGINS_OFF="ideas/examples")
    alice = bot.rich()
    alice.send("a fox")
    assert not looks(alice)


@SQLITE
@pytest.mark.parametrize(
    "data",
    [
        "rung:other:0",
        "rung:replies:0",
        "rung:generate:99",
        "order:x:1:1:0",
        "order:generate:1:1:0",
        "lack:x:1:0",
        "back:x",
    ],
)
def test_a_forged_tap_is_told_and_costs_nothing(shop, data):
    bot, _boss, _job = shop
    alice = bot.rich()
    alice.forge(f"model_examples:{data}")
    assert jobs_of(bot, alice) == [] and bot.balance(alice) == 100_000 and (alice.toast or alice.last)
