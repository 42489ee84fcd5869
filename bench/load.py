"""A town that uses the bot: customers pay, order, take money back and ask to be forgotten; admins decide and refund.

Everybody acts through the control plane of the local Telegram, waits for the bot's answer, and notes what the outside
world saw: payments Telegram took, decisions that were tapped, prices that were shown. `bench/books.py` compares these
notes and the two servers' own records with the ledger.
"""

import io
import random
import re
import threading
import time
from collections import Counter

from PIL import Image

from bench.payers import Providers
from demo import kit
from demo import server as telegram_server
from demo.rules import TAP_ANSWER_S
from kie.stub import server as stub
from kie.stub.control import Control

TOKEN = "1:DEMO-token-of-no-use-anywhere"
ADMINS = (5000000900, 5000000901)
PATIENCE_S = 60  # for one answer; a bot that is killed every few seconds needs some time
LOOK_S = 0.15  # between two checks by one person
LINK_S = 15  # for a payment link
ORDER, EDIT, TRANSFER, STARS, BALANCE = "order", "edit", "transfer", "stars", "balance"
CODE, CHARGE_BACK, FORGET, CARD, CRYPTO = "code", "charge_back", "forget", "card", "crypto"
IN_GROUP = "in_group"
GOALS = {
    ORDER: 8,
    EDIT: 2,
    IN_GROUP: 3,
    BALANCE: 4,
    STARS: 4,
    TRANSFER: 2,
    CODE: 2,
    CHARGE_BACK: 2,
    FORGET: 2,
    CARD: 3,
    CRYPTO: 2,
}
PROMO, PERCENT = "TOWN", 10  # the code everybody knows, and what it adds to a top-up
FROM_WORDS, FROM_PICTURE = "z-image", "nanobanana-edit"  # codes of the models that are ordered
BAD_CALLS = 0.2  # a second: how often a payment provider answers badly
FAILING_TASKS = 0.1  # a second, with 50 customers: how often KIE lets a task fail


def kopecks(text):
    """Return the first amount of roubles in an English text, in kopecks, or None."""
    found = re.search(r"(\d[\d,\u00a0\u202f ]*(?:\.\d+)?)\s*₽", text)
    return round(float(re.sub(r"[^\d.]", "", found[1])) * 100) if found else None


def picture(number):
    """Return a PNG that is different for every number."""
    stream = io.BytesIO()
    Image.new("RGB", (64, 64), tuple(number.to_bytes(3, "big"))).save(stream, "PNG")
    return stream.getvalue()


class Servers:
    """The local Telegram and the KIE stub, in this process, so that they survive the bot."""

    def __init__(self, seconds=(0.2, 1.0)):
        self.telegram_server = telegram_server.start(token=TOKEN, admin_ids=ADMINS)
        self.kie_server = stub.start(seconds=seconds, side=320)  # CPU time is for the bot, not for painting
        self.telegram, self.kie = kit.Telegram(self.telegram_server.url), Control(self.kie_server.api_url)
        self.providers = Providers()

    def settings(self, database_url, data_dir, **more):
        """Return the environment of a bot that uses both."""
        return (
            {
                "TELEGRAM_BOT_TOKEN": TOKEN,
                "TELEGRAM_API_URL": self.telegram_server.url,
                "KIE_STUB": "1",
                "KIE_API_URL": self.kie_server.api_url,
                "KIE_UPLOAD_URL": self.kie_server.upload_url,
                "ADMIN_IDS": ",".join(map(str, ADMINS)),
                "DATABASE_URL": database_url,
                "DATA_DIR": str(data_dir),
                "USD_RATE": "90",
                "WELCOME_RUNS": "0",
                "TRANSFER_DETAILS": "Test Bank 0000 1111",
                "FLOOD_MESSAGES": "1000",
            }
            | self.providers.settings(more.get("PORT"))
            | more
        )

    def stop(self):
        """Stop both."""
        self.telegram_server.stop()
        self.kie_server.stop()
        self.providers.stop()


class Notes:
    """What the people know of the world outside the bot. Written by many threads, each to its own keys."""

    def __init__(self):
        self.paid = {}  # Telegram's charge id → (person id, kopecks the person chose to pay)
        self.online = {}  # payment id of a provider → person id
        self.requests = {}  # number of a transfer → {"person", "amount", "taps": set of approve and refuse}
        self.corrections = {}  # reason → (person id, kopecks), confirmed by an admin
        self.doubtful = set()  # reasons of corrections that the bot said were "done or replaced before"
        self.prices = {}  # prompt → kopecks shown on the button that was tapped
        self.balances = {}  # person id → kopecks in the last answer to /balance
        self.codes_tried, self.codes_taken = Counter(), Counter()  # person id → how often; the bot's yes may be lost
        self.unanswered = []  # what was done without an answer
        self.done = Counter()


class Human:
    """Somebody with a chat, who acts and waits for the bot's answer."""

    def __init__(self, servers, notes, first_name, rng, **fields):
        self.notes, self.rng, self.providers = notes, rng, servers.providers
        self.telegram = kit.Telegram(servers.telegram_server.url)  # a connection of its own, as each person is a thread
        self.person = self.telegram.person(first_name, language_code="en", **fields)
        self.id = self.person.id
        self.patience_s = PATIENCE_S
        self._sent = 0  # number of the newest own message

    def fresh(self, first, chat=None):
        """Return the messages from number `first` on, of one's own chat or that of a group."""
        return self.telegram.call("GET", f"/people/{chat or self.id}/messages", params={"after": first - 1})["messages"]

    def until(self, look, about):
        """Repeat `look()` until it returns something, and return that; note what never came."""
        end = time.monotonic() + self.patience_s
        while (found := look()) is None:
            if time.monotonic() > end:
                self.notes.unanswered.append(f"{self.id} {about}")
                raise NoAnswer(about)
            time.sleep(LOOK_S * self.rng.uniform(0.5, 1.5))
        return found

    def answer(self, after, holds=""):
        """Wait for a message of the bot after number `after` that contains `holds`, or one of several such texts."""
        wanted = (holds,) if isinstance(holds, str) else holds

        def look():
            found = (one for one in self.fresh(after + 1) if one["_from_bot"])
            return next((one for one in found if any(part in words(one) for part in wanted)), None)

        return self.until(look, f"message {after}, {holds!r}")

    def say(self, text):
        """Send a text and return its number."""
        self._sent = self.person.send(text)["message_id"]
        return self._sent

    def tap(self, message, data):
        """Tap, wait until the tap is answered, which the bot does last, and return the text of that answer.

        A tap that waited too long while the bot was dead can no longer be answered (Telegram refuses); then the bot's
        message counts, a new one or the tapped screen's change.
        """
        chat = message["chat"]["id"]
        body = {"message_id": message["message_id"], "data": data, "chat_id": chat}
        before = self.screens(chat)
        tap = self.telegram.call("POST", f"/people/{self.id}/tap", json=body)["callback_query_id"]
        tapped_at = time.monotonic()

        def look():
            answer = self.telegram.call("GET", f"/taps/{tap}")
            if answer["answered"]:
                return answer["text"]
            late = time.monotonic() - tapped_at > TAP_ANSWER_S
            return "" if late and self.screens(chat) != before else None

        return self.until(look, f"tap {data}")

    def screens(self, chat=None):
        """Return what the bot's newest messages say, to notice a change."""
        return [
            (one["message_id"], words(one), str(one.get("reply_markup")))
            for one in self.fresh(max(1, self._sent - 100), chat)
            if one["_from_bot"]
        ]

    def find(self, start, after=0, holds=""):
        """Return (message, label, data) of the newest button whose data begins so, or None.

        Only messages from number `after` on count, and of those the ones that contain `holds`.
        """
        for message in reversed(self.fresh(after)):
            if holds not in words(message):
                continue
            for row in message.get("reply_markup", {}).get("inline_keyboard", []) if message["_from_bot"] else []:
                for cell in row:
                    if cell.get("callback_data", "").startswith(start):
                        return message, cell["text"], cell["callback_data"]
        return None


class NoAnswer(Exception):
    """The bot did not answer in time; this is noted."""


def words(message):
    """Return what a message says."""
    return message.get("text") or message.get("caption") or ""


def is_answer_to(message, number):
    """Tell whether the bot has answered a message with this one."""
    return message["_from_bot"] and message.get("reply_to_message", {}).get("message_id") == number


class Customer(Human):
    """Pays, orders, cancels, asks."""

    def __init__(self, *args, **fields):
        super().__init__(*args, **fields)
        self._count = 0
        self.known = False  # to the bot
        self.group = None  # of the town
        self.here = threading.RLock()  # nobody is forgotten while an admin is on their card
        self._charges = []

    def arrive(self):
        """Open the bot."""
        self.answer(self.say("/start"))
        self.known = True

    def amount(self):
        """Return a sum of 100 to 400 roubles that hardly anybody else chooses."""
        return self.rng.randint(10_000, 40_000)

    def balance(self):
        """Ask for the balance and note the answer."""
        self.notes.balances[self.id] = kopecks(words(self.answer(self.say("/balance"), "Balance:")))
        self.notes.done[BALANCE] += 1

    def stars(self):
        """Pay with Stars; a payment counts once Telegram has taken it."""
        amount = self.amount()
        self.pay(self.invoice(amount), amount)

    def invoice(self, amount):
        """Ask for an invoice in Stars and return its message."""
        screen = self.answer(self.say("/topup"), "Top up")
        self.tap(screen, f"payments:pay:stars:{amount}")

        def look():
            return next((one for one in reversed(self.fresh(screen["message_id"])) if "invoice" in one), None)

        return self.until(look, "an invoice")

    def pay(self, invoice, amount):
        """Pay an invoice and note the charge."""
        body = {"message_id": invoice["message_id"]}
        paid = self.telegram.call("POST", f"/people/{self.id}/pay", json=body)  # waits for the pre-checkout's answer
        for charge in paid["charge_ids"]:
            self.notes.paid[charge] = (self.id, amount)
            self._charges.append(charge)
        self.notes.done[f"{STARS} {paid['state']}"] += 1

    def card(self):
        """Pay by card or SBP."""
        self.online("yookassa", self.rng.choice(("yookassa.bank_card", "yookassa.sbp")))

    def crypto(self):
        """Pay by crypto."""
        self.online("cryptopay", "cryptopay")

    def online(self, name, way):
        """Ask for a link and do at the provider what payers do; a link that does not come is waited for no longer."""
        screen = self.answer(self.say("/topup"), "Top up")
        self.tap(screen, f"payments:pay:{way}:{self.amount()}")
        host, end = self.providers.urls[name].partition("//")[2].partition("/")[0], time.monotonic() + LINK_S
        while (url := self._link(screen["message_id"], host)) is None and time.monotonic() < end:
            time.sleep(LOOK_S)
        number, what = (None, "no link") if url is None else self.providers.act(name, url, self.rng)
        if number is not None:
            self.notes.online[number] = self.id
        self.notes.done[f"{name} {what}"] += 1

    def _link(self, first, host):
        for message in reversed(self.fresh(first)):
            for row in message.get("reply_markup", {}).get("inline_keyboard", []):
                for cell in row:
                    if host in cell.get("url", ""):
                        return cell["url"]
        return None

    def transfer(self):
        """Ask to pay by transfer and send a screenshot."""
        screen = self.answer(self.say("/topup"), "Top up")
        self.tap(screen, f"payments:pay:transfer:{self.amount()}")
        if any("send the screenshot" in words(one) for one in self.fresh(screen["message_id"])):
            self.send_proof()

    def send_proof(self):
        """Send a screenshot and wait until it is received."""
        sent = self.person.photo(picture(self.rng.randrange(2**24)))
        self.answer(sent["message_id"])
        self.notes.done[TRANSFER] += 1

    def code(self):
        """Redeem the code that adds to the next top-up."""
        self.notes.codes_tried[self.id] += 1
        if "With your next top-up" in words(self.answer(self.say(f"/promo {PROMO}"))):
            self.notes.codes_taken[self.id] += 1
        self.notes.done["codes"] += 1

    def charge_back(self):
        """Take one or all of one's own payments back, past the bot; one that the bot then refunds is left alone."""
        for _ in range(len(self._charges) if self.rng.random() < 0.5 else min(1, len(self._charges))):
            charge = self._charges.pop(self.rng.randrange(len(self._charges)))
            try:
                self.person.refund(charge)
            except AssertionError as refused:
                if "404" not in str(refused):
                    raise
            else:
                self.notes.done["chargebacks"] += 1

    def forget(self):
        """Ask to be forgotten, if nothing is open, and come back."""
        with self.here:
            screen = self.answer(self.say("/deleteme"))
            sure = self.find("privacy:erase:", screen["message_id"])
            if sure is not None:
                self.tap(sure[0], sure[2])
                self.notes.done["forgotten"] += 1
            self.answer(self.say("/start"))

    def order(self):
        """Order a picture from words."""
        self._confirm(self.open_card())

    def edit(self):
        """Order an edit of one's own picture, which the bot takes from Telegram to KIE."""
        self._confirm(self.open_card(FROM_PICTURE, picture(self.rng.randrange(2**24))))

    def in_group(self):
        """Mention the bot in the town's group, and order the lowest rung of what it answers."""
        self._count += 1
        prompt = f"fox {self.id}-{self._count}"
        asked = self.person.send(f"@demo_bot {prompt}", group=self.group)["message_id"]

        def look():
            answers = [one for one in self.fresh(asked, self.group.id) if is_answer_to(one, asked)]
            return next((one for one in answers if "groups:rung:" in str(one.get("reply_markup"))), None)

        ladder = self.until(look, f"the ladder in the group for {asked}")
        lowest = ladder["reply_markup"]["inline_keyboard"][0][0]
        self.notes.prices[prompt] = kopecks(lowest["text"])
        if self.rng.random() < 0.2:
            body = {"message_id": ladder["message_id"], "data": lowest["callback_data"], "chat_id": self.group.id}
            self.telegram.call("POST", f"/people/{self.id}/tap", json=body)
        self.tap(ladder, lowest["callback_data"])
        self.notes.done["orders in the group"] += 1

    def _confirm(self, shown):
        """Confirm the order on the card; sometimes tap twice, sometimes cancel."""
        if shown is None:
            self.notes.done["orders not confirmed"] += 1
            return
        message, _label, data = shown
        if self.rng.random() < 0.2:
            body = {"message_id": message["message_id"], "data": data}
            self.telegram.call("POST", f"/people/{self.id}/tap", json=body)
        self.tap(message, data)
        self.notes.done["orders"] += 1
        if self.rng.random() < 0.15:
            self.cancel(message)

    def open_card(self, code=FROM_WORDS, photo=None):
        """Write a prompt and open a card with it; return (message, label, data) of its confirm button, if any."""
        self._count += 1
        prompt = f"fox {self.id}-{self._count}"
        suggested = self._written(prompt)
        self.tap(suggested, f"generate:open:{code}")
        if photo is not None:
            self.answer(self.person.photo(photo)["message_id"])
            self.tap(suggested, "generate:card")  # several pictures may come; this marks the last one
        shown = self.find("orders:go:", suggested["message_id"])
        if shown is not None:
            self.notes.prices[prompt] = kopecks(shown[1])
        return shown

    def _written(self, prompt):
        """Write a prompt and return its answer, after leaving a request that still waits for its screenshot."""
        number = self.say(prompt)
        suggested = self.answer(number, (prompt, "screenshot of the transfer"))
        if prompt in words(suggested):
            return suggested
        self.answer(self.say("/start"))
        return self.answer(self.say(prompt), prompt)

    def cancel(self, card):
        """Tap the cancel button of an order, if it is still there."""
        shown = self.find("orders:cancel:", card["message_id"])
        if shown is not None:
            time.sleep(self.rng.uniform(0, 2))  # by then it may be running, and the bot has to refuse
            self.tap(shown[0], shown[2])
            self.notes.done["cancel taps"] += 1


class Admin(Human):
    """Decides on transfers, and corrects balances."""

    def __init__(self, *args, customers, **fields):
        super().__init__(*args, **fields)
        self._customers, self._seen, self._last = customers, set(), 0
        self._count = 0

    def arrive(self):
        """Open the bot: from now on it can write to this admin."""
        self.answer(self.say("/start"))

    def decide(self):
        """Decide on every request that has come since the last time."""
        messages = self.fresh(self._last)
        for message in messages:
            rows = message.get("reply_markup", {}).get("inline_keyboard", [])
            data = [cell["callback_data"] for row in rows for cell in row if "callback_data" in cell]
            approve = next((one for one in data if one.startswith("transfer:approve:")), None)
            if approve and approve not in self._seen:
                self._seen.add(approve)
                verdict = "approve" if self.rng.random() < 0.8 else "refuse"
                self.decide_one(message, int(approve.split(":")[2]), verdict)
        self._last = messages[-1]["message_id"] if messages else self._last

    def decide_one(self, message, number, verdict):
        """Approve or refuse the request that a message shows; approving admins sometimes tap twice."""
        person = int(re.search(r"id (\d+)", words(message))[1])
        note = self.notes.requests.setdefault(
            number, {"person": person, "amount": kopecks(words(message)), "taps": set()}
        )
        note["taps"].add(verdict)
        if verdict == "approve":
            for _ in range(self.rng.choice((1, 1, 2))):
                self.tap(message, f"transfer:approve:{number}")
        else:
            self.tap(message, f"transfer:refuse:{number}:not_found")
        self.notes.done["decisions"] += 1

    def make_code(self):
        """Make the code that everybody knows."""
        self.answer(self.say(f"/newpromo {PROMO} {PERCENT}% 100000 999"))

    def correct(self):
        """Give some customer a few roubles."""
        customer = self.rng.choice(self._customers)
        with customer.here:
            found = self.prepare_correction(customer) if customer.known else None
            if found is not None:
                self.confirm_correction(*found)

    def refund(self):
        """Refund some customer's newest payment in Stars that has not gone back yet."""
        self._at_card("refunds:list:", self._give_back)

    def _give_back(self, shown):
        confirm = self.prepare_refund(shown)
        if confirm is not None:
            body = {"message_id": confirm[0]["message_id"], "data": confirm[2]}
            self.telegram.call("POST", f"/people/{self.id}/tap", json=body)  # impatient people tap twice
            self.tap(confirm[0], confirm[2])
            self.notes.done["refunds confirmed"] += 1

    def prepare_refund(self, shown):
        """Go from a card's button to the question of a refund; return its confirm button, or None."""
        self.tap(shown[0], shown[2])
        payment = self.find("refunds:ask:", shown[0]["message_id"])
        if payment is None:
            return None
        self.tap(payment[0], payment[2])
        asked = self.answer(self.say("by mistake"))
        return self.find("refunds:go:", asked["message_id"])

    def pardon(self):
        """Resume sales to some customer who has taken money back."""
        self._at_card("users:resume:", self._resume)

    def _resume(self, shown):
        self.tap(shown[0], shown[2])
        asked = self.answer(self.say("pardoned"))
        confirm = self.find("users:ok:", asked["message_id"], "pardoned")
        if confirm is not None:
            self.tap(confirm[0], confirm[2])
            self.notes.done["pardons"] += 1

    def _at_card(self, start, act):
        """Open some customer's card and act on its button whose data begins so, if there is one."""
        customer = self.rng.choice(self._customers)
        with customer.here:
            if customer.known:
                card = self.answer(self.say(f"/user {customer.id}"), f"id {customer.id}")
                shown = self.find(start, card["message_id"], f"id {customer.id}")
                if shown is not None:
                    act(shown)

    def prepare_correction(self, customer):
        """Say how much to give to whom; return the confirm button and the reason, or None if it did not get there."""
        self._count += 1
        amount, reason = self.rng.randint(1, 300), f"gift {self.id}-{self._count}"
        card = self.answer(self.say(f"/user {customer.id}"), f"id {customer.id}")
        credit = self.find("users:credit:", card["message_id"], f"id {customer.id}")
        if credit is None:
            return None
        self.tap(credit[0], credit[2])
        asked = self.answer(self.say(f"{amount / 100:.2f} {reason}"))
        confirm = self.find("users:ok:", asked["message_id"], reason)
        if confirm is None:
            return None  # the bot was killed in between and shows something else: try again another time
        self.notes.corrections[reason] = (customer.id, amount)
        return confirm, reason

    def confirm_correction(self, confirm, reason):
        """Tap the confirm button twice, as impatient people do."""
        if "done or replaced" in self.tap(confirm[0], confirm[2]):
            self.notes.doubtful.add(reason)  # the bot was killed in between and cannot tell: once, or never
        self.tap(confirm[0], confirm[2])
        self.notes.done["corrections"] += 1


class Town:
    """Customers and two admins, each with a thread, acting until `stop`."""

    def __init__(self, servers, users, *, seed=1, pause_s=5.0):
        self.servers, self.notes, self._pause_s = servers, Notes(), pause_s
        self._rng, self._stopping = random.Random(seed), threading.Event()
        self.customers = []
        self.group = kit.Telegram(servers.telegram_server.url).group("Town")
        for _ in range(users):
            self.newcomer()
        self.admins = [
            Admin(servers, self.notes, f"Boss{n}", self._child(), id=id, customers=self.customers)
            for n, id in enumerate(ADMINS)
        ]
        self._threads = []

    def _child(self):
        return random.Random(self._rng.getrandbits(64))

    def newcomer(self):
        """Add a customer."""
        self.customers.append(Customer(self.servers, self.notes, f"Ann{len(self.customers)}", self._child()))
        newest = self.customers[-1]
        newest.group = kit.Group(newest.telegram, self.group.id)
        self.group.change(members=[one.id for one in self.customers])
        return newest

    def start(self):
        """Let everybody arrive and act."""
        for admin in self.admins:
            self._guarded(admin.arrive)
        self._guarded(self.admins[0].make_code)
        works = [(self._live, one) for one in self.customers] + [(self._administer, one) for one in self.admins]
        self._threads = [threading.Thread(target=work, args=(one,), daemon=True) for work, one in works]
        for thread in [*self._threads, threading.Thread(target=self._weather, daemon=True)]:
            thread.start()

    def stop(self):
        """Let everybody finish what they are doing."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _pause(self, human, mean_s):
        self._stopping.wait(human.rng.expovariate(1 / mean_s))

    def _live(self, customer):
        self._guarded(customer.arrive)
        self._guarded(customer.stars)
        while not self._stopping.is_set():
            self._pause(customer, self._pause_s)
            goal = customer.rng.choices(list(GOALS), list(GOALS.values()))[0]
            self._guarded(getattr(customer, goal))

    def _administer(self, admin):
        while not self._stopping.is_set():
            self._guarded(admin.decide)
            for act, share in ((admin.correct, 0.2), (admin.refund, 0.1), (admin.pardon, 0.2)):
                if admin.rng.random() < share:
                    self._guarded(act)
            self._pause(admin, 0.7)
        self._guarded(admin.decide)

    def _guarded(self, act):
        try:
            act()
        except NoAnswer:
            pass  # it is in the notes
        except (AssertionError, OSError, LookupError) as error:
            self.notes.unanswered.append(f"{type(error).__name__}: {error}")

    def _weather(self):
        """Make some of KIE's tasks fail, and some calls to the payment providers."""
        while not self._stopping.wait(1.0):
            if self._rng.random() < BAD_CALLS:
                self.servers.providers.spoil(self._rng)
            if self._rng.random() < FAILING_TASKS * len(self.customers) / 50:
                self.servers.kie.fail_next("500-internal")
