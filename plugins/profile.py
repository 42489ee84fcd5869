"""What people see before they open the bot: its description, its photo and the menu button, in every language there is.

What somebody has set by hand stays: each is set only where there is nothing, or what this bot has set itself. The name is left
alone, unless BOT_NAME is given.
Setting: BOT_NAME, the name in people's lists of chats.
Texts: profile.* in data/texts/<lang>/profile.po. The photo is data/profile.jpg.
"""

from pathlib import Path

PHOTO = Path(__file__).parent.parent / "data" / "profile.jpg"
EVERY_S = 600  # Telegram is asked only about what has not been settled yet
TEXTS = (
    ("description", "getMyDescription", "setMyDescription"),
    ("short_description", "getMyShortDescription", "setMyShortDescription"),
)
EVERYBODY = ""  # Bot API: without a language, for all whose language has no text of its own


def register(bot):
    """Declare the setting, and the work until everything is settled."""
    bot.setting("BOT_NAME", str, default="")
    bot.every(EVERY_S, "profile", settle)


def settle(bot, now):
    """Set what is missing; what is settled is kept in the plugin's store, as name → what we wanted there."""
    store = bot.store("profile")
    for part, read, write in TEXTS:
        for code, wanted in _texts(bot, part):
            _settle_text(bot, store, part, code, wanted, read, write)
    name = bot.settings["BOT_NAME"]
    if name and store.get("name") != name:
        bot.sender.call("setMyName", name=name)
        store.put("name", name)
    _once(bot, store, "menu", _set_menu)
    _once(bot, store, "photo", _set_photo)


def _texts(bot, part):
    """Yield (Telegram's language code, text): everybody's comes last, as Telegram shows it where a language has none."""
    free = bot.welcome_runs
    default, *others = bot.texts.languages
    for code, lang in (*((lang, lang) for lang in others), (EVERYBODY, default)):
        key = f"profile.{part}_free" if free else f"profile.{part}"
        yield code, bot.texts.plain(lang, key, n=free)


def _settle_text(bot, store, part, code, wanted, read, write):
    """Set one text, unless the operator has put another one there."""
    kept, everybodys = store.get(f"{part}:{code}"), store.get(f"{part}:{EVERYBODY}")
    if kept == wanted:
        return
    place = {"language_code": code} if code else {}
    found = bot.sender.call(read, **place)[part]
    if found in ("", kept, everybodys, wanted):
        bot.sender.call(write, **{part: wanted}, **place)
    store.put(f"{part}:{code}", wanted)


def _once(bot, store, name, work):
    if not store.get(name):
        work(bot)
        store.put(name, True)


def _set_menu(bot):
    """Show the commands beside the input field, unless the operator has put something else there."""
    if bot.sender.call("getChatMenuButton")["type"] == "default":
        bot.sender.call("setChatMenuButton", menu_button={"type": "commands"})


def _set_photo(bot):
    """Give the bot the drawn photo, unless it has one."""
    me = bot.sender.call("getMe")["id"]
    if not bot.sender.call("getUserProfilePhotos", user_id=me, limit=1)["total_count"]:
        photo = {"type": "static", "photo": "attach://drawn"}
        bot.sender.call("setMyProfilePhoto", files={"drawn": (PHOTO.name, PHOTO.read_bytes())}, photo=photo)
