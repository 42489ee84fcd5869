"""💡 Ideas: /ideas and a button of the main menu show ready-made orders, one picture at a time.

*Make mine* asks for what an idea needs, a photo or a few words, and shows the card with everything filled in: one tap orders.
The ideas are in `data/ideas.json`. A picture is a result of the bot's own (`ideas/examples.py`), until there is one a drawing.
Texts: ideas.* in data/texts/<lang>/ideas/gallery.po, rung.* in core.po.
"""

from core.attachments import file_in, media_kind
from core.buttons import CARD, MENU, button, pager, route, way_out
from core.errors import UserError
from core.services import examples
from core.services.input_labels import Labels
from core.telegram.sender import TelegramError
from kie.catalogue.ideas import PHOTO
from kie.catalogue.model import TYPES
from plugins.ideas._idea import known, lacking, named, quote, title

MODELS = route("models:menu", optional=True)

DRAFT, TAKES_PHOTO, TAKES_WORDS = "ideas", "ideas:photo", "ideas:words"
ALL, LISTED = "all", 8  # of every kind; titles on a page
MOST = 200  # characters of what is asked for
NOTHING_ELSE = dict.fromkeys(("sent", "parent", "prompt_message", "prompt_input"))  # of a card that was open before


def register(bot):
    """Declare the command, the gallery, and what asks for the rest."""
    bot.repeatable()
    bot.command("ideas", first, about="ideas.about", order=2)
    bot.menu("ideas.menu", "ideas:show:0", row=0)
    bot.button("ideas:show", show, page=int)
    bot.button("ideas:list", show_list, kind=str, page=int)
    bot.button("ideas:make", make, name=str)
    bot.step(TAKES_PHOTO, take_photo)
    bot.step(TAKES_WORDS, take_words)
    bot.check("ideas", examine)


def examine(bot):
    """Report which entries of data/ideas.json are left out, and why."""
    ideas = bot.generation.live_catalogue.ideas
    found = [f"{entry}: {why}" for entry, why in ideas.rejected]
    found += [f"{idea.name}: {', '.join(keys)}" for idea in ideas.known if (keys := lacking(bot.texts, idea))]
    return ("ideas.rejected", {"count": len(found), "entries": "; ".join(found[:5])}) if found else None


# the gallery


def first(ctx):
    """Show the first idea."""
    show(ctx, 0)


def show(ctx, page):
    """Show one idea: its picture, what comes of it, and what it costs; what was begun of another one is dropped."""
    ctx.done(DRAFT)
    ideas = known(ctx.bot)
    if not ideas:
        ctx.edit("ideas.none", [button("common.all_models", MODELS), button("common.menu", MENU)])
        return
    page %= len(ideas)
    idea, found = ideas[page], quote(ctx, ideas[page])
    make = []
    if found:
        model, _values, quoted = found
        make = [button("ideas.make", "ideas:make", idea.name, cost=Labels(ctx.texts, ctx.lang).cost(model, quoted))]
    rows = [make, *pager(page, len(ideas), "ideas:show")]
    rows.append([button("ideas.all", "ideas:list", ALL, 0), button("common.menu", MENU)])
    _draw(ctx, idea, rows)


def show_list(ctx, kind, page):
    """Show a page of titles: of all ideas, or of those of one kind."""
    ctx.done(DRAFT)
    ideas = list(enumerate(known(ctx.bot)))
    kinds = dict.fromkeys(TYPES[idea.work] for _place, idea in ideas)
    mine = [one for one in ideas if kind == ALL or TYPES[one[1].work] == kind]
    if not mine:
        raise UserError("common.old_button")
    pages = -(-len(mine) // LISTED)
    page %= pages
    cells = [
        button("label", "ideas:show", place, label=title(ctx, idea)) for place, idea in mine[page * LISTED :][:LISTED]
    ]
    filters = [button(f"menu.{one}", "ideas:list", one, 0) for one in kinds if one != kind]
    filters += [button("ideas.every", "ideas:list", ALL, 0)] if kind != ALL else []
    rows = [*_by(2, cells), *pager(page, pages, "ideas:list", kind), *_by(3, filters), button("common.menu", MENU)]
    if ctx.tap and "text" not in ctx.message:
        ctx.delete(ctx.message["message_id"])
    ctx.edit("ideas.list", rows, n=len(mine))


def _by(size, cells):
    return [cells[i : i + size] for i in range(0, len(cells), size)]


def _draw(ctx, idea, rows):
    """Show an idea with its example; with the drawing if there is none, or if Telegram has lost it."""
    values = {"title": title(ctx, idea), "about": ctx.say(f"ideas.about_{idea.name}")}
    if shown := examples.shown(ctx.bot).get(idea.name):
        try:
            ctx.show_media(shown["kind"], shown["file_id"], "ideas.example", rows, **values, model=shown["model"])
            return
        except TelegramError as error:
            _unless_refused(error)
    _draw_drawing(ctx, idea, rows, values)


def _draw_drawing(ctx, idea, rows, values):
    """Show the drawing of an idea, else of its kind of work; Telegram keeps what was uploaded once."""
    file = ctx.generation.live_catalogue.ideas.drawing(idea)
    key = f"drawing:{file.stem}"
    if kept := ctx.store.get(key):
        try:
            ctx.show_media("photo", kept, "ideas.drawing", rows, **values)
            return
        except TelegramError as error:
            _unless_refused(error)
    sent = ctx.show_media("photo", file.read_bytes(), "ideas.drawing", rows, **values)
    ctx.store.put(key, sent["photo"][-1]["file_id"])


def _unless_refused(error):
    """Raise an error other than that of a file which Telegram does not have (any more)."""
    if error.code != 400 or error.is_gone:
        raise error


# making one's own


def make(ctx, name):
    """Ask for the first thing that an idea needs, or show its card at once."""
    named(ctx.bot, name)
    _go_on(ctx, {"idea": name, "photo": None, "words": {}})


def _go_on(ctx, data):
    """Ask for the next thing that is missing; once there is none, show the card."""
    place, idea = named(ctx.bot, data["idea"])
    given = data["words"] | ({PHOTO: data["photo"]} if data["photo"] else {})
    missing = next((what for what in idea.asks if what not in given), None)
    if missing is None:
        _fill(ctx, place, idea, data)
        return
    step = TAKES_PHOTO if missing == PHOTO else TAKES_WORDS
    asked = {"title": title(ctx, idea), "question": ctx.say(f"ideas.ask_{missing}")}
    ctx.ask(step, "ideas.ask", [way_out("ideas:show", place)], data=data | {"missing": missing}, **asked)


def take_photo(ctx):
    """Take the photo; a caption is the answer to what comes next."""
    data, file = ctx.draft.data, file_in(ctx.message)
    if ctx.generation.assistant.can_hear(file):
        return ctx.PASS
    place, idea = named(ctx.bot, data["idea"])
    if file is None or media_kind(file) != "image":
        raise UserError("ideas.want_photo", buttons=[way_out("ideas:show", place)])
    caption, words = ctx.message.get("caption", "").strip(), dict(data["words"])
    if caption and len(caption) <= MOST:
        words |= dict.fromkeys([w for w in idea.asks if w != PHOTO and w not in words][:1], caption)
    _go_on(ctx, data | {"photo": file, "words": words})
    return None


def take_words(ctx):
    """Take the words, typed or spoken."""
    data = ctx.draft.data
    if not ctx.text and ctx.generation.assistant.can_hear(file_in(ctx.message)):
        return ctx.PASS  # they come again as a text
    place, _idea = named(ctx.bot, data["idea"])
    words = " ".join(ctx.text.split())
    if not 0 < len(words) <= MOST:
        raise UserError("ideas.want_words", buttons=[way_out("ideas:show", place)], limit=MOST)
    _go_on(ctx, data | {"words": data["words"] | {data["missing"]: words}})
    return None


def _fill(ctx, place, idea, data):
    """Show the card with the idea filled in and the price on its order button."""
    found = quote(ctx, idea, data["words"], data["photo"])
    if found is None:
        raise UserError("ideas.not_now", buttons=[way_out("ideas:show", place)])
    model, values, _quoted = found
    ctx.done(DRAFT)
    kept = NOTHING_ELSE | {"back": f"ideas:show:{place}", "idea": idea.name}
    ctx.draft = ctx.generation.fill(ctx.user.id, model, values, ctx.now, **kept)
    ctx.go(CARD)
