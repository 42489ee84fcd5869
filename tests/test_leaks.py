"""Everything users were ever sent, on the worst of days: no admin wording, setting name, raw error or foreign data.

It is read from the server's record of the bot's calls, so screens that were edited away count too.
"""

import re

import pytest

from core.buttons import mark
from core.texts import Texts
from tests.kit import BOSS, ROOT, TOKEN, png
from tests.shop import user_of
from tests.till import charge_back_unheard, invoice, pay_stars, pay_unheard

LANGS = Texts(ROOT / "data" / "texts").languages
STAFF_TEXTS = ("admin", "alerts", "audit", "broadcast", "desk", "doctor", "rates", "reconcile", "refunds", "stats", "supply", "team",
               "terms", "users")  # fmt: skip
TOLD_TO_USERS = ("desk.reason_", "desk.refused", "desk.todo_", "desk.resend", "team.told_", "team.role_", "users.marks")
RAW = ["Traceback", "Exception", "Error:", "Internal Error", "HTTP", "NoneType", "sqlite", "psycopg", "peewee", "api.kie", "KIE", "createTask",
       "errorCode", "failCode", "callBackUrl", "taskId", "task_id", "stub"]  # fmt: skip
SETTING = re.compile(r"\b[A-Z]{2,}_[A-Z_]{2,}\b")
FAILURES = (
    "500-internal",
    "500-moderation",
    "402-credits",
    "401",
    "429",
    "433",
    "455",
    "505",
    "550",
    "422",
    "502",
    "drop",
    "501-failed",
)


def sent_to(bot, person):
    """Return everything by which the bot showed something to a person: messages, edits, invoices, and toasts if kept."""
    shown = list(getattr(person, "toasts", []))
    for call in bot.telegram.calls():
        params = dict(call["params"])
        if str(params.pop("chat_id", None)) == str(person.id):
            shown.append(str(params))
    return "\n".join(shown)


def keep_toasts(person):
    """Have a person remember every toast."""
    forge, person.toasts = person.forge, []

    def forge_and_look(data, message=None):
        forge(data, message)
        person.toasts.append(person.toast or "")

    person.forge = forge_and_look
    return person


def tap(person, label):
    """Tap a button if it is there."""
    for name, data in person.buttons.items():
        if label in (name, data) or data.startswith(label):
            person.forge(data)
            return
    raise AssertionError(f"no {label!r} among {person.buttons}")


def a_bad_day(bot, lang):
    """Let a person meet everything that can go wrong; return them, the admin and the person next to them."""
    bob = bot.rich("Bogdan Neighbour", "777", id=4_123_456_789, username="bogdan_next", language_code=lang)
    boss = bot.telegram.person("Big Boss", id=BOSS, language_code=lang)
    boss.send("/start")
    alice = keep_toasts(bot.rich("Alice <3", "1000", language_code=lang))
    for kind in FAILURES:
        bot.kie.fail_next(kind)
        order(alice)
        bot.forward(180, step=30)
        bot.kie.calm()
        bot.forward(120, step=30)
    pay(bot, boss, alice)
    with_support(boss, alice)
    pauses(bot, boss, alice)
    everything_forged(bot, alice, bob)
    blocked(bot, boss, alice)
    return alice, boss, bob


def order(alice):
    """Order a picture, if it can be ordered."""
    alice.send("a fox in the snow")
    alice.forge("generate:open:z-image")
    confirm = [data for data in alice.buttons.values() if data.startswith("orders:go")]
    if confirm:
        alice.forge(confirm[0])


def pay(bot, boss, alice):
    """Pay in every way, with every end."""
    for data in ("approve", "refuse"):
        alice.send("/topup")
        alice.forge("payments:pay:transfer:30000")
        alice.photo(png(data))
        number = bot.bot.payments.pending_of(user_of(bot, alice).id).id
        boss.forge(f"transfer:{data}:{number}" + (":not_found" if data == "refuse" else ""))
        if data == "approve":
            boss.forge(f"transfer:take:{number}:wrong_amount")
    alice.forge("payments:pay:stars:30000")
    charge = alice.pay()["charge_ids"][0]
    alice.forge("payments:pay:stars:10000")
    message = alice.last_message
    pay_unheard(bot, alice, message)
    charge_back_unheard(bot, alice, charge)
    bot.forward(900, step=100)
    user = user_of(bot, alice).id
    for steps in (
        (f"refunds:ask:{user}:{mark(bot.bot.payments.charges(user_id=user)[0].charge_id)}", "not wanted"),
        (f"users:resume:{user}", "clear"),
        (f"users:credit:{user}", "50 sorry"),
        (f"users:debit:{user}", "10 wrong"),
        (f"users:message:{user}", "hello"),
        (f"users:note:{user}", "SECRET-NOTE"),
    ):
        boss.forge(steps[0])
        boss.send(steps[1])
        yes = [data for data in boss.buttons.values() if data.startswith(("refunds:go", "users:ok"))]
        boss.forge(yes[0]) if yes else None


def with_support(boss, alice):
    """Ask a person and get an answer."""
    alice.send("/support")
    alice.send("what is it?")
    tap(boss, "users:message")
    boss.send("all is well")
    tap(boss, "users:ok")


def pauses(bot, boss, alice):
    """Meet a pause, a crash, a failing listener of Telegram's, an update that fails."""
    boss.send("/pause")
    order(alice)
    boss.send("/resume")
    for command in (
        "/balance",
        "/payments",
        "/history",
        "/terms",
        "/paysupport",
        "/help",
        "/id",
        "/models fox",
        "/invite",
        "/language",
    ):
        alice.send(command)
    bot.restart()
    alice.send("/start")


def everything_forged(bot, alice, bob):
    """Tap what only others may: every button there is, with their numbers."""
    other, number = user_of(bot, bob).id, {int: None, str: "x"}
    for route, entry in bot.bot.handlers["button"].items():
        arguments = [str(other) if number.get(kind) is None else "x" for kind in entry.types.values()]
        alice.forge(":".join([route, *arguments]))
    for name in bot.bot.handlers["command"]:
        alice.send(f"/{name} {other}")
        alice.send("/cancel")


def blocked(bot, boss, alice):
    """Lose access and find it closed."""
    boss.forge(f"users:block:{user_of(bot, alice).id}")
    boss.send("SECRET-REASON")
    tap(boss, "users:ok")
    alice.send("/start")
    alice.send("a fox")


@pytest.mark.parametrize(
    ("database_url", "lang"), [*(("sqlite", lang) for lang in LANGS), ("postgresql", "en")], indirect=["database_url"]
)  # what a database says of itself is in no language
def test_nothing_but_ones_own_reaches_a_user(start_bot, lang):
    bot = start_bot(FLOOD_MESSAGES="1000000", USER_STARTS="1000", USER_JOBS="100")
    alice, boss, bob = a_bad_day(bot, lang)
    shown = sent_to(bot, alice)
    assert len(shown) > 20_000
    assert set(SETTING.findall(shown)) & set(bot.bot.settings.declared) == set()
    assert [word for word in RAW if word in shown] == []
    assert TOKEN not in shown and bot.telegram.url not in shown
    others = [bob.id, "Bogdan", "bogdan_next", boss.id, "Big Boss", "SECRET-NOTE", "SECRET-REASON", "777 ₽"]
    assert [word for word in map(str, others) if word in shown] == []
    assert [words for words in staff_words(lang) if words in shown] == []


def staff_words(lang):
    """Return the telling fixed parts of texts that are for the staff alone."""
    texts, found = Texts(ROOT / "data" / "texts"), set()
    for key in texts.keys(lang):
        if key.split(".")[0] in STAFF_TEXTS and not key.startswith(TOLD_TO_USERS):
            parts = re.split(r"\{[^}]*\}|</?\w+>|\n", texts.template(lang, key, 5))
            found |= {part.strip(" .·:,") for part in parts if len(part.strip(" .·:,")) > 14}
    return sorted(found)


def test_the_admin_does_see_what_the_user_does_not(start_bot):
    """So that the search above is known to find something."""
    bot = start_bot()
    boss, alice = bot.admin(), bot.user()
    invoice(alice)
    pay_stars(alice)
    boss.send("/admin")
    boss.send("/rate")
    assert [words for words in staff_words("en") if words in sent_to(bot, boss)]
