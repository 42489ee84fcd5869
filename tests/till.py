"""Helpers for the tests of payments and admin work: paying as people do, deciding as admins do."""

from demo.kit import RawBot
from tests.kit import TOKEN, png

OLEG = 5000000899  # a second owner
TWO_OWNERS = f"5000000900,{OLEG}"


def invoice(person, amount="300 ₽"):
    """Choose an amount and ask for an invoice in Stars; return its message."""
    person.send("/topup")
    person.tap(amount)
    person.tap("⭐")
    return person.last_message


def pay_stars(person, amount="300 ₽"):
    """Pay with Stars; return the charge id."""
    invoice(person, amount)
    return person.pay()["charge_ids"][0]


def transfer(person, amount="300 ₽", picture=None):
    """Choose an amount, ask for the details and send a screenshot."""
    person.send("/topup")
    person.tap(amount)
    person.tap("🏦")
    person.photo(picture or png(f"screenshot of {person.id}"))


def pay_unheard(bot, person, message=None, times=1):
    """Pay while the bot hears nothing of it: what Telegram tells is lost on the way. Return the (first) charge id."""
    raw = RawBot(bot.telegram.url, TOKEN)

    def swallow():
        """Answer the pre-checkout in the bot's place, and confirm everything to Telegram."""
        for update in raw.updates():
            if "pre_checkout_query" in update:
                raw("answerPreCheckoutQuery", pre_checkout_query_id=update["pre_checkout_query"]["id"], ok=True)

    own, bot.telegram.pump = bot.telegram.pump, swallow
    charge = person.pay(message, times=times)["charge_ids"][0]
    swallow()
    bot.telegram.pump = own
    return charge


def pay_with_charge(bot, person, charge, amount="300 ₽", stars=188, **more):
    """Have the bot told of a payment for a new invoice, under a charge that Telegram's own list does not have."""
    invoice(person, amount)
    payment = {
        "currency": "XTR",
        "total_amount": stars,
        "invoice_payload": bot.telegram.calls("sendInvoice")[-1]["params"]["payload"],
        "telegram_payment_charge_id": charge,
        "provider_payment_charge_id": "",
    } | more
    sender, chat = {"id": person.id, "is_bot": False, "first_name": "P"}, {"id": person.id, "type": "private"}
    message = {"message_id": 900_000, "from": sender, "chat": chat, "date": int(bot.clock.now().timestamp())}
    bot.telegram.update(message=message | {"successful_payment": payment})


def charge_back_unheard(bot, person, charge):
    """Take a payment back outside the bot, which hears nothing of it."""
    raw = RawBot(bot.telegram.url, TOKEN)
    own, bot.telegram.pump = bot.telegram.pump, lambda: raw.updates()
    person.refund(charge)
    raw.updates()
    bot.telegram.pump = own


def owner(bot, name="Oleg", lang="en"):
    """Return the second owner, who has opened the bot (started with ADMIN_IDS=TWO_OWNERS)."""
    person = bot.telegram.person(name, id=OLEG, language_code=lang)
    person.send("/start")
    return person


def staff(bot, role, name="Sam"):
    """Return somebody to whom the owner has given a role, from the chat."""
    boss, person = bot.admin(), bot.user(name)
    person.send("/start")
    open_card(boss, person)
    boss.tap("Role")
    boss.tap(f"team:ask:{bot.bot.users.by_telegram_id(person.id).id}:{role}")
    boss.tap("✓ Yes")
    return person


def open_card(admin, person):
    """Open a person's card by their id."""
    admin.send(f"/user {person.id}")
    assert str(person.id) in admin.last and "Balance" in admin.last


def request(admin):
    """Return the newest top-up request an admin has received."""
    return [message for message in admin.received if "photo" in message or "document" in message][-1]
