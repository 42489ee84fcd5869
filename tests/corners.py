"""Buttons that no walk from the commands reaches, and how to get to each of them.

A route is called with a bot, its owner and a person with money. When it returns, the button is on the newest keyboard
of the person it returns. The bot sells the catalogue that `catalogue` wrote, which differs from KIE's offer.
"""

import json

from core.buttons import mark
from kie.catalogue.offers import RUNGS, change_of
from kie.catalogue.pricing import steps
from storage.base import db
from storage.base.tables import Recipient
from storage.journal import events
from storage.journal.event_kinds import JobOverrun
from storage.money import ledger
from storage.people import arrivals, broadcasts
from tests import test_yookassa as cards
from tests import till
from tests.kit import ROOT, png
from tests.shop import job_of, order, picture, user_of
from tests.test_monthly import subscribe
from tests.test_replies import edited
from tests.test_voice import speak

DEARER = "z-image"
CHOICES_MANY = 12
SETTINGS = {"queue": {"TRANSFER_UNIQUE": "1"}, "monthly": {"MONTHLY_AMOUNT": "500"}}  # of a plugin's routes
BY_PROVIDER = ("online", "payback")  # their bots have YooKassa's stand-in, whose control is `bot.shop`


def catalogue(folder):
    """Write a catalogue with a model that KIE does not have, and one price that is not KIE's; return its path."""
    data = json.loads((ROOT / "data" / "models.json").read_text(encoding="utf-8"))
    dearer = next(raw for raw in data["models"] if raw["id"] == DEARER)
    dearer["price"][0]["credits"] = "0.5"
    data["models"].append(dearer | {"id": "nobody/has-this", "code": "nobody"})
    path = folder / "models.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def inputs(bot, fits):
    """Yield (model, input, its place) for every input of a model on sale that fits."""
    for model in bot.bot.generation.catalog.models.values():
        for place, spec in enumerate(model.inputs):
            if spec.shown != "hidden" and fits(spec):
                yield model, spec, place


def asked(bot, person, fits):
    """Open the question of the first input that fits; return the person."""
    model, _spec, place = next(inputs(bot, fits))
    person.forge(f"generate:open:{model.code}")
    person.forge(f"inputs:set:{model.code}:{place}")
    return person


def a_list_of_choices(bot, boss, anna):
    """Come to a question with more choices than a screen has room for."""
    return asked(bot, anna, lambda spec: spec.kind == "choice" and len(steps(spec)) > CHOICES_MANY)


def a_number(bot, boss, anna):
    """Come to a question for a number of any size."""
    return asked(bot, anna, lambda spec: spec.kind == "number" and not steps(spec))


def an_earlier_result(bot, boss, anna):
    """Come to a question for an earlier result, having one."""
    on_sale = bot.bot.generation.catalog.models
    fitting = (one for one in inputs(bot, lambda spec: spec.kind == "task") if one[1].sources[0] in on_sale)
    model, spec, place = next(fitting)
    anna.send("a song about a fox")
    anna.forge(f"generate:open:{on_sale[spec.sources[0]].code}")
    anna.tap("orders:go")
    bot.forward(900, step=60)
    anna.forge(f"generate:open:{model.code}")
    anna.forge(f"inputs:set:{model.code}:{place}")
    return anna


def too_little_money(bot, boss, anna):
    """Come to a card that costs more than there is."""
    poor = bot.user("Poor")
    poor.send("a fox in the snow")
    poor.forge("generate:open:z-image")
    return poor


def what_an_order_lacks(bot, boss, anna):
    """Come to the screen that says what an order lacks."""
    poor = too_little_money(bot, boss, anna)
    poor.tap(next(data for data in poor.buttons.values() if data.startswith("payments:lack")))
    return poor


def what_failed(bot, boss, anna):
    """Hear that an order has failed."""
    bot.kie.fail_next()
    order(bot, anna)
    bot.forward(60)
    return anna


def a_declined_transfer(bot, boss, anna):
    """Hear that a transfer was declined."""
    till.transfer(anna)
    boss.tap("✗ Decline", message=till.request(boss))
    boss.tap("the payment was not found")
    return anna


def a_draft_with_buttons(bot, boss, anna):
    """Write a broadcast with a button below it."""
    boss.send("/broadcast")
    boss.send("News")
    boss.tap("Buttons")
    boss.send("All models /models")
    return boss


def the_buttons_of_a_draft(bot, boss, anna):
    """Look at the buttons of a broadcast."""
    a_draft_with_buttons(bot, boss, anna).tap("Buttons")
    return boss


def news_with_a_button(bot, boss, anna):
    """Get a broadcast with a button."""
    a_draft_with_buttons(bot, boss, anna).tap("Send to")
    boss.tap("✓ Send to")
    bot.forward(30)
    return anna


def a_time(bot, boss, anna):
    """Name the time of a broadcast."""
    boss.send("/broadcast")
    boss.send("News")
    boss.tap("Send to")
    boss.tap("🕓")
    boss.send("23:30")
    return boss


def a_broadcast_for_later(bot, boss, anna):
    """Have a broadcast wait for its time."""
    a_time(bot, boss, anna).tap("later:set")
    return boss


def a_reason(bot, boss, anna):
    """Write the reason for which somebody is blocked."""
    boss.forge(f"users:block:{user_of(bot, anna).id}")
    boss.send("was rude")
    return boss


def card_of(bot, boss, anna, **state):
    """Open the card of a person in a state."""
    bot.bot.users.change(user_of(bot, anna), **state)
    till.open_card(boss, anna)
    return boss


def another_amount(bot, boss, anna):
    """Write what really came with a transfer."""
    till.transfer(anna)
    boss.tap("transfer:other:1:amount", till.request(boss))
    boss.send("250")
    return boss


def a_refund(bot, boss, anna):
    """Write the reason of a refund."""
    till.pay_stars(anna)
    boss.forge(f"refunds:list:{user_of(bot, anna).id}")
    boss.tap("refunds:ask:")
    boss.send("by mistake")
    return boss


def a_broadcast(bot, boss, anna, state):
    """Look at a broadcast that is under way: from here on the bot answers, and nothing goes out."""
    boss.send("/broadcast", reply_to=boss.send("News"))
    number = broadcasts.newest()[0].id
    broadcasts.start(number, 1, None, bot.clock.now(), bot.bot.users.by_telegram_id(boss.id).id)
    broadcasts.move(number, ["running"], state, bot.clock.now())

    def answer():
        bot.runtime.updates.fetch(wait_s=0)
        bot.runtime.updates.executor.run_waiting()

    bot.telegram.pump = answer
    boss.forge(f"broadcast:draft:{number}")
    return boss


def doubtful_copies(bot, boss, anna):
    """Look at a broadcast that has ended with every copy in doubt."""
    a_broadcast(bot, boss, anna, "done")
    with db.transaction():
        Recipient.update(state="doubt").execute()
    boss.forge(f"broadcast:draft:{broadcasts.newest()[0].id}")
    return boss


def whose_copies(bot, boss, anna):
    """Look whose copies are in doubt."""
    doubtful_copies(bot, boss, anna).tap("broadcast:who:")
    return boss


def a_generous_code(bot, boss, anna):
    """Make a code of a percentage that takes an owner's word."""
    boss.send("/newpromo LOTS 9999% 5")
    return boss


def a_large_code(bot, boss, anna):
    """Look at a code of somebody else's that waits to be confirmed."""
    terms = {"total_limit": 1, "author": user_of(bot, anna).id, "now": bot.clock.now(), "waits": True}
    bot.bot.promo.create("LARGE", "amount", 10**7, **terms)
    bot.pump()
    boss.forge("promo:show:LARGE")
    return boss


def a_debt(bot, boss, anna):
    """Open the card of somebody who owes and has money again."""
    her, now = user_of(bot, anna).id, bot.clock.now()
    ledger.force(her, ledger.balance(her) + 100, kind="chargeback", key="chargeback:x", now=now)
    ledger.post(her, 500, kind="gift", key="more", now=now)
    till.open_card(boss, anna)
    return boss


def an_overrun(bot, boss, anna):
    """Hear that KIE took more than the catalogue says."""
    order(bot, anna)
    bot.forward(120)
    events.emit(JobOverrun(job=job_of(bot, anna).id), bot.clock.now())
    bot.forward(60)
    return boss


def a_group(bot, boss, anna):
    """Have alarms go to a group, and look where they go."""
    boss.send("/here", group=bot.telegram.group("Staff", boss))
    boss.forge("alerts:show")
    return boss


def differences(bot, boss, anna):
    """Have the catalogue compared with KIE."""
    boss.send("/catalog")
    boss.tap("supply:check")
    bot.pump()
    return boss


def list_of_differences(bot, boss, anna):
    """Look at what differs."""
    differences(bot, boss, anna).tap("supply:found")
    return boss


def one_difference(bot, boss, anna):
    """Look at the price that differs."""
    list_of_differences(bot, boss, anna).tap("💰")
    return boss


def a_change_made(bot, boss, anna):
    """Look at a change that was applied."""
    one_difference(bot, boss, anna).tap("supply:apply")
    boss.forge("supply:done:0")
    return boss


def nothing_on_the_ladder(bot, boss, anna):
    """Send a text while every rung is switched off."""
    for work in bot.bot.generation.live_catalogue.offers.works:
        for name in RUNGS:
            bot.bot.overrides.put(*change_of(work, name), {"off": True}, now=bot.clock.now())
    bot.bot.generation.live_catalogue.forget()
    anna.send("a fox in the snow")
    return anna


def kinds_of_work(bot, boss, anna):
    """Look at every kind of work for a text that has no ladder."""
    nothing_on_the_ladder(bot, boss, anna).tap("uses:works")
    return anna


def words_for_a_photo(bot, boss, anna):
    """Write the words for a photo after it."""
    anna.photo(png())
    anna.send("make it snow")
    return anna


def a_ladder_too_dear(bot, boss, anna):
    """Ask for a picture without money."""
    poor = bot.user("Poor")
    poor.send("a fox in the snow")
    return poor


def all_models(bot, boss, anna):
    """Leave a ladder for the models."""
    anna.send("a fox in the snow")
    anna.tap("uses:works")
    return anna


def another_model_on_a_rung(bot, boss, anna):
    """Put a model on a rung, and look at that rung."""
    boss.forge("rungs:pick:text-to-image:draft:grok2")
    boss.forge("rungs:rung:text-to-image:draft:0")
    return boss


def richer_words(bot, boss, anna):
    """Have the words of a ladder written better."""
    anna.send("a fox in the snow")
    anna.tap("better:ask")
    return anna


def texts_with_a_word(bot, boss, anna):
    """Look for texts with a word."""
    boss.send("/texts catch")
    return boss


def a_text(boss):
    """Look at one text."""
    boss.forge(f"texts:show:{mark('common.lost')}:en")
    return boss


def a_new_text(bot, boss, anna):
    """Send a text in one's own words."""
    a_text(boss).send("Pardon?")
    return boss


def a_text_of_ones_own(bot, boss, anna):
    """Look at a text that was changed."""
    a_new_text(bot, boss, anna).tap("texts:use")
    return a_text(boss)


def texts_that_were_changed(bot, boss, anna):
    """Begin to look for a text when one was changed."""
    a_text_of_ones_own(bot, boss, anna).send("/texts")
    return boss


def many_texts(bot, boss, anna):
    """Look for texts with a word that many have."""
    boss.send("/texts order")
    return boss


def a_text_changed_twice(bot, boss, anna):
    """Look at a text that was changed twice."""
    a_text_of_ones_own(bot, boss, anna).send("Sorry?")
    boss.tap("texts:use")
    return a_text(boss)


# replies and versions


def a_reply(bot, boss, anna):
    """Say what to change in a picture."""
    anna.send("warmer light", reply_to=picture(bot, anna))
    return anna


def a_reply_without_money(bot, boss, anna):
    """Say what to change when all the money went into the picture."""
    poor = bot.rich("Poor", "1")
    poor.send("warmer light", reply_to=picture(bot, poor))
    return poor


def a_reply_to_a_lost_file(bot, boss, anna):
    """Say what to change in a picture that bots cannot get from Telegram any more."""
    first, job = picture(bot, anna), job_of(bot, anna)
    with db.transaction():
        job.sent = [job.sent[0] | {"size": 30 * 1024 * 1024}]
        job.save()
    bot.clock.forward(25 * 3600)
    anna.send("warmer light", reply_to=first)
    return anna


def a_lost_file_anew(bot, boss, anna):
    """Be asked for the file of a picture that is lost."""
    a_reply_to_a_lost_file(bot, boss, anna).tap("replies:anew")
    return anna


def a_second_version(bot, boss, anna):
    """Have a picture edited."""
    edited(bot, anna, picture(bot, anna))
    return anna


def versions_in_the_history(bot, boss, anna):
    """Look at a second version in the history."""
    a_second_version(bot, boss, anna).forge(f"history:job:{job_of(bot, anna).id}")
    return anna


def orders_of_before(bot, boss, anna):
    """Look at the history of somebody who came from another bot."""
    person, order = bot.user("Newcomer"), {"kind": "order", "what": "Z Image", "amount": 800, "prompt": "a fox"}
    came = arrivals.Arrival(person.id, lang="en", past=[order | {"at": "2026-01-06T00:00:00+00:00"}])
    arrivals.take(came, "before", "before: people.csv", None, bot.clock.now())
    person.send("/start")
    person.send("/history")
    return person


# spoken words, questions and answers


def spoken_words(bot, boss, anna):
    """Send a voice message."""
    speak(anna)
    return anna


def an_answer(bot, boss, anna):
    """Ask a chat model something."""
    anna.send("/ask")
    anna.send("Why is the sky blue?")
    return anna


def a_part_of_a_question(bot, boss, anna):
    """Write a question so long that an app may have cut it."""
    anna.send("/ask")
    anna.send("Why is the sky blue? " * 180)
    return anna


def no_answer(bot, boss, anna):
    """Ask when no answer comes."""
    bot.kie.trouble("chat", "500", times=0)
    an_answer(bot, boss, anna)
    bot.forward(900, step=100)
    bot.kie.calm()
    return anna


# money every month, by providers, and by transfers of different sums


def an_offer_for_every_month(bot, boss, anna):
    """Look at what a sum every month would cost."""
    anna.send("/monthly")
    return anna


def a_link_for_every_month(bot, boss, anna):
    """Get the link that begins a subscription."""
    an_offer_for_every_month(bot, boss, anna).tap("monthly:begin")
    return anna


def a_subscription(bot, boss, anna):
    """Look at one's own subscription."""
    subscribe(bot, anna)
    anna.send("/monthly")
    return anna


def somebodys_subscription(bot, boss, anna):
    """Look at the payments of somebody with a subscription."""
    subscribe(bot, anna)
    till.open_card(boss, anna)
    boss.tap("refunds:list")
    return boss


def a_link(bot, boss, anna):
    """Get a link to pay by card."""
    cards.ask(anna)
    return anna


def a_refused_card(bot, boss, anna):
    """Hear that a payment did not work out."""
    cards.ask(anna)
    bot.shop.decline()
    bot.forward(60)
    return anna


def too_little_came(bot, boss, anna):
    """Hear that less came than was asked for."""
    cards.ask(anna)
    bot.shop.pay(amount="150.00")
    bot.forward(30)
    return boss


def what_to_do_with_it(bot, boss, anna):
    """Look at what came otherwise."""
    too_little_came(bot, boss, anna).tap("online:desk")
    return boss


def payments_of(bot, boss, anna):
    """Look at the payments of somebody who has paid by card."""
    cards.paid(bot, anna, bot.shop)
    till.open_card(boss, anna)
    boss.tap("refunds:list")
    return boss


def payments_by_card(bot, boss, anna):
    """Look at those by card alone."""
    payments_of(bot, boss, anna).tap("payback:list")
    return boss


def how_much_goes_back(bot, boss, anna):
    """Choose a payment that goes back."""
    payments_by_card(bot, boss, anna).tap("payback:ask")
    return boss


def why_it_goes_back(bot, boss, anna):
    """Write why all of it goes back."""
    how_much_goes_back(bot, boss, anna).tap("payback:all")
    boss.send("by mistake")
    return boss


def two_transfers(bot, boss, anna):
    """Have two transfers wait, and open the menu."""
    for person in (anna, bot.user("Bob")):
        till.transfer(person)
    boss.send("/admin")
    return boss


def transfers_by_sum(bot, boss, anna):
    """Look at the transfers by their sums."""
    two_transfers(bot, boss, anna).tap("queue:list")
    return boss


def all_transfers(bot, boss, anna):
    """Begin to approve all of them."""
    transfers_by_sum(bot, boss, anna).tap("queue:all")
    return boss


def a_result_that_is_asked_for(bot, boss, anna):
    """Ask a person whether a result may be an example."""
    order(bot, anna)
    bot.forward(60)
    boss.send(f"/example {job_of(bot, anna).id}")
    bot.pump()
    return anna


def a_result_that_may_be_shown(bot, boss, anna):
    """Have the person agree."""
    a_result_that_is_asked_for(bot, boss, anna).tap("✓ Yes")
    bot.pump()
    return boss


def ideas_for_a_result(bot, boss, anna):
    """Show the ideas that it could be the example of."""
    a_result_that_may_be_shown(bot, boss, anna).tap("★")
    return boss


def a_result_that_is_shown(bot, boss, anna):
    """Show them again once it is the example of one."""
    ideas_for_a_result(bot, boss, anna).tap("Logo")
    boss.forge(f"examples:pick:{job_of(bot, anna).id}:0:0")
    return boss


def a_model_with_an_example(bot, boss, anna):
    """Make a result the example of its model, and write words for that model."""
    ideas_for_a_result(bot, boss, anna).tap("The model")
    anna.send("a fox in the snow")
    return anna


def a_card_with_an_example(bot, boss, anna):
    """Open the card of that model."""
    a_model_with_an_example(bot, boss, anna).forge("generate:open:z-image")
    return anna


def an_example_on_a_ladder(bot, boss, anna):
    """Look at it from a ladder."""
    a_model_with_an_example(bot, boss, anna).tap("👁")
    return anna


def an_example_without_money(bot, boss, anna):
    """Do the same with nothing to pay for the rung."""
    a_model_with_an_example(bot, boss, anna)
    poor = bot.user("Poor")
    poor.send("a fox in the snow")
    poor.tap("👁")
    return poor


def many_ways_to_pay(_bot, _boss, anna):
    """Choose an amount where there are more ways to pay than one screen has room for."""
    anna.send("/topup")
    anna.tap("300 ₽")
    return anna


class InGroup:
    """A person as they are in a group: what they see and tap is there."""

    def __init__(self, person, group):
        self._person, self._group = person, group

    @property
    def received(self):
        """The bot's messages in the group, oldest first."""
        return self._group.received

    @property
    def toast(self):
        """What the bot has answered to the last tap."""
        return self._person.toast

    def tap(self, label):
        """Tap a button there."""
        self._person.tap(label, group=self._group)

    def forge(self, data, message):
        """Tap with this data there."""
        self._person.forge(data, message, group=self._group)


def a_mention(bot, _boss, anna):
    """Ask the bot for something in a group."""
    group = bot.telegram.group("Friends", anna)
    anna.send(f"@{bot.bot.username} a fox in the snow", group=group)
    return InGroup(anna, group)


def a_queue_in_a_group(bot, boss, anna):
    """Have an order of a group wait for its turn."""
    bot.kie.trouble("create", "429", times=0)
    there = a_mention(bot, boss, anna)
    there.tap("▶")
    return there


def a_question_without_money(bot, _boss, _anna):
    """Ask a chat model something, with nothing to pay for the answer."""
    poor = bot.user("Poor")
    poor.send("/start")
    poor.send("/ask How long do I boil eggs?")
    return poor


def a_top_up_for_a_question(bot, boss, anna):
    """Look at the amounts to add for it."""
    poor = a_question_without_money(bot, boss, anna)
    poor.tap("+ Top up")
    return poor


def a_question_outside(_bot, _boss, anna):
    """Write a question where pictures are made."""
    anna.send("who painted the Mona Lisa?")
    return anna


def a_photo_that_is_to_talk(_bot, _boss, anna):
    """Open the card of a model that makes a photo talk."""
    anna.photo(png())
    anna.forge("generate:open:avatar")
    return anna


def words_to_say(bot, boss, anna):
    """Write what it is to say."""
    a_photo_that_is_to_talk(bot, boss, anna).send("Happy birthday")
    return anna


def words_to_say_without_money(bot, boss, _anna):
    """Do the same with nothing to pay for the voice."""
    poor = bot.user("Poor")
    poor.send("/start")
    return words_to_say(bot, boss, poor)


def no_voice_for_nothing(bot, boss, anna):
    """Look at the amounts to add for it."""
    poor = words_to_say_without_money(bot, boss, anna)
    poor.tap("voiced:lack")
    return poor


def a_finished_voice(bot, boss, anna):
    """Have the voice made."""
    words_to_say(bot, boss, anna).tap("voiced:rung")
    bot.forward(90)
    return anna


def money_for_a_rung(bot, _boss, _anna):
    """Top up for a rung that was too dear."""
    poor = bot.rich("Poor", "1")
    poor.send("a fox in the snow")
    for tapped in ("Best", "payments:amount", "⭐"):
        poor.tap(tapped)
    poor.pay()
    return poor


def spoken_in_a_talk(_bot, _boss, anna):
    """Say something to a chat model."""
    anna.send("/ask")
    speak(anna)
    return anna


def a_first_day(bot, boss, _anna):
    """The list of a first day, before any backup."""
    boss.send("/admin")
    boss.tap("first:show")
    return boss


def what_is_not_sold(bot, boss, anna):
    """Search for what nobody sells."""
    anna.send("/models xyzzy")
    return anna


def what_was_refused(bot, boss, anna):
    """Come to the page of an order that failed by its own fault."""
    bot.kie.fail_next("400-moderation")
    job = order(bot, anna)
    bot.forward(60)
    anna.forge(f"history:job:{job.id}")
    return anna


WAYS = {
    "orders:again": what_was_refused,
    "models:prices": what_is_not_sold,
    "ask:lack": a_question_without_money,
    "ask:waiting": a_top_up_for_a_question,
    "ask:ladder": a_question_outside,
    "voiced:ask": a_photo_that_is_to_talk,
    "voiced:rung": words_to_say,
    "voiced:prompt": words_to_say,
    "voiced:lack": words_to_say_without_money,
    "voiced:show": no_voice_for_nothing,
    "voiced:use": a_finished_voice,
    "orders:waiting": money_for_a_rung,
    "voice:make": spoken_in_a_talk,
    "groups:work": a_mention,
    "groups:rung": a_mention,
    "groups:cancel": a_queue_in_a_group,
    "backup:send": a_first_day,
    "examples:answer": a_result_that_is_asked_for,
    "examples:pick": a_result_that_may_be_shown,
    "examples:put": ideas_for_a_result,
    "examples:drop": a_result_that_is_shown,
    "model_examples:card": a_card_with_an_example,
    "model_examples:rung": a_model_with_an_example,
    "model_examples:back": an_example_on_a_ladder,
    "model_examples:order": an_example_on_a_ladder,
    "model_examples:lack": an_example_without_money,
    "replies:work": a_reply,
    "replies:rung": a_reply,
    "replies:all": a_reply,
    "replies:lack": a_reply_without_money,
    "replies:anew": a_reply_to_a_lost_file,
    "replies:show": a_lost_file_anew,
    "replies:edit": a_second_version,
    "versions:back": a_second_version,
    "versions:show": versions_in_the_history,
    "history:past": orders_of_before,
    "voice:yes": spoken_words,
    "voice:correct": spoken_words,
    "voice:sound": spoken_words,
    "ask:new": an_answer,
    "ask:send": a_part_of_a_question,
    "answers:again": no_answer,
    "monthly:begin": an_offer_for_every_month,
    "monthly:show": a_link_for_every_month,
    "monthly:change": a_subscription,
    "monthly:end": somebodys_subscription,
    "online:check": a_link,
    "online:start": a_refused_card,
    "online:desk": too_little_came,
    "online:credit": what_to_do_with_it,
    "online:apart": what_to_do_with_it,
    "payback:list": payments_of,
    "payback:ask": payments_by_card,
    "payback:all": how_much_goes_back,
    "payback:go": why_it_goes_back,
    "queue:list": two_transfers,
    "queue:approve": transfers_by_sum,
    "queue:all": transfers_by_sum,
    "queue:go": all_transfers,
    "texts:list": many_texts,
    "texts:former": a_text_changed_twice,
    "texts:show": texts_with_a_word,
    "texts:use": a_new_text,
    "texts:back": a_text_of_ones_own,
    "texts:changed": texts_that_were_changed,
    "better:use": richer_words,
    "uses:best": nothing_on_the_ladder,
    "suggest:show": kinds_of_work,
    "ladder:alone": words_for_a_photo,
    "ladder:show": all_models,
    "ladder:lack": a_ladder_too_dear,
    "rungs:reset": another_model_on_a_rung,
    "inputs:page": a_list_of_choices,
    "inputs:nudge": a_number,
    "inputs:result": an_earlier_result,
    "payments:lack": too_little_money,
    "payments:ways": many_ways_to_pay,
    "lack:agree": what_an_order_lacks,
    "orders:retry": what_failed,
    "transfer:resend": a_declined_transfer,
    "under:none": the_buttons_of_a_draft,
    "under:open": news_with_a_button,
    "later:set": a_time,
    "later:cancel": a_broadcast_for_later,
    "users:ok": a_reason,
    "users:unblock": lambda *all_: card_of(*all_, banned=True),
    "users:resume": lambda *all_: card_of(*all_, sales_paused=True),
    "transfer:exact": another_amount,
    "refunds:go": a_refund,
    "broadcast:pause": lambda *all_: a_broadcast(*all_, "running"),
    "broadcast:stop": lambda *all_: a_broadcast(*all_, "running"),
    "broadcast:who": doubtful_copies,
    "broadcast:again": whose_copies,
    "broadcast:resume": lambda *all_: a_broadcast(*all_, "paused"),
    "promo:sure": a_generous_code,
    "promo:confirm": a_large_code,
    "users:collect": a_debt,
    "overrun:pause": an_overrun,
    "alerts:alone": a_group,
    "supply:found": differences,
    "supply:one": list_of_differences,
    "supply:all": list_of_differences,
    "supply:apply": one_difference,
    "supply:dismiss": one_difference,
    "supply:undo": a_change_made,
}
