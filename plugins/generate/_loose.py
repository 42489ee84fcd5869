"""What comes before a model is chosen: a text, or files with or without words, or an earlier result; kept in the draft.

It is a dict: "text", "files" in the order they were sent; for a result also "task", "parent": {"job", "part"}, and "lost" if
its file is not available any more; for an album also its id and the messages already included, as Telegram sends its
pictures one by one.
"""

from core.attachments import file_in, media_kind
from core.errors import UserError
from core.services import forms
from kie.catalogue.inputs import earlier_result, present
from kie.catalogue.model import InputError

MANY = 100  # files of an input that names no limit
SETTINGS = ("choice", "switch", "number")
SPOKEN = ("text-to-speech", "lip-sync")  # works whose words are spoken as they are
AS_IT_IS = "as_it_is"  # in a voice message that is handed on as the sound it is
NOT_REMEMBERED = ("seed",)  # or every order would look the same


def sent(ctx, before=None):
    """Return what a message brings; a further picture of an album is added to those `before` it, by default the open ones.

    One that is included already is not added again, as its update may be handled twice.
    """
    file, message = file_in(ctx.message), ctx.message
    if file is None:
        return {"text": ctx.text, "files": []}
    album, before = message.get("media_group_id"), (opened(ctx) if before is None else before) or {}
    if album is None or before.get("album") != album:
        before = {}
    text, known = before.get("text") or message.get("caption", ""), before.get("messages", [])
    if message["message_id"] in known:
        return before
    files, messages = [*before.get("files", []), file], [*known, message["message_id"]]
    return {"text": text, "files": files, "album": album, "messages": messages}


def is_further(loose):
    """Return whether a message was a later one of an album: the screen about it is there already."""
    return len(loose.get("messages", ())) > 1


def opened(ctx):
    """Return what waits for a model, or was sent before the open card, or None."""
    draft = ctx.drafts.get(ctx.user.id, "generate", ctx.now)
    found = draft and (draft.data.get("loose") or draft.data.get("sent"))
    return found if found and "files" in found else None


def need(ctx):
    """Return the same, or raise UserError if it is gone."""
    loose = opened(ctx)
    if loose is None:
        raise UserError("common.gone", buttons=ctx.bot.home())
    return loose


def kind_of(loose):
    """Return what it is: text, image, video or audio, or document for any other file."""
    return media_kind(loose["files"][0]) if loose["files"] else "text"


def lacks_voice(model, values):
    """Return whether a model makes somebody speak and still lacks the recording of what is said."""
    spec = model.input_for("audio") if "lip-sync" in model.modes else None
    return spec is not None and spec.required and not present(values.get(spec.name))


def is_ladder(ctx):
    """Return whether a ladder is open."""
    draft = ctx.drafts.get(ctx.user.id, "generate", ctx.now)
    return bool(draft and draft.data.get("loose", {}).get("work"))


def screen_of(ctx):
    """Return the route of the screen that shows what was sent: its ladder, or the kinds of work."""
    by_ladder = (opened(ctx) or {}).get("work") and "ladder:show" in ctx.bot.handlers["button"]
    return "ladder:show" if by_ladder else "suggest:show"


def put(ctx, model, values, loose, whole=False):
    """Return `values` with what was sent, where this model accepts it; files beyond the model's limit are left out.

    Raise UserError for what the model does not accept; with `whole`, also for files beyond its limit.
    """
    task = loose.get("task") if len(loose["files"]) < 2 else None  # with more than the result, its file is what goes in
    fed = next((spec for spec in model.inputs if task and spec.kind == "task" and spec.usable(task)), None)
    if loose.get("text") and model.main_text and (loose["files"] or fed is None):
        values = values | _words(model, loose["text"])
    if fed is not None:
        return values | {fed.name: task}
    if loose.get("lost"):
        raise UserError("common.gone")
    spec = model.input_for(kind_of(loose)) if loose["files"] else None
    return values if spec is None else _put_files(ctx, model, values, loose, whole)


def _words(model, text):
    """Return the values that put a text where the model takes it: a long one where switches open a longer input.

    The words of a whole song are too long for its idea, say, and become its lyrics. Raise UserError if they fit nowhere.
    """
    try:
        return {model.main_text.name: forms.read(model.main_text, text)}
    except UserError:
        for spec in model.inputs:
            is_open = spec.when and all(isinstance(value, bool) for value in spec.when.values())
            if spec.kind == "text" and spec.required and is_open and len(text) <= (spec.max_length or 0):
                return {**spec.when, spec.name: forms.read(spec, text)}
        raise


def _put_files(ctx, model, values, loose, whole):
    """Return `values` with each file in the first input for its kind."""
    taken = {}
    for place, file in enumerate(loose["files"]):
        spec = model.input_for(media_kind(file))
        taken[spec] = taken.get(spec, 0) + 1
        if spec is None or taken[spec] > most(spec):
            if whole:
                raise too_many(spec, loose)
            continue
        file = loose["files"][place] = ctx.generation.meter(model, spec, ctx.user)(file)  # measured once for all models
        values = forms.add_file(spec, values, file)
    return values


def most(spec):
    """Return how many files an input accepts."""
    return (spec.max_items or MANY) if spec.many else 1


def too_many(spec, loose):
    """Return the UserError that says how many of the files sent an input accepts."""
    return UserError("error.too_many_files", n=most(spec) if spec else 1, found=len(loose["files"]))


def remembered(ctx, model):
    """Return the settings of the person's last order of this model, as far as it still accepts them."""
    last = ctx.jobs.last_of(ctx.user.id, model.id)
    settings = {}
    for name, value in (last.inputs if last else {}).items():
        spec = model.by_name.get(name)
        if spec is None or spec.kind not in SETTINGS or spec.label in NOT_REMEMBERED:
            continue
        try:
            settings[name] = spec.parse(value)
        except InputError:
            continue  # the model has changed: as if it had not been set
    return settings


# an earlier result


def own(ctx, job):
    """Return the person's own order with its result; raise UserError for anything else."""
    found = ctx.jobs.get(job, ctx.user.id)
    if found is None or not found.result:
        raise UserError("common.old_button")
    return found


def result(found, part):
    """Return one of an order's results as if it had been sent."""
    task = {"parent": {"job": found.id, "part": part}}
    task |= {"task": earlier_result(found, part)} if found.task_id else {}
    urls = found.result["urls"]
    if not urls:
        return task | {"text": found.result["text"], "files": []}
    if not 0 <= part < len(urls):
        raise UserError("common.old_button")
    return task | {"text": "", "files": [_file(found, part)]}


def _file(job, part):
    """Return one of a job's result files as a media value.

    It has KIE's own address, where the original is, and Telegram's copy for when that is gone.
    """
    url, copies, tracks = job.result["urls"][part], job.sent or [], job.result.get("tracks", [])
    known = copies[part] if part < len(copies) and "file_id" in copies[part] else {}
    facts = {name: known.get(name) for name in ("file_id", "mime", "size", "seconds", "width", "height")}
    if not facts["seconds"]:
        asked = str(job.inputs.get("duration", ""))
        facts["seconds"] = tracks[part]["seconds"] if part < len(tracks) else int(asked) if asked.isdecimal() else None
    name = url.rsplit("/", 1)[-1]
    return facts | {"url": url, "unique_id": facts["file_id"], "kind": known.get("kind", "document"), "name": name}
