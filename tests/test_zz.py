import time

import pytest

from tests.crawler import Crawl, leads_out, style
from tests.kit import png


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("lang", ["en", "ru"])
@pytest.mark.parametrize("who", ["user", "admin"])
def test_all(start_bot, lang, who):
    bot = start_bot(SUPPORT_CONTACT="@help_me", USER_JOBS="50", FLOOD_MESSAGES="1000000", USER_STARTS="1000000")
    b = bot.bot
    a = bot.rich("Alice", language_code=lang)
    if who == "admin":
        a = bot.telegram.person("Boss", id=5000000900, language_code=lang)
        a.send("/start")
        b.ledger.post(
            b.users.by_telegram_id(a.id).id, 100000, kind="admin", key="x", now=bot.clock.now(), reason="test money"
        )
    keys = b.texts.keys("en")
    kinds = {m.code: f"<{m.type}>" for m in b.generation.catalog.models.values()}
    stale = {b.texts.plain(lang, k) for k in ("common.old_button", "generate.old_card")}
    t = time.perf_counter()
    c = Crawl(
        a, keys, stale, kinds, {"language:set:en": f"language:set:{lang}", "language:set:ru": f"language:set:{lang}"}
    )
    roots = [
        ("/start", lambda: a.send("/start")),
        ("text", lambda: (a.send("/cancel"), a.send("a fox in the snow"))),
        ("photo", lambda: (a.send("/cancel"), a.photo(png()))),
    ]
    roots += [
        ("/" + n, lambda n=n: a.send("/" + n))
        for n, e in b.handlers["command"].items()
        if n != "start" and (who == "admin" or not e.admin)
    ]
    c.run(roots)

    print(len(c.pressed), time.perf_counter() - t, len(c.screens))
    print(*c.complaints, sep="\n")
    back = b.texts.plain(lang, "common.back")
    for path, s in c.screens.values():
        if s.rows and not leads_out(s, back):
            print("NO WAY OUT", path, s)
    for path, s in c.screens.values():
        if style(s):
            print("STYLE", style(s), path) if 0 else 0
    print(sorted(set(b.handlers["button"]) - {":".join(p.split(":")[:2]) for p in c.pressed}))
