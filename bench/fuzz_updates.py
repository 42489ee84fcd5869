"""Broken updates by the thousand, mixed with those of people who only want their answer.

    python bench/fuzz_updates.py                     100,000 updates, SQLite
    python bench/fuzz_updates.py --updates 5000 --database postgresql --seed 7

Updates as Telegram sends them are broken in one to four places: values of another type, numbers that no row can hold,
lone surrogates, NUL, missing and unknown parts, deep nesting, forged taps and payments. The bot is a separate process.
Meanwhile somebody writes /id every second. In the end the bot must never have died, every update must be handled or set
aside, and nobody may have waited for more than two seconds.
"""

import argparse
import copy
import random
import statistics
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import requests  # noqa: E402

from bench.contest import Server, databases, machine, ours, wait_until  # noqa: E402
from bench.process import Process, free_port  # noqa: E402
from demo.kit import Telegram  # noqa: E402

PEOPLE, FIRST = 40, 5_800_000_000  # whose updates are broken
ADMIN = 5_900_000_000
LIMIT_S = 2.0
BACKLOG = 150  # broken updates that may be waiting: the bot sets the pace
BATCH = 100  # between two checks of the bot
VALUES = (
    None, True, False, 0, -1, 2**31, 2**53, 2**63, -(2**63), 2**80, 1.5, 1e308, "", "x", "0", "-1", "5800000001", "9" * 400,
    "\ud800", "\udfff tail", "a\0b", "‮﷽", "🦊" * 400, "x" * 5000, "'; DROP TABLE user; --", "{0}{name}", "<b>", [], {}, [[]],
    [None], {"id": None}, {"id": "text"}, {"from": {}}, [{"a": [1, {"b": 2}]}],
)  # fmt: skip
NAMES = (
    "text",
    "caption",
    "chat",
    "from",
    "id",
    "data",
    "message",
    "type",
    "photo",
    "document",
    "date",
    "new_field_of_2030",
)
WORDS = (
    "/start", "/start u1", "/start r-x", "/help", "/balance", "/topup", "/support", "/history", "/deleteme", "/user 1",
    "/refund", "/broadcast", "/error", "/promo X", "a fox in the snow", "300", "1e-9999999", "/rate 1e99", "/lang", "/id",
)  # fmt: skip


def person(number):
    """Return the sender of broken update `number`, as Telegram describes people."""
    return {"id": FIRST + number, "is_bot": False, "first_name": f"Odd {number}", "language_code": "en"}


def seeds(rng, routes):
    """Yield updates as Telegram sends them, of one of the PEOPLE each; `routes` are the routes of buttons."""
    while True:
        who = person(rng.randrange(PEOPLE))
        chat = {"id": who["id"], "type": "private", "first_name": who["first_name"]}
        message = {"message_id": rng.randrange(1, 500), "from": who, "chat": chat, "date": 1_700_000_000}
        file = {"file_id": "f" * 20, "file_unique_id": "u", "file_size": 100, "width": 9, "height": 9, "duration": 3}
        data = (
            rng.choice(routes) + ":" + ":".join(rng.choice(("1", "0", "-1", "x", "")) for _ in range(rng.randrange(3)))
        )
        contents = (
            {"text": rng.choice(WORDS)},
            {"photo": [file, file], "caption": rng.choice(WORDS)},
            {"document": file | {"mime_type": "image/png", "file_name": "a.png"}},
            {"video": file}, {"voice": file}, {"audio": file}, {"sticker": file}, {"location": {"latitude": 1, "longitude": 2}},
            {"text": "/broadcast", "reply_to_message": message | {"reply_markup": {"inline_keyboard": [[{"text": "x"}]]}}},
            {"successful_payment": payment(rng) | {"telegram_payment_charge_id": f"forged{rng.randrange(9)}"}},
            {"refunded_payment": payment(rng) | {"telegram_payment_charge_id": f"forged{rng.randrange(9)}"}},
        )  # fmt: skip
        tap = {"id": str(rng.randrange(10**9)), "from": who, "message": message | {"text": "x"}, "data": data[:64]}
        member = {"chat": chat, "from": who, "date": 1, "new_chat_member": {"status": "member", "user": who}}
        yield rng.choice((
            *({"message": message | content} for content in contents), {"callback_query": tap}, {"callback_query": tap},
            {"edited_message": message | {"text": "edited"}}, {"my_chat_member": member},
            {"pre_checkout_query": {"id": str(rng.randrange(10**9)), "from": who, **payment(rng)}},
            {"something_new": {"from": who, "x": 1}},
        ))  # fmt: skip


def payment(rng):
    """Return the terms of a payment that no invoice asked for."""
    return {"currency": "XTR", "total_amount": rng.choice((0, 1, 188)), "invoice_payload": rng.choice(("1", "x", "0"))}


def broken(rng, update):
    """Return a copy of an update that is broken in one to four places."""
    update = copy.deepcopy(update)
    for _ in range(rng.randrange(1, 5)):
        place = rng.choice(list(containers(update)))
        act = rng.randrange(10)
        if isinstance(place, list):
            place.append(copy.deepcopy(rng.choice(VALUES)))
        elif place and act < 6:
            place[rng.choice(list(place))] = copy.deepcopy(rng.choice(VALUES))
        elif place and act < 8:
            place.pop(rng.choice(list(place)))
        elif act == 8:
            place[rng.choice(NAMES)] = copy.deepcopy(rng.choice(VALUES))
        else:
            place["nested"] = nested(rng.randrange(1, 300))
    return update if any(name != "update_id" for name in update) else {"message": None}


def containers(data):
    """Yield every dict and list in plain data."""
    if isinstance(data, dict | list):
        yield data
        for value in data.values() if isinstance(data, dict) else data:
            yield from containers(value)


def nested(depth):
    """Return a list in a list, and so on."""
    found = []
    for _ in range(depth):
        found = [found]
    return found


class Innocent(threading.Thread):
    """Somebody who writes once a second and notes how long the answer took."""

    def __init__(self, telegram):
        super().__init__(daemon=True)
        self.waits, self.ended = [], threading.Event()
        self._person = telegram.person("Innocent", language_code="en")

    def run(self):
        """Write until the end."""
        count = 0
        while not self.ended.wait(1):
            began = time.monotonic()
            self._person.send("/id")
            while len(self._person.received) <= count and time.monotonic() - began < 30:
                time.sleep(0.02)
            count = len(self._person.received)
            self.waits.append(time.monotonic() - began)


class Target:
    """The bot as a process, and what can be seen of it from outside."""

    def __init__(self, server, address, folder):
        self.port = free_port()
        _command, environ = ours(server, address, folder)
        more = {"PORT": str(self.port), "ADMIN_IDS": str(ADMIN), "FLOOD_MESSAGES": "1000000"}
        self.process = Process(environ | more, folder / "bot.log")
        self.process.start()
        wait_until(self.is_ready, "the start", 60)

    def is_ready(self):
        """Return whether it leads."""
        try:
            return "bot_inbox" in self.figures()
        except requests.ConnectionError:
            return False

    def figures(self):
        """Return {name: number} of the bot's metrics; raise if the bot is gone."""
        answer = requests.get(f"http://127.0.0.1:{self.port}/metrics", timeout=10)
        lines = [line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in lines}


def throw(kind, count, seed):
    """Throw broken updates at a bot; return (the innocent's waits, what is left, the last figures, seconds)."""
    rng = random.Random(seed)
    with databases(kind, 1) as (addresses, folder):
        server = Server(people=0, admin=ADMIN)
        target = None
        try:
            telegram = Telegram(server.url)
            target = Target(server, addresses["ours"], folder)
            telegram.person("Boss", id=ADMIN, language_code="en").send("/start")
            innocent = Innocent(Telegram(server.url))
            innocent.start()
            source, began = seeds(rng, routes()), time.monotonic()
            for number in range(count):
                telegram.update(**broken(rng, next(source)))
                if number % BATCH == 0:
                    settle(telegram, target, BACKLOG)
            settle(telegram, target, 0)
            innocent.ended.set()
            innocent.join()
            left = telegram.pending + target.figures()["bot_inbox"]
            return innocent.waits, left, target.figures(), time.monotonic() - began
        finally:
            if target:
                target.process.end()
            server.stop()


def settle(telegram, target, backlog, patience_s=120):
    """Wait until no more than `backlog` updates wait; raise if the bot has died or makes no progress."""
    end = time.monotonic() + patience_s
    while telegram.pending + target.figures()["bot_inbox"] > backlog:
        if time.monotonic() > end:
            raise TimeoutError("updates are left without an end")
        time.sleep(0.2)


def routes():
    """Return the routes of the built-in plugins' buttons, read from their source."""
    import re

    text = "".join(path.read_text() for path in (Path(__file__).parent.parent / "plugins").glob("*.py"))
    return sorted(set(re.findall(r'"([a-z]+:[a-z]+)"', text)))


def main():
    """Run and print; exit with 1 if a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=100_000)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    waits, left, figures, seconds = throw(options.database, options.updates, options.seed)
    endings = {name: int(value) for name, value in figures.items() if name.startswith("bot_updates_total{")}
    late = sum(wait > LIMIT_S for wait in waits)
    print(
        machine(),
        f"{options.updates} broken updates, {options.database}, seed {options.seed}, in {seconds:.0f} s: 0 kills",
        f"without an end     {left:.0f}",
        f"set aside          {figures['bot_set_aside']:.0f}",
        *(f"    {name} {value}" for name, value in sorted(endings.items())),
        f"somebody else      {len(waits)} answers, median {statistics.median(waits) * 1000:.0f} ms, "
        f"longest {max(waits) * 1000:.0f} ms, {late} later than {LIMIT_S:.0f} s",
        sep="\n",
    )
    return 1 if left or late else 0


if __name__ == "__main__":
    sys.exit(main())
