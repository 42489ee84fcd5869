"""One person at the demo's chat page: a system Chromium in front of a real `python bot.py --demo`.

Wording is looked up by key in the bot's own text files, so a walk works in every language and survives copy edits.
Helpers wait for conditions, never for a fixed time.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from bench.process import free_port
from core.texts import Texts
from demo.kit import Telegram
from demo.providers.control import CryptoPayControl, YooKassaControl
from kie.stub.control import Control

ROOT = Path(__file__).parent.parent
# The shell opens a page in less than half the time of the whole browser, which makes a window each time
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_S = 20  # for a noisy machine with two cores
GAPS = re.compile(r"\{[^}]*\}|</?\w+>|\n")  # what stands between the fixed words of a text
TEXTS = Texts(ROOT / "data" / "texts")
MESSAGE, BUTTON = "[data-testid=message]", "[data-testid=keyboard-button]"
expect.set_options(timeout=PATIENCE_S * 1000)


@contextmanager
def chromium():
    """Run a headless Chromium."""
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)


class Demo:
    """`python bot.py --demo` as a process of its own, with its files in `folder`, of the project in `root`.

    `welcome` is how many drafts are free for each person; None as after installation.
    """

    def __init__(self, folder, root=ROOT, options=(), welcome=0):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / "log.txt"
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "SYSTEMROOT") if name in os.environ}
        environ = kept | {"DATA_DIR": str(folder / "var"), "DEMO_PORT": str(self.port)}
        environ["FLOOD_MESSAGES"] = "1000"  # a script writes faster than people do
        if welcome is not None:
            environ["WELCOME_RUNS"] = str(welcome)
        with self._log.open("w") as log:
            command = [sys.executable, str(root / "bot.py"), "--demo", *options]
            self._process = subprocess.Popen(command, cwd=folder, env=environ, stdout=log, stderr=log)
        try:
            self.telegram = Telegram(self.url)
            self._until(lambda: requests.get(self.url, timeout=5).ok, "the page answers")
            self._until(lambda: "is ready" in self.log, "the bot is ready")
            self.kie = Control(self.telegram.state["kie"])
            providers = self.telegram.state["providers"]
            self.yookassa = YooKassaControl(providers["yookassa"])
            self.cryptopay = CryptoPayControl(providers["cryptopay"])
        except BaseException:
            self.stop()
            raise

    @property
    def log(self):
        """What the process has said so far."""
        return self._log.read_text()

    def admin(self, lang):
        """Return the admin of the demo, who speaks this language and has opened the bot."""
        admin = next(one["id"] for one in self.telegram.state["people"] if one["role"] == "admin")
        person = self.telegram.person("Admin", id=admin, language_code=lang)
        person.change(clear=True)
        person.send("/start")
        person.wait_for(Words(lang)("start.hello"))
        return person

    def rich(self, name, lang, amount=1000, **fields):
        """Return a person with `amount` roubles, paid with Stars over the control plane."""
        person = self.telegram.person(name, language_code=lang, **fields)
        self.choose_payment(person, lang, amount, "stars")
        self.telegram.wait(lambda: "invoice" in person.last_message, about="the invoice")
        person.pay()
        person.wait_for("+" + Words(lang).money(amount * 100))
        return person

    def choose_payment(self, person, lang, amount, method):
        """Go from /topup to the chosen way to pay `amount` roubles, over the control plane."""
        person.send("/topup")
        person.wait_for(Words(lang)("payments.choose"))
        person.tap(f"payments:amount:{amount * 100}")
        person.wait_for(Words(lang)("payments.method"))
        person.tap(f"payments:pay:{method}")

    def stop(self):
        """End the process as a terminal would."""
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _until(self, holds, what):
        deadline = time.monotonic() + PATIENCE_S
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                if holds():
                    return
            except requests.ConnectionError:
                pass  # it does not listen yet
            time.sleep(0.05)
        raise AssertionError(f"waited in vain until {what}:\n{self.log}")


SETTLED = """() => Promise.all(document.getAnimations()
    .filter(each => each.effect.getTiming().iterations !== Infinity)
    .map(each => each.finished.catch(() => {})))"""


def faults_of(chat, scene):
    """Return what axe-core finds wrong with the page, each with its place and an element."""
    chat.page.evaluate(SETTLED)  # what still fades in has no contrast yet
    found = [(one["id"], node["html"]) for one in Axe().run(chat.page).response["violations"] for node in one["nodes"]]
    # a menu that lies over the page for a moment is in no landmark
    return [(scene, *one) for one in found if not (one[0] == "region" and 'class="popup"' in one[1])]


class Words:
    """The bot's texts in one language."""

    def __init__(self, lang):
        self.lang = lang

    def __call__(self, key, **values):
        """Return a text; without its values, the longest run of its fixed words."""
        if values:
            return TEXTS.plain(self.lang, key, **values)
        return max(GAPS.split(TEXTS.template(self.lang, key)), key=len).strip()

    def money(self, amount):
        """Return an amount of kopecks as it is shown."""
        return TEXTS.money(self.lang, amount)


class Chat:
    """The chat page as one person, and as whom that person becomes on it."""

    def __init__(self, page, demo, person_id, lang, **address):
        self.page, self.words = page, Words(lang)
        self.errors, self.strangers = [], []
        page.set_default_timeout(PATIENCE_S * 1000)
        page.on("console", lambda said: said.type == "error" and self.errors.append(said.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._note_request)
        place = {"as": person_id, "lang": lang, "theme": "light", "welcomed": "yes", "panel": "closed"} | address
        page.goto(f"{demo.url}/?{urlencode(place)}")
        expect(page.locator(f"{MESSAGE}, [data-testid=start]").last).to_be_visible()  # the chat has been read

    def _note_request(self, request):
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.hostname != "127.0.0.1":
            self.strangers.append(request.url)

    @property
    def person_id(self):
        """Who acts now."""
        return int(self.page.get_by_test_id("chat").get_attribute("data-person-id"))

    @property
    def last(self):
        """The newest message with its buttons, once it is the bot's."""
        return self.page.locator(f"{MESSAGE}:last-child[data-out=false]")

    @property
    def labels(self):
        """The labels of the newest keyboard."""
        keyboard = self.page.locator(f"{MESSAGE}:has({BUTTON})").last
        return keyboard.locator(BUTTON).evaluate_all("buttons => buttons.map((button) => button.title)")

    def label(self, key, **values):
        """Return the whole label of the newest button with this text."""
        return self._button(self.words(key, **values)).get_attribute("title")

    def _button(self, label, exactly=False):
        button = f"{BUTTON}[title{'' if exactly else '*'}={json.dumps(label, ensure_ascii=False)}]"
        return self.page.locator(f"{MESSAGE}:has({button})").last.locator(button).first

    def become(self, person_id):
        """Act as another person from now on."""
        self.page.locator(f"[data-testid=person][data-person-id='{person_id}']").click()
        expect(self.page.locator("[data-testid=chat]")).to_have_attribute("data-person-id", str(person_id))

    def opens_group(self, group_id):
        """Open a group as whoever acts now."""
        self.page.locator(f"[data-testid=group][data-group-id='{group_id}']").click()
        expect(self.page.locator("[data-testid=chat]")).to_have_attribute("data-chat-id", str(group_id))

    def writes_as(self, person_id):
        """Write and tap in the open group as another of its members from now on."""
        self.page.get_by_test_id("write-as").click()
        self.page.get_by_test_id(f"write-as-{person_id}").click()
        expect(self.page.locator("[data-testid=chat]")).to_have_attribute("data-person-id", str(person_id))

    def send(self, text):
        """Write a message, and wait for the bot's answer below it."""
        with self._answered():
            self.page.get_by_test_id("composer").fill(text)
            self.page.get_by_test_id("send").click()

    @contextmanager
    def _answered(self):
        newest = self.page.locator(MESSAGE).last
        before = newest.get_attribute("data-message-id") if newest.count() else ""
        yield
        expect(self.last).not_to_have_attribute("data-message-id", before)

    def sends_picture(self, name, content):
        """Send a picture through the paper clip, and wait for the bot's answer below it."""
        self.page.get_by_test_id("attach").click()
        with self.page.expect_file_chooser() as chooser:
            self.page.get_by_test_id("attach-media").click()
        chooser.value.set_files({"name": name, "mimeType": "image/png", "buffer": content})
        with self._answered():
            self.page.get_by_test_id("attach-send").click()

    def tap(self, key, **values):
        """Tap a button by its text key, and wait until the bot has answered."""
        self.tap_label(self.words(key, **values))

    def tap_label(self, label, exactly=False):
        """Tap the newest button whose label has (or is) these words, and wait until the bot has answered."""
        self._button(label, exactly).click()
        expect(self.page.locator(f"{BUTTON}[aria-busy=true]")).to_have_count(0)

    def sees(self, key, **values):
        """Wait until the newest message has this text."""
        self.sees_words(self.words(key, **values))

    def sees_words(self, *words):
        """Wait until the newest message is the bot's and has all these words, on its buttons or above them."""
        for word in words:
            expect(self.last).to_contain_text(word)

    def sees_picture(self):
        """Wait until the newest message is the bot's and shows a picture that has really been loaded."""
        picture = self.last.locator(".photo img").first
        expect(picture).to_have_js_property("complete", True)
        assert picture.evaluate("image => image.naturalWidth") > 0

    def has_button(self, key, **values):
        """Wait until a button with this text is there."""
        expect(self._button(self.words(key, **values))).to_be_visible()
