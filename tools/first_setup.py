"""`python bot.py init`: from a token to a `.env`, each answer checked at once. Four lines by hand do the same.

Whoever opens the link with the one-time code becomes the owner, so nobody has to know their Telegram id. Updates
are read but not confirmed, so people's messages wait for the bot. It refuses to run while a bot works with the token.
"""

import getpass
import os
import re
import secrets
import sys
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from core import settings
from core.process import leader_lock
from core.telegram.sender import Sender, TelegramError
from core.telegram.transport import NotSent, UnknownOutcome
from core.texts import Texts
from kie.api.client import Client
from kie.api.errors import KieError
from tools.database_commands import Failed

TELEGRAM, KIE = "https://api.telegram.org", "https://api.kie.ai"
ROOT = Path(__file__).parent.parent
ASKED = 3  # attempts per answer
WAIT_S, LOOK_S = 300, 5  # for the owner to open the link; between two polls
FULL = 100  # the most updates Telegram returns
TAKEN = "another program fetches the updates of this token: stop it, then start again"


@dataclass(slots=True)
class Terms:
    """The environment's settings, the file to write, and how to ask."""

    environ: dict
    path: Path
    clock: object
    ask: object = input
    ask_secret: object = getpass.getpass
    user: str = field(default_factory=getpass.getuser)


def run(terms):
    """Ask, check, and write the file; yield lines to print. Raise Failed if it cannot go on."""
    try:
        yield from _steps(terms)
    except KeyboardInterrupt:
        raise Failed("\nStopped; nothing was written.") from None


def _steps(terms):
    if terms.path.exists():
        raise Failed(f"{terms.path} is there already: change it with an editor, or move it away")
    _refuse_running(terms)
    yield "Enter takes what is in [brackets]. Nothing is written before the end."
    yield "\n1. The token: in Telegram, send /newbot to @BotFather."
    lines = {}
    lines["TELEGRAM_BOT_TOKEN"], sender, me = _token(terms)
    yield f"   It is @{me['username']}."
    yield "\n2. The key of KIE: kie.ai/api-key. Empty: a stub answers in its place, and nothing is spent."
    key, told = _key(terms)
    lines |= {"KIE_API_KEY": key} if key else {"KIE_STUB": "1"}
    yield f"   {told}"
    yield "\n3. The price of one US dollar in your currency, such as 92.5. Empty: nothing is sold until you send /rate."
    currency = _answer(terms, "   Currency [RUB]: ", _currency)
    rate = _answer(terms, "   Rate: ", _rate)
    lines |= {"USD_RATE": rate, "CURRENCY": currency}
    yield "\n4. The owner: open this link in Telegram and press Start. It is good once, for five minutes."
    code = f"own{secrets.token_urlsafe(12)}"
    yield f"   https://t.me/{me['username']}?start={code}"
    owner = _owner(terms, sender, code)
    yield (
        f"   {owner['first_name']} ({owner['id']}) is the owner."
        if owner
        else "   Nobody came: write ADMIN_IDS= yourself (the bot tells it: /id)."
    )
    lines["ADMIN_IDS"] = str(owner["id"]) if owner else ""
    _write(terms.path, lines)
    if owner:
        _tell(sender, owner)
    yield f"\nWritten: {terms.path}, readable by {terms.user} alone. `python bot.py` starts the bot."
    yield from _service(terms)


def _refuse_running(terms):
    """Refuse while a bot leads on this database; the lock is released at once."""
    folder = terms.environ.get("DATA_DIR") or "var"
    url = terms.environ.get("DATABASE_URL") or f"sqlite:///{folder}/bot.db"
    if url.startswith("sqlite") and not Path(folder).exists():
        return
    leader = leader_lock.make(url, folder)
    if not leader.acquire():
        raise Failed("a bot is running here: it has its settings already")
    leader.release()


def _answer(terms, question, check, secret=False):
    """Ask until the answer is valid; raise Failed after some attempts."""
    for _try in range(ASKED):
        try:
            return check((terms.ask_secret if secret else terms.ask)(question).strip())
        except ValueError as error:
            sys.stderr.write(f"   {error}\n")
        except EOFError:
            raise Failed("no answer: nothing was written") from None
    raise Failed("no answer that holds: nothing was written")


def _token(terms):
    """Return the token, a sender for it, and Telegram's information on the bot."""

    def check(text):
        try:
            sender = Sender(
                settings.telegram_token(text), terms.environ.get("TELEGRAM_API_URL") or TELEGRAM, terms.clock
            )
        except ValueError:
            raise ValueError("that is no token; it looks like 123456:ABC-DEF") from None
        try:
            me, hook = sender.call("getMe"), sender.call("getWebhookInfo")
        except TelegramError as error:
            raise ValueError(f"Telegram refuses it ({error.code}): want the one @BotFather shows") from None
        except (NotSent, UnknownOutcome):
            raise ValueError("Telegram cannot be reached; is the network there?") from None
        if hook["url"]:
            raise Failed(
                "a webhook is set for this token, so another bot works with it: stop it, and take the webhook away"
            )
        return text, sender, me

    return _answer(terms, "   Token (not shown): ", check, secret=True)


def _key(terms):
    """Return the key and KIE's answer to it; an empty key means none."""

    def check(text):
        if not text:
            return "", "A stub answers in place of KIE (KIE_STUB=1)."
        api = terms.environ.get("KIE_API_URL") or KIE
        client = Client(api, terms.environ.get("KIE_UPLOAD_URL") or api, text)
        try:
            return text, f"KIE takes it: {int(client.credits())} credits."
        except KieError as error:
            refused = getattr(error, "reason", "") == "key"
            raise ValueError("KIE refuses it" if refused else f"KIE cannot be asked now ({error})") from None
        finally:
            client.close()

    return _answer(terms, "   Key (not shown): ", check, secret=True)


def _currency(text):
    if not re.fullmatch("[A-Za-z]{3}|", text):
        raise ValueError("want three letters such as RUB")
    return text.upper() or "RUB"


def _rate(text):
    if not text:
        return ""
    found = settings.Settings({"USD_RATE": text})
    value = found.declare("USD_RATE", Decimal, default=None, minimum=Decimal("0.01"), maximum=Decimal(1_000_000))
    if found.problems:
        raise ValueError("want a number such as 92.5")
    return str(value)


def _owner(terms, sender, code):
    """Wait for somebody to open the link; return them, or None. No update is confirmed, so none is lost."""
    end = terms.clock.monotonic() + WAIT_S
    while terms.clock.monotonic() < end:
        try:
            updates = sender.call("getUpdates", timeout_s=0, limit=FULL, wait=False)
        except TelegramError as error:
            if error.code == 409:
                raise Failed(TAKEN) from None
            updates = []
        except (NotSent, UnknownOutcome):
            updates = []
        for message in (update.get("message", {}) for update in updates):
            if message.get("text") == f"/start {code}" and message["chat"]["type"] == "private":
                return message["from"]
        if len(updates) >= FULL:
            return None  # so many are waiting that the newest are not returned
        terms.clock.sleep(LOOK_S)
    return None


def _tell(sender, owner):
    """Answer whoever opened the link: until the bot runs, nothing else does."""
    texts = Texts(ROOT / "data" / "texts")
    text = texts.plain(texts.guess(owner.get("language_code")), "common.owner")
    try:
        sender.call("sendMessage", chat_id=owner["id"], text=text, wait=False)
    except (TelegramError, NotSent, UnknownOutcome) as error:
        sys.stderr.write(f"   The owner could not be told: {error}\n")


def _write(path, lines):
    """Write the file, readable only by its owner; never overwrite one that has appeared meanwhile."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write("# Written by `python bot.py init`; .env.example has what else there is.\n")
        stream.writelines(f"{name}={value}\n" for name, value in lines.items())


def _service(terms):
    """Offer a systemd unit for this folder and user; a service of root's would be more than the bot needs."""
    if terms.user == "root":
        yield "The service: deploy/bot.service runs it as the user `bot`, who has to be able to read that file:"
        yield f"  chown root:bot {terms.path} && chmod 640 {terms.path}"
        yield "docs/operate.md has the rest (A VPS)."
        return
    text = _answer(terms, "\nWrite a systemd unit, so that it starts with the machine? [y/N]: ", str.lower)
    if text not in ("y", "yes"):
        return
    unit, folder = (ROOT / "deploy" / "bot.service").read_text(), str(ROOT)
    unit = unit.replace("/opt/bot", folder).replace("User=bot", f"User={terms.user}")
    unit = unit.replace("Group=bot\n", "").replace("ProtectHome=yes", "ProtectHome=no")
    unit = unit.replace("StateDirectory=bot", f"ReadWritePaths={folder}\nStateDirectory=bot")
    path = terms.path.parent / "bot.service"
    path.write_text(unit, encoding="utf-8")
    yield f"Written: {path}. To install it:"
    yield f"  sudo cp {path} /etc/systemd/system/bot.service"
    yield "  sudo systemctl daemon-reload && sudo systemctl enable --now bot"
