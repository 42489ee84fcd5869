"""The second mode of `crash.py`: one kill before every step of the paths that move money.

A scenario is played again and again; in round n the bot kills itself before the n-th step (see `doomed.py`) after the
scenario's update has arrived, and is started again at once. When a round ends without a kill, every step has been
covered. The bot's clock runs 20 times faster, so that nobody waits for a poll.
"""

import itertools
import logging
import time
from pathlib import Path

from bench.books import reading
from bench.load import FROM_PICTURE, NoAnswer, Servers, Town, picture
from bench.process import LAUNCHER, Process, free_port
from bench.settle import finish, settle
from storage.base.tables import Job

SPEED = 20
PATIENCE_S = 25
QUIET_S = 0.3


class Stage:
    """A bot, a customer, an admin and a planned kill."""

    def __init__(self, servers, url, folder, plant):
        self.url, self.doom = url, Path(folder) / "doom"
        clock = {"CLOCK_SPEED": str(SPEED), "CLOCK_START": str(time.time())}
        environ = servers.settings(
            url, folder, PORT=str(free_port()), DOOM_FILE=str(self.doom), PLANT=plant,
            USER_JOBS="1000",  # lost ones count for half an hour
            **clock,
        )  # fmt: skip
        self.servers, self.process = servers, Process(environ, Path(folder) / "bot.log", LAUNCHER)
        self.process.start_first()
        self.process.keep_alive()
        self.town = Town(servers, 1)
        self.customer, self.admin = self.town.customers[0], self.town.admins[0]
        for human in (*self.town.admins, self.customer):
            human.patience_s = PATIENCE_S
            human.arrive()
        self.customer.stars()

    def arm(self, number, mark):
        """Plan the kill before the step `number`, counted from the update that contains `mark`.

        Updates handled so far have left the inbox first; otherwise they would be handled again after the kill, and
        would redraw the card whose quote is about to be confirmed.
        """
        settle(self.servers, self.url, patience_s=PATIENCE_S, quiet_s=0)
        self.doom.write_text(f"{number}\n{mark}")

    def newcomer(self):
        """Return a new customer who has opened the bot."""
        self.customer = self.town.newcomer()
        self.customer.patience_s = PATIENCE_S
        self.customer.arrive()
        return self.customer

    def disarm(self):
        """Start a process without a planned kill."""
        self.doom.unlink(missing_ok=True)
        deaths = self.process.deaths
        self.process.kill()
        while self.process.deaths == deaths:
            time.sleep(0.01)

    def wait_for_end_of(self, prompt):
        """Wait until the job of a prompt has ended, or is lost, which ends it half an hour later."""

        def look():
            with reading(self.url):
                found = [job.state for job in Job.select() if job.inputs["prompt"] == prompt]
            return found if found and not {"queued", "submitting", "running"} & set(found) else None

        self.customer.until(look, f"the end of the job {prompt!r}")


def order(stage, number, **card):
    """From the confirmed quote to the delivered result."""
    customer = stage.customer
    shown = customer.open_card(**card)
    if shown is None:  # the money is spent
        customer.stars()
        shown = customer.open_card(**card)
    message, _label, data = shown
    prompt = next(reversed(customer.notes.prices))
    stage.arm(number, f'"{data}"')
    customer.tap(message, data)
    stage.wait_for_end_of(prompt)


def edit(stage, number):
    """The same with one of the customer's pictures, which goes from Telegram to KIE on the way."""
    order(stage, number, code=FROM_PICTURE, photo=picture(number))


def stars(stage, number):
    """From the pre-checkout to the receipt."""
    customer, amount = stage.customer, stage.customer.amount()
    invoice = customer.invoice(amount)
    stage.arm(number, '"pre_checkout_query"')
    customer.pay(invoice, amount)
    customer.answer(invoice["message_id"], "balance")


def transfer(stage, number):
    """From the screenshot through the admin's decision to the receipt."""
    customer, admin = stage.newcomer(), stage.admin
    amount = customer.amount()
    screen = customer.answer(customer.say("/topup"), "Top up")
    customer.tap(screen, f"payments:pay:transfer:{amount}")
    stage.arm(number, '"photo"')
    customer.send_proof()
    admin.until(lambda: admin.find("transfer:approve:", screen["message_id"]), "a request to decide on")
    request = admin.find("transfer:approve:", screen["message_id"])
    admin.decide_one(request[0], int(request[2].split(":")[2]), "approve")
    customer.answer(screen["message_id"], "+")


def refusal(stage, number):
    """From an admin's refusal to the message to the payer; another admin's approval comes too late."""
    customer, admin = stage.newcomer(), stage.admin
    screen = customer.answer(customer.say("/topup"), "Top up")
    customer.tap(screen, f"payments:pay:transfer:{customer.amount()}")
    customer.send_proof()
    admin.until(lambda: admin.find("transfer:approve:", screen["message_id"]), "a request to decide on")
    request = admin.find("transfer:approve:", screen["message_id"])
    decided = int(request[2].split(":")[2])
    stage.arm(number, f'"transfer:refuse:{decided}:not_found"')
    admin.decide_one(request[0], decided, "refuse")
    customer.answer(screen["message_id"], "was declined")
    admin.decide_one(request[0], decided, "approve")


def correction(stage, number):
    """From the admin's confirmation to the message to the customer."""
    admin = stage.admin
    confirm, reason = admin.prepare_correction(stage.customer)
    stage.arm(number, f'"{confirm[2]}"')
    admin.confirm_correction(confirm, reason)
    stage.customer.answer(confirm[0]["message_id"], reason)


def _with_a_bonus(stage):
    """Return a new customer who has paid in Stars and got the code's bonus for it."""
    customer = stage.newcomer()
    stage.admin.make_code()  # or learn that it exists
    customer.code()
    customer.stars()
    customer.answer(1, "From your promo code")
    return customer


def refund(stage, number):
    """From an admin's confirmation to the refunded Stars; the bonus goes with the payment."""
    customer, admin = _with_a_bonus(stage), stage.admin
    card = admin.answer(admin.say(f"/user {customer.id}"), f"id {customer.id}")
    confirm = admin.prepare_refund(admin.find("refunds:list:", card["message_id"], f"id {customer.id}"))
    stage.arm(number, f'"{confirm[2]}"')
    admin.tap(confirm[0], confirm[2])
    customer.answer(1, "was taken back")


def chargeback(stage, number):
    """From Telegram's report that the Stars are gone to the message to the payer; the bonus goes with the payment."""
    customer = _with_a_bonus(stage)
    stage.arm(number, '"refunded_payment"')
    customer.charge_back()
    customer.answer(1, "was taken back")


SCENARIOS = (order, edit, stars, transfer, refusal, correction, refund, chargeback)


def kill_everywhere(url, folder, *, plant="", scenarios=SCENARIOS, numbers=None, write=print):
    """Play every scenario with a kill before each of its steps (or `numbers` of them); return the differences."""
    servers = Servers()
    stage = Stage(servers, url, folder, plant)
    try:
        counts = []
        for scenario in scenarios:
            counts.append(f"{scenario.__name__} {_play(stage, scenario, numbers or itertools.count(1))}")
            logging.info("%s kills", counts[-1])
        kind = url.partition(":")[0]
        title = (
            f"{kind}: a kill before every step ({', '.join(counts)}){', without the guard ' + plant if plant else ''}"
        )
        return finish(servers, stage.town, stage.process, url, title, write)
    finally:
        stage.process.end()
        servers.stop()


def _play(stage, scenario, numbers):
    """Play the rounds of one scenario and return the number of kills."""
    kills = 0
    for number in numbers:
        deaths = stage.process.deaths
        try:
            scenario(stage, number)
        except NoAnswer:
            stage.town.notes.unanswered[-1] += f" ({scenario.__name__}, step {number})"
        settle(stage.servers, stage.url, patience_s=PATIENCE_S, quiet_s=QUIET_S)
        if stage.process.deaths == deaths:
            stage.disarm()
            return kills
        kills += 1
    return kills
