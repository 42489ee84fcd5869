"""What people see: every button that can be drawn is pressed, in both languages, as a user and as an admin.

Each screen is also checked against the rules of thumb.
"""

import itertools
import re

import pytest

from kie.catalogue.model import Catalog
from tests import corners, proof
from tests.crawler import Crawl, Screen, faults, leads_out, style
from tests.kit import BOSS, ROOT, png
from tests.test_cryptopay import TOKEN
from tests.test_yookassa import KEYS

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # nothing here depends on the database
UNLIMITED = {
    "FLOOD_MESSAGES": "1000000", "USER_STARTS": "1000000", "USER_JOBS": "1000", "SUPPORT_CONTACT": "@help_me", "WELCOME_GIFT": "",
}  # fmt: skip
CATALOG = Catalog.load(ROOT / "data/models.json")
COINS = {"CRYPTOPAY_TOKEN": TOKEN}
WISHES = {"en": "a fox in the snow", "ru": "лиса на снегу"}
CYRILLIC = re.compile("[а-яё]", re.I)
WHOLE = (("user", "en"), ("admin", "ru"))  # an admin is also a person, and sees what people see
WALKS = (*WHOLE, ("user", "ru"), ("admin", "en")) if proof.IS_WHOLE else WHOLE


def crawl(bot, person, lang, more_roots=(), every_kind=True):
    """Press everything `person` can reach from every command, a text, a photo and a result.

    Of all models of one type one is walked through; without `every_kind`, one of all.
    """
    texts, catalog = bot.bot.texts, bot.bot.generation.catalog
    stale = {texts.plain(lang, key) for key in ("common.old_button", "common.old_card", "common.lost")}
    kinds = {model.code: f"<{model.type if every_kind else 'model'}>" for model in catalog.models.values()}
    undo = {f"language:set:{other}": f"language:set:{lang}" for other in ("en", "ru")}
    walk = Crawl(person, texts.keys("en"), stale, kinds, undo)
    return walk.run([*_roots(bot, person, WISHES[lang]), *more_roots])


def _roots(bot, person, wish):
    admin = person.id == BOSS
    commands = [name for name, entry in bot.bot.handlers["command"].items() if admin or not entry.right]
    return [
        ("/start", lambda: person.send("/start")),
        *((f"/{name}", lambda name=name: person.send(f"/{name}")) for name in commands if name != "start"),
        ("a text", lambda: person.send(wish)),
        ("a photo", lambda: person.photo(png())),
        ("a result", lambda: make_picture(bot, person, wish)),
        ("a failure", lambda: make_picture(bot, person, wish, fail=True)),
        ("a queue", lambda: wait_in_the_queue(bot, person, wish)),
        ("a word", lambda: person.send("/models kling")),
        ("no word", lambda: person.send("/models o")),
        ("a changed setting", lambda: change_a_setting(person)),
        ("a payment", lambda: pay_while_an_order_waits(person)),
        ("several pictures", lambda: look_at_several_pictures(bot, person, wish)),
    ]


def make_picture(bot, person, wish, fail=False):
    """Order a picture as a person does and wait for what becomes of it."""
    if fail:
        bot.kie.fail_next()
    confirm(person, wish)
    bot.forward(90, step=15)


def wait_in_the_queue(bot, person, wish):
    """Order while KIE takes nothing."""
    bot.kie.trouble("create", "429")
    confirm(person, wish)


def change_a_setting(person):
    """Change a setting that stands behind *More settings*, and look at it there."""
    model = CATALOG.by_code("suno")
    person.forge("generate:open:suno")
    person.forge(f"inputs:pick:suno:{model.inputs.index(model.by_name['vocal_gender'])}:0")
    person.forge("modes:more")


def pay_while_an_order_waits(person):
    """Top up with Stars while a card is open."""
    person.forge("generate:open:z-image")
    person.forge("payments:pay:stars:10000")
    person.pay()


def look_at_several_pictures(bot, person, wish):
    """Order several pictures at once, and open them from the history."""
    person.send(wish)
    person.forge("generate:open:grok-img")
    person.tap("orders:go")
    bot.forward(120, step=15)
    newest = bot.bot.jobs.of_user(bot.bot.users.by_telegram_id(person.id).id, limit=1)[0]
    person.send("/history")
    person.forge(f"history:job:{newest.id}")


def confirm(person, wish):
    """Open a card with a text in it and order."""
    person.send(wish)
    person.forge("generate:open:z-image")
    person.tap("orders:go")


def pending_topups(bot):
    """Return an act after which the admin has one more top-up to decide on."""
    numbers = itertools.count()

    def act():
        payer = bot.user(f"Payer {next(numbers)}")
        payer.send("/start")
        payer.forge("payments:pay:transfer:30000")
        payer.photo(png("proof"))

    return act


def admin_roots(bot, boss):
    """Return what an admin's tools show once there is something to show."""

    def broadcast():
        boss.send("/broadcast", reply_to=boss.send("News"))

    def change_a_rate():
        boss.send("/rate 95")
        boss.forge("rates:edit:USD_RATE")

    def set_a_markup():
        boss.forge("terms:ask:m.imagen4:markup")
        boss.send("3")

    me = bot.bot.users.by_telegram_id(boss.id).id
    return [
        ("a top-up", pending_topups(bot)),
        ("a broadcast", broadcast),
        ("a promo code", lambda: boss.send("/newpromo CRAWL 100 50")),
        ("a rate", change_a_rate),
        ("a markup", set_a_markup),
        ("a refund", lambda: boss.forge(f"refunds:list:{me}")),
    ]


def report(walk, back):
    """Return what the walk has to complain about, a line each."""
    dead_ends = [
        f"no way out of {screen}: {' › '.join(path)}"
        for path, screen in walk.screens.values()
        if screen.rows and not leads_out(screen, back) and not is_news(screen)
    ]
    return walk.complaints + dead_ends


def is_news(screen):
    """Tell whether a message is no screen but the main menu itself, news of an order, or an admin's decision."""
    routes = {":".join(label.data.split(":")[:2]) for label in screen.labels if label.data}
    is_menu = {"models:type", "balance:show"} <= routes
    return is_menu or routes & {
        "orders:cancel",
        "transfer:approve",
        "desk:approve",
        "transfer:refuse",
        "desk:refuse",
        "desk:back",
    }


@SQLITE
@pytest.mark.proof
@pytest.mark.parametrize(("role", "lang"), WALKS)
def test_8_every_button_that_can_be_drawn_does_something(start_bot, caplog, role, lang):
    bot = start_bot(**UNLIMITED)
    person = bot.rich("Anna", "500", language_code=lang, **({"id": BOSS} if role == "admin" else {}))
    for _ in range(8):
        make_picture(bot, person, WISHES[lang])
        person.forge("payments:pay:stars:1000")
        person.pay()
    more = admin_roots(bot, person) if role == "admin" else []
    whole = (role, lang) in WHOLE
    walk = crawl(bot, person, lang, more, every_kind=whole)
    complaints = report(walk, bot.bot.texts.plain(lang, "common.back"))
    assert not complaints, "\n".join(complaints)
    defects = [r.getMessage() for r in caplog.records if r.levelname == "ERROR" and r.name.startswith("core")]
    assert not defects, defects
    rough = [f"{style(screen)}: {' › '.join(path)}" for path, screen in walk.screens.values() if style(screen)]
    assert not rough, "\n".join(rough)
    if whole:
        check_coverage(bot, walk, role)
    if lang == "ru":
        check_language(walk)


def check_coverage(bot, walk, role):
    """Every registered button was met, and so every plugin that has one is reached by a button."""
    pressed = {":".join(name.split(":")[:2]) for name in walk.pressed}
    ours = {route for route, entry in bot.bot.handlers["button"].items() if role == "admin" or not entry.right}
    assert ours - pressed - set(corners.WAYS) == set(), "no screen leads to these"
    foreign = {route for route in pressed if bot.bot.handlers["button"][route].right}
    assert role == "admin" or not foreign, f"a user is shown an admin's button: {foreign}"


@SQLITE
@pytest.mark.parametrize("route", corners.WAYS)
def test_a_button_off_the_ways_of_the_crawl_is_drawn_and_does_something(
    start_bot, caplog, tmp_path, route, yookassa_server, yookassa_shop, cryptopay_server
):
    """Together with the crawl this presses every button there is, as `check_coverage` makes sure."""
    plugin = route.split(":")[0]
    more = corners.SETTINGS.get(plugin, {})
    if plugin == "supply":
        more = {"models": corners.catalogue(tmp_path)}
    if plugin in corners.BY_PROVIDER:
        more = {"YOOKASSA_API_URL": yookassa_server.url} | KEYS
    if route == "payments:ways":
        more = {"YOOKASSA_API_URL": yookassa_server.url, "CRYPTOPAY_API_URL": cryptopay_server.url} | KEYS | COINS
    bot = start_bot(**UNLIMITED, **more)
    if plugin in corners.BY_PROVIDER:
        bot.shop = yookassa_shop
        bot.clock.follow(bot.shop)
        bot.pump()
    boss, anna = bot.admin(), bot.rich("Anna")
    anna.send("/start")
    person = corners.WAYS[route](bot, boss, anna)
    message = next(m for m in reversed(person.received) if "inline_keyboard" in m.get("reply_markup", {}))
    screen = Screen.of(message)
    keys = set() if route.startswith("texts:") else bot.bot.texts.keys("en")  # those screens are about keys
    assert not faults(screen, keys) and not style(screen)
    label = next(
        (label for label in screen.labels if (label.data or "").startswith(f"{route}:") or label.data == route), None
    )
    assert label, f"no {route} on {screen}"
    before = person.received
    person.forge(label.data, message)
    stale = {bot.bot.texts.plain("en", key) for key in ("common.old_button", "common.old_card", "common.lost")}
    assert person.toast is not None and person.toast not in stale
    assert person.received != before or person.toast, "nothing happened"
    assert not [r.getMessage() for r in caplog.records if r.levelname == "ERROR" and r.name.startswith("core")]


def check_language(walk):
    """A Russian's screens are in Russian: each has words of it, unless it is all names and numbers."""
    for path, screen in walk.screens.values():
        words = re.sub(r"[^a-z]+", " ", screen.text.lower()).split()
        assert CYRILLIC.search(screen.text) or len(words) < 6, f"{' › '.join(path)}: {screen.text!r}"


@SQLITE
@pytest.mark.parametrize("lang", ["en", "ru"])
def test_the_first_visit_asks_for_the_language_and_speaks_it(start_bot, lang):
    bot = start_bot(**UNLIMITED)
    anna = bot.user("Anna", language_code={"en": "ru", "ru": "en"}[lang])
    anna.send("/start")
    assert {"language:set:en", "language:set:ru"} <= set(anna.buttons.values())
    anna.forge(f"language:set:{lang}")
    anna.send("/start")
    assert bool(CYRILLIC.search(anna.last)) is (lang == "ru")
    bot.restart()
    anna.send("/balance")
    assert bool(CYRILLIC.search(anna.last)) is (lang == "ru")


@SQLITE
def test_the_menu_of_the_first_screen_is_short(start_bot):
    bot = start_bot(**UNLIMITED)
    anna = bot.rich("Anna")
    for _ in range(2):
        anna.send("/start")
        screen = Screen.of(anna.last_message)
        assert not style(screen) and not faults(screen, bot.bot.texts.keys("en"))
        assert len(screen.text.splitlines()) <= 6
        make_picture(bot, anna, WISHES["en"])


@SQLITE
def test_an_old_screen_still_works(start_bot):
    bot = start_bot(**UNLIMITED)
    anna = bot.rich("Anna")
    anna.send("/start")
    old = anna.last_message
    anna.send("/balance")
    anna.forge("models:menu", message=old)
    shown = next(m for m in anna.received if m["message_id"] == old["message_id"])
    assert shown["text"] != old["text"] and "₽" in anna.last, "it turns in place; what is below stays"


@SQLITE
def test_a_screen_too_old_to_be_edited_is_sent_anew(start_bot):
    bot = start_bot(**UNLIMITED)
    anna = bot.user("Anna")
    anna.send("/start")
    old = anna.last_message
    for trouble in ("500", "502"):
        bot.telegram.fail_next("editMessageText", trouble, times=10)
        anna.forge("balance:show", message=old)
        bot.telegram.no_trouble()
        assert anna.toast is not None
    bot.telegram.fail_next("answerCallbackQuery", "500", times=9)
    anna.forge("models:menu", message=old)
    bot.telegram.no_trouble()
    anna.forge("balance:show", message=old)
    assert "0 ₽" in next(m for m in anna.received if m["message_id"] == old["message_id"])["text"]


@SQLITE
def test_17_a_screen_that_was_deleted_is_sent_anew(start_bot):
    bot = start_bot(**UNLIMITED)
    anna = bot.user("Anna")
    anna.send("/start")
    old = anna.last_message
    bot.bot.delete_quietly(anna.id, old["message_id"])
    person = {"id": anna.id, "is_bot": False, "first_name": "Anna", "language_code": "en"}
    bot.telegram.update(
        callback_query={"id": "9" * 18, "from": person, "chat_instance": "1", "data": "balance:show", "message": old}
    )
    assert "0 ₽" in anna.last


@SQLITE
def test_13_the_buttons_under_a_result_go_on_from_it_and_leave_it_alone(start_bot):
    bot = start_bot(**UNLIMITED)
    anna = bot.rich("Anna")
    make_picture(bot, anna, WISHES["en"])
    result = anna.last_message
    assert "photo" in result and "balance" in result["caption"] and "₽" in result["caption"]
    for label in Screen.of(result).labels:
        before = {m["message_id"] for m in anna.received}
        anna.forge(label.data, message=result)
        now = next(m for m in anna.received if m["message_id"] == result["message_id"])
        assert now == result, f"{label.text} changes the result"
        assert {m["message_id"] for m in anna.received} - before or anna.toast, f"{label.text} does nothing"


@SQLITE
def test_the_main_action_and_what_takes_away_have_their_colours(start_bot):
    bot = start_bot(**UNLIMITED)
    anna = bot.rich("Anna")
    anna.send("a fox in the snow")
    styles = [[cell.get("style") for cell in row] for row in anna.last_message["reply_markup"]["inline_keyboard"]]
    assert styles[0] == ["primary"] and not any(itertools.chain(*styles[1:]))
    anna.send("/privacy")
    anna.tap("privacy:ask")
    colours = {
        c["callback_data"]: c.get("style") for r in anna.last_message["reply_markup"]["inline_keyboard"] for c in r
    }
    assert [data.split(":")[1] for data, style in colours.items() if style == "danger"] == ["erase"]
