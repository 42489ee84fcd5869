"""The ladder: a text, a photo or an album is answered by one message, whose rungs (Draft, Good, Best) order at a tap.

The kind of work is guessed from the words; one row changes it. `data/offers.json` defines the rungs; if none can be
sold, `generate/suggest.py` answers. `generate/orders.py` orders a rung: its button carries the draft and its version.
Texts: ladder.* in data/texts/<lang>/generate/ladder.po, do.* in core.po.
"""

from core.attachments import MEDIA_FIELDS
from core.buttons import MENU, button, route
from core.errors import UserError
from core.services.input_labels import Labels
from core.services.talk import PICTURES
from plugins.generate._follow_up import CHANGE, UPSCALE, rung_of_last
from plugins.generate._loose import SPOKEN, is_further, kind_of, most, need, own, result, sent
from plugins.generate._rungs import (
    LACKING,
    LAST,
    asked_idea,
    choose,
    example_cell,
    in_rows,
    quotes,
    rows,
    speaks,
    takes_words,
    wordless,
    works_of,
)

ASK = route("ask:ladder", optional=True)
WHICH_ONE = route("replies:edit", optional=True)

STEP, RANK = "ladder:words", "quick"
SHOWN, WHICH = 160, 10
EACH = -1  # in place of a part: ask which one


def register(bot):
    """Declare what is answered with a ladder, and its buttons."""
    bot.repeatable()
    for kind in ("text", *MEDIA_FIELDS):
        bot.update(kind, on_content, order=40)
    bot.step(STEP, take_words)
    bot.button("ladder:show", show)
    bot.button("ladder:work", change_work, work=str)
    bot.button("ladder:alone", without_files)
    bot.button("ladder:lack", top_up, amount=int, rung=int)
    bot.button("ladder:which", ask_which, job=int)
    bot.button("ladder:finish", finish, job=int, part=int)


def on_content(ctx):
    """Answer what was sent with its ladder; if it has none, leave it to others."""
    return _answer(ctx, sent(ctx))


def take_words(ctx):
    """Take the words for photos that came without any; anything else is a new question."""
    if not ctx.text:
        return ctx.PASS
    return _answer(ctx, need(ctx) | {"text": ctx.text, "later": True})


def _answer(ctx, loose, below=False):
    """Show the ladder of the work that the words ask for, else of the first one that can be ordered."""
    works = works_of(ctx, loose)
    if works and _waits_for_words(ctx, loose):
        return _put(ctx, works[0], loose, wordless(ctx, loose), below)
    guessed = ctx.generation.live_catalogue.offers.guess(loose["text"], works)
    unused = {work for work in works if loose["text"] and not takes_words(ctx, work)}
    for work in sorted(works, key=lambda work: (work != guessed, work in unused)):
        if rungs := _rungs(ctx, work, loose):
            return _put(ctx, work, loose, rungs, below)
    return ctx.PASS


def _waits_for_words(ctx, loose):
    """Tell whether a file came without words of a kind that most people want to change by words."""
    offers = ctx.generation.live_catalogue.offers
    return bool(loose["files"] and not loose["text"] and kind_of(loose) in offers.wordless)


def _rungs(ctx, work, loose):
    """Return the quotes of a ladder; right after a result with what changes it: first if the text reads so, else last.

    What finishes a picture has the highest rung first, as it says what each gives.
    """
    if loose.get("finish") and work == UPSCALE and (found := quotes(ctx, work, loose, last=False)):
        return found[::-1]
    found = asked_idea(ctx, work, loose) + quotes(ctx, work, loose)
    last = rung_of_last(ctx, loose) if found else None
    if last is None:
        return found
    changed, is_meant = last
    return [changed, *(quote for quote in found if quote["name"] != LAST)] if is_meant else [*found, changed]


def _put(ctx, work, loose, rungs, below=False):
    """Write the ladder into the draft and draw it; photos without words wait for them."""
    waits = loose["files"] and not loose["text"]
    step = STEP if waits else None
    data = {"loose": loose | {"work": work}, "parent": loose.get("parent"), "ask": _price_of_question(ctx, loose)}
    ctx.draft = ctx.generation.put_ladder(ctx.user.id, rungs, ctx.now, step=step, **data)
    _draw(ctx, below)


def show(ctx, below=False):
    """Show the ladder as it is now: prices and balance may have changed (`below`: under a message that stays)."""
    loose = need(ctx)
    work = loose.get("work")
    rungs = _rungs(ctx, work, loose) if work else []
    if rungs:
        _put(ctx, work, loose, rungs, below)
    elif _answer(ctx, loose, below) is ctx.PASS:
        ctx.go("suggest:show")


def change_work(ctx, work):
    """Show the ladder of another kind of work; if it needs words, ask for them."""
    loose = need(ctx)
    if work not in works_of(ctx, loose):
        ctx.toast("job.stale_quote")  # something else was sent since this screen was drawn
        show(ctx)
        return
    rungs = _rungs(ctx, work, loose)
    if not rungs and loose["text"]:
        raise UserError("ladder.not_for_this")
    _put(ctx, work, loose, rungs)


def without_files(ctx):
    """Take only the words: they were not about the photos."""
    if _answer(ctx, {"text": need(ctx)["text"], "files": []}) is ctx.PASS:
        raise UserError("common.old_button")


def top_up(ctx, amount, rung):
    """Offer to top up what a rung lacks."""
    choose(ctx, "generate", rung)
    ctx.go(LACKING, amount=amount)


def ask_which(ctx, job):
    """Ask which of several results is to be changed with these words."""
    own(ctx, job)
    ctx.go(WHICH_ONE, job=job, part=EACH, text=need(ctx)["text"])


# a question


def _price_of_question(ctx, loose):
    """Return what an answer costs at most, if a text reads like a question: {"price", "left"}; else None.

    Photos that came with it are looked at.
    """
    offers = ctx.generation.live_catalogue.offers
    fits = not loose["files"] or (kind_of(loose) == "image" and len(loose["files"]) <= PICTURES and "task" not in loose)
    if not fits or ASK not in ctx.bot.handlers["button"] or not offers.phrases.is_question(loose["text"]):
        return None
    found = ctx.generation.talk.bound(ctx.user.id, RANK, ctx.now, loose["text"], loose["files"])
    return found and {"price": found.price, "left": found.free["left"] if found.free else 0}


def _ask_row(ctx, draft):
    found, labels = draft.data.get("ask"), Labels(ctx.texts, ctx.lang)
    if not found:
        return []
    cost = (
        labels.word("rung.free", n=found["left"]) if found["left"] else labels.word("rung.up_to", price=found["price"])
    )
    return [button("ladder.ask", ASK, draft.version, cost=cost)]


# the screen


def _draw(ctx, below):
    """Show the ladder in its live message: edited in place after a tap or within an album, else below what was sent."""
    draft, loose = ctx.draft, ctx.draft.data["loose"]
    first = [*_ask_row(ctx, draft), *rows(ctx, draft)]
    if _changes_last(draft):
        first = [*rows(ctx, draft), *_ask_row(ctx, draft)]  # "can it be green?" asks for a picture
    keyboard = [*first, *_better(ctx, loose), *_work_rows(ctx, draft, loose)]
    keyboard.append([button("common.all_models", "uses:works", 0, 0), button("common.menu", MENU)])
    values, live = {"lines": ctx.lines(_lines(ctx, draft, loose))}, draft.message_id
    if below or (ctx.kind == "message" and not is_further(loose)):
        ctx.delete(live)
        shown = ctx.reply("ladder.screen", keyboard, **values)
    else:
        shown = ctx.edit("ladder.screen", keyboard, message_id=None if ctx.tap else live, **values)
    if shown != live:
        ctx.drafts.note_screen(draft, shown)


def _lines(ctx, draft, loose):
    """Return what was sent, what will be made of it, and what is still needed."""
    text = loose["text"][:SHOWN] + "…" * (len(loose["text"]) > SHOWN)
    what = [ctx.say(f"ladder.{kind_of(loose)}", n=len(loose["files"]))] if loose["files"] else []
    what += [ctx.say("ladder.words", text=text)] if text else []
    finishes = loose.get("finish") and loose["work"] == UPSCALE
    lines = [ctx.lines(what), ctx.say("ladder.work", work=ctx.texts.plain(ctx.lang, f"do.{loose['work']}"))]
    if speaks(ctx, loose["work"], loose):
        lines.append(ctx.say("ladder.speaks"))
    if finishes:
        lines.append(ctx.say("ladder.same_larger"))
    if loose["work"] == UPSCALE and loose["files"][0].get("width"):
        lines.append(ctx.say("ladder.size_now", width=loose["files"][0]["width"], height=loose["files"][0]["height"]))
    if loose["files"] and not text and not finishes:
        lines.append(ctx.say("ladder.or_words" if draft.data["rungs"] else "ladder.ask_words"))
    if _changes_last(draft):
        first = draft.data["rungs"][0]
        lines.append(ctx.say("ladder.or_new", number=first["number"], parent=first["grows"]))
    return lines + _left_out(ctx, draft, loose)


def _changes_last(draft):
    """Tell whether the words were taken for a change of the last result."""
    return bool(draft.data["rungs"]) and draft.data["rungs"][0]["name"] == CHANGE


def _left_out(ctx, draft, loose):
    """Say how many of the files are used, if not all of them can be."""
    if not loose["files"] or not draft.data["rungs"]:
        return []
    models = [ctx.generation.catalog.models[quote["model"]] for quote in draft.data["rungs"]]
    fit = min(most(spec) for model in models if (spec := model.input_for(kind_of(loose))))
    return [ctx.say("ladder.first_only", n=fit)] if fit < len(loose["files"]) else []


def _better(ctx, loose):
    """Offer richer words, except for words that are spoken as they are."""
    wanted = loose["text"] and loose["work"] not in SPOKEN and ctx.generation.assistant.is_on
    return [button("common.better", "better:ask")] if wanted else []


def _work_rows(ctx, draft, loose):
    """Return the other kinds of work and an example of what the rungs make, as many in a row as a phone shows in full."""
    shown = {loose["work"], *(quote["name"] for quote in draft.data["rungs"] if quote.get("label"))}
    cells = [button(f"do.{other}", "ladder:work", other) for other in works_of(ctx, loose) if other not in shown]
    if loose.get("later"):
        cells.append(button("ladder.alone", "ladder:alone"))
    return in_rows(ctx, cells + example_cell(ctx, draft))


# from a result


def finish(ctx, job, part):
    """Show the ladder that enlarges a result, below it."""
    found = own(ctx, job)
    if part == EACH:
        many = range(min(WHICH, len(found.result["urls"])))
        cells = [button("label", "ladder:finish", job, one, label=str(one + 1)) for one in many]
        ctx.reply("common.which", [*(cells[i : i + 3] for i in range(0, len(cells), 3)), *ctx.bot.home()])
        return
    loose = result(found, part) | {"finish": True}
    rungs = _rungs(ctx, UPSCALE, loose)
    if not rungs:
        raise UserError("ladder.not_for_this")
    _put(ctx, UPSCALE, loose, rungs, below=True)
