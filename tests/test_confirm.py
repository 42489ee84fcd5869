"""A confirm button is valid for what it showed: if anything has changed since, the bot asks again."""

import pytest

from storage.orders import overrides
from storage.people import broadcasts
from tests.shop import entries_of, user_of
from tests.till import TWO_OWNERS, open_card, owner, pay_stars
from tests.till import staff as hire

CHANGED = "changed in the meantime"


def data_of(person, start):
    """Return the data of the newest button that begins like this."""
    return next(data for data in person.buttons.values() if data.startswith(start))


def news(bot, count=3, text="News"):
    """Return the owner with a draft of a broadcast of a message, the people, and the message."""
    people = [bot.user(f"Person {number}") for number in range(count)]
    for person in people:
        person.send("/start")
    boss = bot.admin()
    message = boss.send(text)
    boss.send("/broadcast", reply_to=message)
    return boss, people, message


# broadcasts


def test_a_send_button_does_not_send_to_another_audience_than_it_named(start_bot):
    bot = start_bot()
    boss, people, _message = news(bot)
    boss.tap("By ID")
    boss.send(str(people[0].id))
    boss.tap("Send to 1 person…")
    asked, send = boss.last_message, data_of(boss, "broadcast:start")
    boss.send("/admin")
    boss.tap("Broadcast")
    boss.tap("#1")
    boss.tap("everybody")
    boss.forge(send, asked)
    assert CHANGED in boss.toast
    bot.forward(30)
    assert all("News" not in person.last for person in people) and broadcasts.get(1).state == "draft"
    boss.tap("Send to 4 people…")
    boss.tap("✓ Send to 4 people")
    bot.forward(30)
    assert all(person.last == "News" for person in people)


def test_back_and_forth_to_the_same_audience_is_another_question_too(start_bot):
    bot = start_bot()
    boss, people, _message = news(bot)
    boss.tap("Send to")
    send = data_of(boss, "broadcast:start")
    boss.tap("‹ Back")
    boss.tap("those who have paid")
    boss.tap("everybody")
    boss.forge(send)
    bot.forward(30)
    assert broadcasts.get(1).state == "draft" and "News" not in people[0].last


def test_people_get_the_text_that_was_confirmed_whatever_is_edited_since(start_bot):
    bot = start_bot()
    boss, people, message = news(bot)
    boss.tap("👁 Show me")
    boss.tap("Send to")
    boss.edit(message, "Something else")
    boss.tap("✓ Send to")
    bot.forward(30)
    assert [person.last for person in people] == ["News"] * 3


def test_a_message_that_cannot_be_copied_makes_no_broadcast(start_bot):
    bot = start_bot()
    boss = bot.admin()
    message = boss.send("News")
    bot.telegram.fail_next("copyMessage", "500", times=9)
    boss.send("/broadcast", reply_to=message)
    assert "not there any more" in boss.last and broadcasts.newest() == []


# acts on a person


def test_an_old_question_about_one_person_confirms_nothing_about_another(start_bot):
    """Also where the dialogue was closed in between, and its count begins anew."""
    bot = start_bot()
    boss, alice, bob = bot.admin(), bot.user("Alice"), bot.user("Bob")
    for person in (alice, bob):
        person.send("/start")
    bot.bot.drafts.drop(user_of(bot, boss).id)
    boss.forge(f"users:credit:{user_of(bot, alice).id}")
    boss.send("100 for Alice")
    old = data_of(boss, "users:ok")
    boss.forge("users:find")
    boss.send("Bob")  # the end of that dialogue
    boss.forge(f"users:credit:{user_of(bot, bob).id}")
    boss.send("5000 for Bob")
    boss.forge(old)
    assert "done or replaced" in boss.toast
    assert entries_of(bot, alice) == entries_of(bot, bob) == []
    boss.tap("✓ Credit")
    assert entries_of(bot, bob) == [("admin", 500_000)]


def test_an_old_refund_button_gives_back_no_other_payment(start_bot):
    bot = start_bot()
    boss, alice, bob = bot.admin(), bot.user("Alice"), bot.user("Bob")
    old = None
    for person in (alice, bob):
        pay_stars(person)
        open_card(boss, person)
        boss.tap("⭐ Refund")
        boss.tap("refunds:ask:")
        boss.send("by mistake")
        if old is None:
            old = data_of(boss, "refunds:go")
            boss.tap("✓ Refund")
    boss.forge(old)
    assert "done or replaced" in boss.toast
    assert entries_of(bot, bob) == [("stars", 30_000)]


def test_a_payment_in_an_old_list_stays_the_one_it_was(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    pay_stars(alice, "100 ₽")
    open_card(boss, alice)
    boss.tap("⭐ Refund")
    first = data_of(boss, "refunds:ask:")
    bot.clock.forward(60)
    pay_stars(alice, "500 ₽")
    boss.forge(first)
    assert "100 ₽" in boss.last and "500 ₽" not in boss.last


def test_another_amount_is_the_one_on_its_button(start_bot):
    from tests.till import request, transfer

    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    transfer(alice)
    boss.tap("Other amount")
    boss.send("250")
    first = boss.last_message
    boss.send("200")
    assert "instead of 300 ₽" in boss.last
    boss.tap("✓ Approve 250 ₽", first)
    assert entries_of(bot, alice) == [("topup", 25_000)] and "✓ 250 ₽ credited by Boss" in request(boss)["caption"]


# roles, rights, pauses


def test_a_role_given_meanwhile_by_another_owner_is_asked_about_again(start_bot):
    bot = start_bot(ADMIN_IDS=TWO_OWNERS)
    boss, oleg, sam = bot.admin(), owner(bot), bot.user("Sam")
    sam.send("/start")
    number = user_of(bot, sam).id
    boss.forge(f"team:ask:{number}:cashier")
    oleg.forge(f"team:ask:{number}:admin")
    oleg.tap("✓ Yes")
    boss.tap("✓ Yes")
    assert CHANGED in boss.toast and user_of(bot, sam).role == "admin"
    assert "Sam: admin" in boss.last


def test_the_button_of_one_pause_does_not_end_the_next(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    boss.send("/pause lunch")
    first = data_of(boss, "pause:end")
    bot.clock.forward(60)
    boss.send("/resume")
    bot.clock.forward(60)
    boss.send("/pause lunch")
    boss.forge(first)
    assert "paused again since then" in boss.last
    alice.send("/start")
    assert "lunch" in alice.last
    boss.send("/resume")
    assert "Sales are back on" in boss.last


def test_a_group_chosen_meanwhile_is_not_left_by_an_old_button(start_bot):
    bot = start_bot()
    boss = bot.admin()
    one, two = bot.telegram.group("One", boss), bot.telegram.group("Two", boss)
    boss.send("/here", group=one)
    boss.send("/quiet")
    old = data_of(boss, "alerts:alone")
    bot.clock.forward(60)
    boss.send("/here", group=two)
    boss.forge(old)
    assert CHANGED in boss.toast and str(two.id) in bot.bot.runtime_settings.get("STAFF_CHAT")
    boss.tap("In private again")
    assert not bot.bot.runtime_settings.get("STAFF_CHAT")


# prices


def test_a_setting_changed_meanwhile_is_not_put_back(start_bot):
    bot = start_bot()
    boss, sam = bot.admin(), hire(bot, "admin")
    boss.send("/rate 95")
    boss.forge("rates:edit:USD_RATE")
    old = data_of(boss, "rates:reset")
    bot.clock.forward(60)
    sam.send("/rate 99")
    boss.forge(old)
    assert CHANGED in boss.toast and bot.bot.runtime_settings.get("USD_RATE") == "99"
    boss.forge("rates:edit:USD_RATE")
    boss.tap("rates:reset")
    assert not bot.bot.runtime_settings.get("USD_RATE")


def test_two_taps_take_a_model_off_sale_and_do_not_put_it_back(start_bot):
    bot = start_bot()
    boss, sam = bot.admin(), hire(bot, "admin")
    for one in (boss, sam):
        one.forge("terms:model:z-image")
    off = data_of(boss, "terms:switch")
    assert off == data_of(sam, "terms:switch")
    boss.forge(off)
    sam.forge(off)
    assert "z-image" not in bot.bot.generation.catalog.models and "Off sale" in sam.last


def test_terms_set_meanwhile_are_not_cleared(start_bot):
    bot = start_bot()
    boss, sam = bot.admin(), hire(bot, "admin")
    for one, factor in ((boss, "3"), (sam, "4")):
        one.forge("terms:ask:m.z-image:markup")
        one.send(factor)
    boss.tap("↺ Same as the rest")
    assert CHANGED in boss.toast and overrides.in_force()[("model:z-image", "markup")] == "4"
    boss.tap("↺ Same as the rest")
    assert ("model:z-image", "markup") not in overrides.in_force()


@pytest.mark.parametrize("more", [True, False])
def test_apply_all_applies_the_list_it_stands_under(start_bot, more):
    bot = start_bot()
    boss, off = bot.admin(), {"lines": [["gone", {}]], "change": ["off", True], "alone": False}
    found = [("z-image", "gone", off)]
    overrides.record(found, bot.clock.now())
    boss.forge("supply:found:0")
    if more:
        overrides.record([*found, ("veo-3-1", "gone", off)], bot.clock.now())
    boss.tap("supply:all")
    assert (CHANGED in boss.toast) is more
    assert len(overrides.differences()) == (2 if more else 0)


# What pins each button of the staff that does something: what it names never means anything else later.
PINNED = {
    "version": "a version of the row or the question, which grows with every change",
    "seen": "a version, or a mark of the values it was shown with",
    "part": "a file of an order's result, of which nothing changes",
    "former": "what was so before",
    "on": "what is to be so afterwards",
    "topup": "a request, whose amount never changes; another amount stands beside it",
    "code": "a promo code, whose worth never changes",
    "difference": "a difference to KIE, of which nothing changes",
    "change": "a change of the catalogue, of which nothing changes",
    "number": "a broadcast that goes out, of which nothing changes",
}
SAY_ALL = {
    "backup:send",
    "supply:check",
    "promo:export",
    "stats:export",
}  # they look at everything there is, and change nothing


def test_every_button_of_the_staff_that_does_something_names_what_it_confirms(start_bot):
    from tests.test_audit_log import ACTS

    buttons = start_bot().bot.handlers["button"]
    acting = {name.removeprefix("button ") for name in ACTS if name.startswith("button ")} - SAY_ALL
    bare = [route for route in sorted(acting) if not PINNED.keys() & buttons[route].types.keys()]
    assert not bare, f"these confirm whatever is there when they are tapped: {bare}"
