"""Ten thousand malicious files: every format that Pillow and the container library know, changed at random.

    python bench/fuzz_files.py                        10,000 files, SQLite
    python bench/fuzz_files.py --files 500 --seed 7 --database postgresql

People send them to the real bot in three ways: as a picture to be edited (which is ordered), as a recording or clip
whose length sets the price, and as a screenshot of a transfer. Meanwhile somebody else asks for their balance. What
must hold: the bot is never killed, every order ends, the books are right, nobody else waits for two seconds, and the
bot and its child together use at most 300 MB more than the idle bot.
"""

import argparse
import io
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.crash import databases  # noqa: E402
from bench.load import Human, NoAnswer, Notes, Servers  # noqa: E402
from bench.process import ROOT, Process, free_port  # noqa: E402

MARK_MB, MARK_S = 300, 2
PEOPLE = 3  # who send files; only one child runs at a time anyway
PICTURES = ("nanobanana-edit", "kling26-img")  # codes of models: one accepts WebP as it is, the other does not
SOUND, CLIP = "isolation", "topaz-vid"  # and models that are charged by the second
MODES = ("RGB", "L", "P", "1", "RGBA", "CMYK", "I;16", "F")
EXTREMES = (b"\0", b"\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x80\0\0\0", b"\xff\xff\xff\x7f")
PATIENCE_S = 60  # for one answer
END_S = 900  # for the last orders: retried ones have up to two minutes between attempts


def seeds():
    """Return [(name, bytes)] of well-formed files, and of a few made to do harm."""
    Image.init()
    found = []
    for form in sorted(Image.SAVE):
        for mode in MODES:
            stream = io.BytesIO()
            try:
                Image.effect_mandelbrot((64, 48), (-2, -1, 1, 1), 20).convert(mode).save(stream, form)
            except Exception:  # this format lacks the mode, or needs a program that is missing
                continue
            found.append((f"{form.lower()}-{mode}.heic", stream.getvalue()))
    for path in sorted((ROOT / "tests" / "data" / "media").iterdir()):
        found.append((path.name, path.read_bytes()))
    for path in sorted((ROOT / "data" / "samples").glob("*.mp*")):
        found.append((path.name, path.read_bytes()))
    return found + [(f"bomb-{form.lower()}.heic", bomb(form, side)) for form, side in BOMBS]


BOMBS = (
    ("PNG", 13_300),
    ("PNG", 4_800),
    ("GIF", 16_000),
    ("TIFF", 13_000),
    ("BMP", 3_000),
    ("WEBP", 4_000),
    ("JPEG", 9_000),
)


def bomb(form, side):
    """Return a picture of many pixels and few bytes."""
    stream = io.BytesIO()
    Image.new("L" if form in ("WEBP", "JPEG") else "1", (side, side)).save(stream, form)
    return stream.getvalue()


def mutated(rng, data, other):
    """Return a file changed in one of eight ways, or in several."""
    changed = bytearray(data)
    for _change in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(changed) or 1)
        head = rng.randrange(min(len(changed), 96) or 1)  # most of what states sizes is at the beginning
        way = rng.randrange(8)
        if way == 0:
            for _ in range(rng.choice((1, 3, 30))):
                changed[rng.randrange(len(changed)) : at] = b""
                changed += bytes([rng.randrange(256)])
        elif way == 1:
            del changed[at:]
        elif way == 2:
            del changed[at : at + rng.randrange(1, 2000)]
        elif way == 3:
            changed[at:at] = changed[at : at + 500] * rng.randrange(1, 20)
        elif way in (4, 5):
            value = rng.choice(EXTREMES)
            place = head if way == 4 else at
            changed[place : place + len(value)] = value
        elif way == 6:
            changed[at:] = other[rng.randrange(len(other)) :]
        else:
            place = rng.choice((head, at))
            changed[place : place + 1] = bytes([rng.randrange(256)])
        changed = changed or bytearray(b"\0")
    return bytes(changed[: 4 * 1024 * 1024])


class Sender(Human):
    """Somebody who sends such files."""

    def edit(self, data, name):
        """Order an edit of a picture; return whether the bot accepted it."""
        self.answer(self.say("/start"))  # this ends whatever was asked before
        self.answer(self.say("make it snow"), "make it snow")
        self.forge(f"generate:open:{self.rng.choice(PICTURES)}")
        self.send(data, name)
        after = self._sent
        found = self.until(lambda: self.find("orders:go", after) or self.find("generate:card", after), "a card")
        if not found[2].startswith("orders:go"):
            if not self.find("inputs:clear", after):
                return False  # it was refused, with a way back
            self.tap(found[0], "generate:card")
            found = self.until(lambda: self.find("orders:go", after), "the order's button")
        self.tap(found[0], found[2])
        return True

    def measure(self, code, data, name):
        """Have the length of a recording or clip measured; return whether it gets a price."""
        self.answer(self.say("/start"))
        self.forge(f"generate:open:{code}")
        self.send(data, name)
        after = self._sent
        message = self.until(
            lambda: next((one for one in self.fresh(after + 1) if one["_from_bot"]), None), "an answer"
        )
        return "▶" in json.dumps(message.get("reply_markup", {}), ensure_ascii=False)

    def pay(self, data, name):
        """Send a file as the screenshot of a transfer."""
        self.answer(self.say("/topup"))
        for start in ("payments:amount", "payments:pay"):
            message, _label, cell = self.until(lambda start=start: self.find(start, self._sent), start)
            amount = cell.rpartition(":")[2]
            self.tap(message, cell if start == "payments:amount" else f"payments:pay:transfer:{amount}")
        self.send(data, name)
        self.answer(self._sent)
        return True

    def forge(self, data):
        """Tap a button that could exist somewhere."""
        last = [one for one in self.fresh(max(1, self._sent - 50)) if one["_from_bot"]][-1]
        self.tap(last, data)

    def send(self, data, name):
        """Send a file as a document."""
        self._sent = self.person.document(data, name)["message_id"]


class Gauge(threading.Thread):
    """Watches the memory of the bot and of its children, added up."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self._process, self.peak_mb, self.idle_mb, self._on = process, 0, 0, True

    def run(self):
        """Measure every few milliseconds."""
        while self._on:
            self.peak_mb = max(self.peak_mb, self.now())
            time.sleep(0.01)

    def now(self):
        """Return the resident megabytes of the bot and its children."""
        pid = self._process.pid
        try:
            children = Path(f"/proc/{pid}/task")
            ids = {child for task in children.iterdir() for child in (task / "children").read_text().split()}
            return sum(map(_resident, {str(pid), *ids})) / 1024
        except OSError:
            return 0

    def stop(self):
        """Stop measuring."""
        self._on = False
        self.join()


def _resident(pid):
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return int(status.split("VmRSS:")[1].split()[0]) if "VmRSS:" in status else 0


def fuzz(url, folder, *, files=10_000, seed=1, is_timed=True, write=print):
    """Send the files; return how many promises were broken. Waits count only if nothing else runs: `is_timed`."""
    servers = Servers(seconds=(0.05, 0.1))
    environ = servers.settings(
        url, folder, PORT=str(free_port()), WELCOME_GIFT="1000000", USER_JOBS="1000", USER_STARTS="100000"
    )
    process = Process(environ, Path(folder) / "bot.log")
    try:
        process.start_first()
        process.keep_alive()
        time.sleep(2)
        gauge = Gauge(process)
        gauge.idle_mb = gauge.now()
        gauge.start()
        told, notes, late = _send_all(servers, files, seed)
        open_orders = _wait_for_ends(url)
        gauge.stop()
        return _report(process, gauge, told, notes, late, open_orders, files, is_timed, write)
    finally:
        process.end()
        servers.stop()


def _send_all(servers, files, seed):
    """Make everybody send their share; return (the outcomes, notes, the bystander's waits in seconds)."""
    known, notes, told, waits, done = seeds(), Notes(), Counter(), [], threading.Event()

    def send(number):
        rng = random.Random(f"{seed} {number}")
        human = Sender(servers, notes, f"Sender {number}", rng)
        human.patience_s = PATIENCE_S
        human.answer(human.say("/start"))
        for count in range(number, files, PEOPLE):
            name, data = rng.choice(known)
            data = mutated(rng, data, rng.choice(known)[1]) if rng.random() < 0.95 else data
            try:
                told[_through_a_door(servers, notes, human, rng, name, data, count)] += 1
            except NoAnswer:
                told["no answer"] += 1

    def ask():
        human = Human(servers, notes, "Bystander", random.Random(seed))
        human.patience_s = PATIENCE_S
        while not done.is_set():
            began = time.monotonic()
            human.answer(human.say("/balance"))
            waits.append(time.monotonic() - began)
            time.sleep(0.5)

    with ThreadPoolExecutor(PEOPLE + 1) as pool:
        bystander, senders = pool.submit(ask), [pool.submit(send, number) for number in range(PEOPLE)]
        try:
            for sender in senders:
                sender.result()
        finally:
            done.set()
        bystander.result()
    return told, notes, waits


def _through_a_door(servers, notes, human, rng, name, data, count):
    """Send a file where its kind belongs, now and then elsewhere; return the outcome."""
    if name.endswith(".heic") == (rng.random() < 0.95):
        if rng.random() < 0.25:
            payer = Sender(servers, notes, f"Payer {count}", rng)
            payer.patience_s = PATIENCE_S
            payer.pay(data, "screenshot.png")
            return "screenshots"
        taken = human.edit(data, rng.choice(("photo.heic", "photo.heif", "photo.webp", "photo.png")))
        return "pictures ordered" if taken else "pictures refused"
    code, called = (CLIP, "clip.mp4") if name.startswith("clip") else (SOUND, "sound.mp3")
    return "lengths measured" if human.measure(code, data, called) else "lengths refused"


def _wait_for_ends(url):
    """Wait until every order has ended; return the number of those that have not."""
    from storage.base import db
    from storage.orders import jobs

    db.connect(url)
    end = time.monotonic() + END_S
    while (left := jobs.count_open()) and time.monotonic() < end:
        time.sleep(1)
    db.disconnect()
    return left


def _report(process, gauge, told, notes, waits, open_orders, files, is_timed, write):
    """Write the table; return how many promises were broken."""
    process.stop()
    code, books = process.verify()
    more = gauge.peak_mb - gauge.idle_mb
    waits = sorted(waits) or [0]
    write(f"{files:,} files: " + ", ".join(f"{count:,} {what}" for what, count in sorted(told.items())))
    write(f"kills {process.deaths} · orders without an end {open_orders} · no answer {told['no answer']}")
    for what, count in Counter(entry.partition(" ")[2] for entry in notes.unanswered).most_common(5):
        write(f"    {count} × {what}")
    write(
        f"memory of bot and child: {gauge.idle_mb:.0f} MB idle, {gauge.peak_mb:.0f} MB at most (+{more:.0f} of {MARK_MB})"
    )
    write(f"somebody else's /balance: {waits[len(waits) // 2]:.2f} s, at most {waits[-1]:.2f} s, {len(waits)} times")
    write(f"verify: {books}")
    beyond = (more > MARK_MB) + (waits[-1] > MARK_S and is_timed) + bool(code)
    return process.deaths + open_orders + told["no answer"] + beyond


def main():
    """Read the command line and run; exit with 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="sqlite")
    options = parser.parse_args()
    failed = 0
    with databases(options.database) as urls:
        for url_of in urls:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                failed += fuzz(url_of("files"), folder, files=options.files, seed=options.seed)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
