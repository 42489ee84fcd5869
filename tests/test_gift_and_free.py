"""The welcome gift and the free orders per day."""

from storage.money import verify

CARD = "Draft: Z-Image"


def test_a_new_person_gets_the_gift_once(start_bot):
    bot = start_bot(WELCOME_GIFT="30")
    alice = bot.user()
    alice.send("/start")
    alice.send("/start")
    assert bot.balance(alice) == 3000
    assert sum("gift" in message.get("text", "") for message in alice.received) == 1
    bot.restart()
    alice.send("/start")
    assert bot.balance(alice) == 3000


def order(person, text="a fox"):
    person.send("/start")
    person.tap("🖼 Picture")
    person.tap(CARD)
    person.send(text)


def test_free_orders_are_counted_returned_on_failure_and_back_at_midnight(start_bot):
    bot = start_bot(FREE_MODELS="z-image", FREE_RUNS="2")
    alice = bot.user()
    alice.send("/start")
    assert "Free today: 2 orders" in alice.last
    order(alice)
    alice.tap("▶ Create · free (2 left)")
    bot.kie.fail()
    bot.forward(60)
    alice.send("/start")
    assert "Free today: 2 orders" in alice.last  # the failed one came back
    for left in ("2 left", "1 left"):
        order(alice)
        alice.tap(f"▶ Create · free ({left})")
        bot.forward(60)
    alice.send("/start")
    assert "back in 12 hours" in alice.last
    order(alice)
    assert "0.72 ₽ short · top up" in str(alice.buttons)
    bot.restart()
    alice.send("/start")
    assert "back in 12 hours" in alice.last
    bot.clock.forward(12 * 3600)
    alice.send("/start")
    assert "Free today: 2 orders" in alice.last
    assert bot.balance(alice) == 0 and not list(verify.verify())


def test_an_old_free_quote_is_not_taken_when_none_are_left(start_bot):
    bot = start_bot(FREE_MODELS="z-image", FREE_RUNS="1")
    alice = bot.user()
    order(alice)
    button = alice.buttons["▶ Create · free (1 left)"]
    alice.tap("▶ Create")
    alice.forge(button)
    order(alice, "another")
    assert "free" not in str(alice.buttons)
    assert len(bot.kie.tasks()) == 1


def test_midnight_is_the_persons_own(start_bot):
    bot = start_bot(FREE_MODELS="z-image", FREE_RUNS="1")
    alice = bot.user()
    alice.send("/timezone +3")
    order(alice)
    alice.tap("▶ Create · free")
    bot.forward(60)
    alice.send("/start")
    assert "back in 9 hours" in alice.last


def test_an_admin_does_not_use_up_free_orders(start_bot):
    bot = start_bot(FREE_MODELS="z-image")
    boss = bot.admin()
    order(boss)
    assert "free" not in str(boss.buttons)
