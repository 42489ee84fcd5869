"""CPU of a whole order, from the tap on the price to the delivered picture, beside another version of the bot.

    python bench/orders.py                                      SQLite, 200 orders, five rounds
    python bench/orders.py --database postgresql
    python bench/orders.py --beside ../bot-as-it-was            another checkout, measured in alternated rounds

Everybody has a filled-in card before the clock of CPU runs; then all tap, and it runs until the last picture has come. The
local Telegram and the KIE stub are another process, whose tasks take a second. Queries and calls are pinned by
`tests/test_frames.py`.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.contest import ROOT, Contestant, machine, wait_until  # noqa: E402
from bench.crash import databases  # noqa: E402
from bench.process import Process  # noqa: E402
from bench.start import TOKEN, Servers  # noqa: E402
from kie.stub.control import Control  # noqa: E402

MODEL, GIFT = "z-image", 100
FIRST = 6_100_000_000  # id of the first person
WARM_UP = 10  # orders before the clock runs


class Shop:
    """A bot of one version on a database of its own, and people with money and a filled-in card."""

    def __init__(self, tree, address, folder):
        self.servers = Servers()
        Control(self.servers.kie_url).settings(seconds=(1, 1), create_limit=0)
        environ = {
            "TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_API_URL": self.servers.telegram_url, "KIE_STUB": "1", "KIE_API_KEY": "stub-key",
            "KIE_API_URL": self.servers.kie_url, "KIE_UPLOAD_URL": self.servers.upload_url, "DATABASE_URL": address,
            "DATA_DIR": str(folder), "USD_RATE": "90", "WELCOME_GIFT": str(GIFT), "WELCOME_RUNS": "0",
            "FLOOD_MESSAGES": "1000000", "LOG_LEVEL": "WARNING",
        }  # fmt: skip
        self.process = Process(environ, folder / "bot.log", tree / "bot.py")
        self.process.start()

    def order(self, people):
        """Have so many people, from the id `people.start` on, order a picture each; return CPU milliseconds an order."""
        telegram = self.servers.telegram
        buyers = [telegram.person(f"Buyer {number}", id=FIRST + number, language_code="en") for number in people]
        for buyer in buyers:
            buyer.send("/start")
            buyer.wait_for("100 ₽")  # the gift
            buyer.send(f"/models {MODEL}")
            telegram.wait(lambda buyer=buyer: "Z-Image" in str(buyer.buttons), 30, about="the model")
            buyer.tap(next(label for label in buyer.buttons if "Z-Image" in label))
            telegram.wait(lambda buyer=buyer: "Z-Image" in buyer.last, 30, about="its card")
            buyer.send("a fox in the snow")
            telegram.wait(lambda buyer=buyer: "▶" in str(buyer.buttons), 30, about="the price")
        bot, before = Contestant(self.process), len(telegram.calls("sendPhoto"))
        cpu, _rss = bot.usage()
        for buyer in buyers:
            buyer.tap("▶")
        wait_until(lambda: len(telegram.calls("sendPhoto")) >= before + len(buyers), "the pictures")
        return (bot.usage()[0] - cpu) / len(buyers) * 1000

    def stop(self):
        """End the bot and the servers."""
        self.process.end()
        self.servers.stop()


def once(tree, kind, orders):
    """Return the CPU milliseconds of an order of one version."""
    with tempfile.TemporaryDirectory() as folder, databases(kind) as (make,):
        address = make("bot") if kind == "postgresql" else f"sqlite:///{folder}/bot.db"
        shop = Shop(tree, address, Path(folder))
        try:
            shop.order(range(WARM_UP))
            return shop.order(range(WARM_UP, WARM_UP + orders))
        finally:
            shop.stop()


def contest(trees, kind, orders, rounds):
    """Return {tree: median CPU milliseconds of an order}, measured in alternated rounds."""
    found = {tree: [] for tree in trees}
    for _round in range(rounds):
        for tree in trees:
            found[tree].append(once(tree, kind, orders))
    return {tree: statistics.median(each) for tree, each in found.items()}


def main():
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--beside", type=Path, help="the folder of another version")
    options = parser.parse_args()
    trees = [ROOT, *([options.beside.resolve()] if options.beside else [])]
    found = contest(trees, options.database, options.orders, options.rounds)
    print(machine())
    print(f"{options.orders} orders at once, {options.rounds} rounds, {options.database}")
    for tree, ms in found.items():
        print(f"{'ours' if tree == ROOT else tree.name:24}{ms:8.1f} CPU ms an order")
    if options.beside:
        print(f"ours / {trees[1].name}: {found[ROOT] / found[trees[1]]:.2f} × the CPU")


if __name__ == "__main__":
    main()
