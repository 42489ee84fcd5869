"""Methods for polls and quizzes.

The limits are those of the Bot API documentation (sendPoll, stopPoll), the errors have TDLib's wording.
"""

from demo import polls
from demo.entities import formatted
from demo.methods.editing import target
from demo.methods.sending import post
from demo.params import Params
from demo.rules import bad, utf16

QUESTION_MAX, OPTION_MAX, EXPLANATION_MAX, DESCRIPTION_MAX = 300, 100, 200, 1024  # characters
OPTIONS_MIN, OPTIONS_MAX = 1, 12
OPEN_MIN_S, OPEN_MAX_S = 5, 2_628_000
LINES_MAX = 2  # line feeds of an explanation


def send_poll(world, params):
    """Send a poll or a quiz."""
    record = polls.make(read_poll(world, params), params.flag("hide_results_until_closes"))
    message = post(world, params, {"poll": polls.shown(record)})
    polls.place(world, record, message)
    return message


def read_poll(world, params):
    """Validate a call's poll and return its Poll object, without votes."""
    kind = params.text("type") or "regular"
    if kind not in ("regular", "quiz"):
        raise bad("unsupported poll type specified")
    options = read_options(params)
    poll = {"question": _text(params, "question", QUESTION_MAX), "options": options, "type": kind}
    poll |= {
        "total_voter_count": 0,
        "is_closed": params.flag("is_closed"),
        "is_anonymous": params.flag("is_anonymous") if "is_anonymous" in params else True,
        "allows_multiple_answers": params.flag("allows_multiple_answers"),
        "allows_revoting": params.flag("allows_revoting") if "allows_revoting" in params else kind == "regular",
        "members_only": False,
    }
    if kind == "quiz":
        poll |= _answer(params, len(options))
    return poll | _ending(world, params) | _described(params)


def _text(params, name, most):
    """Return a question or an option's text as plain text: only custom emoji could be entities there."""
    text, _entities = formatted(params.text(name), params.text(f"{name}_parse_mode"))
    what = "poll question" if name == "question" else "poll options"
    if not text:
        raise bad(f"{what} must be non-empty")
    if utf16(text) > most:
        raise bad(f"{what} length must not exceed {most}")
    return text


def read_options(params):
    """Return the PollOption objects; an option is a string (before Bot API 7.3) or an InputPollOption."""
    given = params.json("options", list, [])
    if len(given) < OPTIONS_MIN:
        raise bad(f"poll must have at least {OPTIONS_MIN} option")
    if len(given) > OPTIONS_MAX:
        raise bad(f"poll can't have more than {OPTIONS_MAX} options")
    options = [Params(one) if isinstance(one, dict) else Params(text=one) for one in given]
    texts = [_text(one, "text", OPTION_MAX) for one in options]
    return [{"persistent_id": str(at), "text": text, "voter_count": 0} for at, text in enumerate(texts)]


def _answer(params, options):
    """Return what makes a poll a quiz: the right answers and why they are right."""
    given = [params.number("correct_option_id")] if params.get("correct_option_id") not in (None, "") else []
    right = params.json("correct_option_ids", list, given)
    if not right or right != sorted({one for one in right if isinstance(one, int) and 0 <= one < options}):
        raise bad("wrong correct option ID specified")
    text, entities = formatted(
        params.text("explanation"), params.text("explanation_parse_mode"), params.objects("explanation_entities")
    )
    if utf16(text) > EXPLANATION_MAX or text.count("\n") > LINES_MAX:
        raise bad("poll explanation is too long")
    why = {"explanation": text} | ({"explanation_entities": entities} if entities else {}) if text else {}
    return {"correct_option_ids": right, **why}


def _ending(world, params):
    """Return when a poll closes automatically, nothing if it is stopped by hand."""
    period, date = params.number("open_period"), params.number("close_date")
    if period and date:
        raise bad("open_period and close_date can't be used together")
    left_s = period or (date and date - world.clock.date())
    if left_s and not OPEN_MIN_S <= left_s <= OPEN_MAX_S:
        raise bad(f"poll must be open for {OPEN_MIN_S} to {OPEN_MAX_S} seconds")
    ending = {"close_date": world.clock.date() + left_s} if left_s else {}
    return ending | ({"open_period": period} if period else {})


def _described(params):
    text, entities = formatted(
        params.text("description"), params.text("description_parse_mode"), params.objects("description_entities")
    )
    if utf16(text) > DESCRIPTION_MAX:
        raise bad("poll description is too long")
    return {"description": text} | ({"description_entities": entities} if entities else {}) if text else {}


def stop_poll(world, params):
    """Close one of the bot's polls and return its Poll object; the message gets the call's keyboard, or none."""
    message_id = params.number("message_id")
    message = world.chat(world.reachable(params.get("chat_id")).id).messages.get(message_id)
    if message is None:
        raise bad("message with poll to stop not found")
    record = polls.of(world, message)
    if record is None:
        raise bad("message is not a poll")
    if message["from"]["id"] != world.bot["id"] or "forward_origin" in message:
        raise bad("poll can't be stopped")
    if record["poll"]["is_closed"]:
        raise bad("poll has already been closed")
    _put_keyboard(world, params)
    polls.close(world, record)
    return polls.shown(record)


def _put_keyboard(world, params):
    message, markup = target(world, params), params.markup()
    if markup and "inline_keyboard" not in markup:
        raise bad("inline keyboard expected")
    bare = {key: value for key, value in message.items() if key != "reply_markup"}
    world.replace(bare | ({"reply_markup": markup} if markup else {}))


METHODS = {"sendPoll": send_poll, "stopPoll": stop_poll}
