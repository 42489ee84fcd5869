"""What people see: every button that can be drawn is pressed, in both languages, as a user and as an admin.

Criteria 8 and 13 (the screens' side) of the acceptance list, and the rules of thumb for a screen.
"""

import itertools

import pytest

from tests.crawler import Crawl, leads_out, style
from tests.kit import BOSS, png

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # nothing here depends on the database
UNLIMITED = {"FLOOD_MESSAGES": "1000000", "USER_STARTS": "1000000", "USER_JOBS": "1000", "SUPPORT_CONTACT": "@help_me"}


def crawl(bot, person, lang, more_roots=(), every_kind=True):
    """Press everything `person` can reach from every command, a text, a photo and a result.

    Of all models of one type one is walked through; without `every_kind`, one of all.
    """
    texts, catalog = bot.bot.texts, bot.bot.generation.catalog
    stale = {texts.plain(lang, key) for key in ("common.old_button", "generate.old_card", "common.lost")}
    kinds = {model.code: f"<{model.type if every_kind else 'model'}>" for model in catalog.models.values()}
    undo = {f"language:set:{other}": f"language:set:{lang}" for other in ("en", "ru")}
    walk = Crawl(person, texts.keys("en"), stale, kinds, undo)
    return walk.run([*_roots(bot, person), *more_roots])


def _roots(bot, person):
    admin = person.id == BOSS
    commands = [name for name, entry in bot.bot.handlers["command"].items() if admin or not entry.admin]
    return [
        ("/start", lambda: person.send("/start")),
        *((f"/{name}", lambda name=name: person.send(f"/{name}")) for name in commands if name != "start"),
        ("a text", lambda: person.send("a fox in the snow")),
        ("a photo", lambda: person.photo(png())),
        ("a result", lambda: make_picture(bot, person)),
        ("a failure", lambda: make_picture(bot, person, fail=True)),
        ("a queue", lambda: wait_in_the_queue(bot, person)),
    ]


def make_picture(bot, person, fail=False):
    """Order a picture as a person does and wait for what becomes of it."""
    person.send("a fox in the snow")
    person.forge("generate:open:z-image")
    person.tap("orders:go")
    if fail:
        bot.kie.fail_next()
    bot.forward(90, step=15)


def wait_in_the_queue(bot, person):
    """Order while KIE takes nothing."""
    bot.kie.trouble("create", "429")
    person.send("a fox in the snow")
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


def report(walk, back):
    """Return what the walk has to complain about, a line each."""
    dead_ends = [
        f"no way out of {screen}: {' › '.join(path)}"
        for path, screen in walk.screens.values()
        if screen.rows and not leads_out(screen, back) and not _needs_no_way_out(screen)
    ]
    return walk.complaints + dead_ends


def _needs_no_way_out(screen):
    """Tell whether a message is no screen: the main menu itself, news of an order, an admin's decision."""
    routes = {":".join(label.data.split(":")[:2]) for label in screen.labels if label.data}
    return (
        "models:type" in routes
        and "balance:show" in routes
        or routes & {"orders:cancel", "transfer:approve", "transfer:refuse"}
    )


@SQLITE
@pytest.mark.parametrize("lang", ["en", "ru"])
@pytest.mark.parametrize("role", ["user", "admin"])
def test_8_every_button_that_can_be_drawn_does_something(start_bot, role, lang):
    bot = start_bot(**UNLIMITED)
    person = bot.rich("Anna", "500", language_code=lang, **({"id": BOSS} if role == "admin" else {}))
    for _ in range(8):
        make_picture(bot, person)
    more = [("a top-up", pending_topups(bot))] if role == "admin" else []
    walk = crawl(bot, person, lang, more, every_kind=(role, lang) in (("user", "en"), ("admin", "ru")))
    import sys

    print(len(walk.pressed), len(walk.screens), file=sys.stderr)
    print(sorted(set(bot.bot.handlers["button"]) - {":".join(p.split(":")[:2]) for p in walk.pressed}), file=sys.stderr)
    for path, s in walk.screens.values():
        if style(s):
            print("STYLE", style(s), path)
    complaints = report(walk, bot.bot.texts.plain(lang, "common.back"))
    assert not complaints, "\n".join(complaints)
