"""x"""
import pytest
from tests.kit import png, ROOT
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def show(p):
    print("----",len(p.received),p.last); 
    for r in p.last_message.get("reply_markup",{}).get("inline_keyboard",[]): print("   ",[(c["text"],len(c["text"])) for c in r])
@SQLITE
@pytest.mark.parametrize("lang",["en","ru","es"])
def test_try(start_bot,lang):
    bot=start_bot(WELCOME_RUNS="3")
    a=bot.user("Anna",language_code=lang)
    a.send("/start"); show(a)
    a.send("a fox in the snow, morning light"); show(a)
    a.tap("ladder:work:text-to-video"); show(a)
    a.tap("ladder:work:text-to-music"); show(a)
    a.tap("ladder:work:text-to-speech"); show(a)
    a.tap("ladder:work:text-to-image"); show(a)
    a.tap("▶"); show(a)
    bot.forward(60); show(a)
    a.tap("ladder:finish"); show(a)
    a.send("Видео: рыжая лиса"); show(a)
    a.photo(png()); show(a)
    a.send("make it red"); show(a)
    a.album([png(str(n)) for n in range(3)], caption="make the cat ginger"); show(a)
    a.tap("uses:works"); show(a); a.tap("uses:work"); show(a); a.tap("uses:open"); show(a)
    a.video((ROOT / "data/samples/clip-wide.mp4").read_bytes(),duration=5); show(a)
    b=bot.rich("Bob",language_code=lang)
    b.album([png(str(n)) for n in range(3)], caption="make the cat ginger"); show(b)
    b.send("/cancel")
    b.send("song about a cat"); show(b)
    bot.admin().send("/admin"); show(bot.telegram.person("Boss", id=5000000900))
