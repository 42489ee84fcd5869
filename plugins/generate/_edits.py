"""What can be made of an earlier result: its works, its file and whether that can still be had, the words that came with it.

`given` is what came with a reply: "text", "files" (photos), of an album its id and messages (see `_loose.py`), and
"instead": the file sent in place of the result's own.
"""

from core.attachments import MAX_MB
from core.services.delivery import LINK_LIFE
from kie.catalogue.inputs import MB, files_of
from plugins.generate._loose import result
from plugins.generate._rungs import quotes

FRAME = "image-to-video"  # of a video: the picture it began with is animated anew
NOTHING = {"text": "", "files": []}


def works_of(ctx, found):
    """Return the kinds of work that edit a result, the usual one first; none where a reply does not edit it."""
    model, rungs = ctx.generation.model(found), ctx.generation.live_catalogue.rungs
    works = ctx.generation.live_catalogue.offers.edits(model) if model else ()
    return [
        work for work in works if rungs(work) and not (is_frame(model, work) and _first_frame(model, found) is None)
    ]


def is_frame(model, work):
    """Tell whether a work takes the first frame of a video, not the video."""
    return model is not None and model.output == "video" and work == FRAME


def source_of(ctx, found, part, given, work):
    """Return a result with what came with the reply, as the ladder of one kind of work takes it (see `_loose.py`)."""
    loose = result(found, part) | {"text": given["text"], "work": work}
    files, task, model = loose["files"], loose.pop("task", None), ctx.generation.model(found)
    if given.get("instead"):
        files = [given["instead"]]
    elif is_frame(model, work):
        files = [_first_frame(model, found)]
    else:
        loose |= {"task": task} if task else {}
        lost = lost_by(found, files[0], ctx.now)
        loose |= {"lost": lost} if lost else {}
    return loose | {"files": [*files, *given["files"]]}


def lost_by(found, file, now):
    """Return why a result's file cannot be used any more, or None.

    KIE's address works for a day at least; after that Telegram has the file, and gives bots no large ones ("too_big").
    One that was never sent as a file is "gone".
    """
    if now < found.finished_at + LINK_LIFE:
        return None
    if not file.get("file_id"):
        return "gone"
    return "too_big" if (file.get("size") or 0) > MAX_MB * MB else None


def first_fit(ctx, found, part, given, works):
    """Return (what goes in, its quotes) of the work that the words ask for, else of the first one that can be ordered.

    Without words, and where nothing can be ordered, it is the first one asked for, with no quotes.
    """
    guessed = ctx.generation.live_catalogue.offers.guess(given["text"], works)
    ranked = sorted(works, key=lambda work: work != guessed)
    for work in ranked if given["text"] else ranked[:1]:
        loose = source_of(ctx, found, part, given, work)
        if rungs := quotes(ctx, work, loose):
            return loose, rungs
    return source_of(ctx, found, part, given, ranked[0]), []


def _first_frame(model, found):
    """Return the picture that a video was made from, or None."""
    pictures = [file for spec in model.inputs if spec.kind == "image" for file in files_of(found.inputs.get(spec.name))]
    return pictures[0] if pictures else None
