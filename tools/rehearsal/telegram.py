"""What the bot assumes about Telegram. Everything is sent to the owner without a sound, and deleted at the end.

Nothing here asks for updates, so it is safe beside the running bot. Nothing costs a Star: invoices are made and not paid.
Sources of what is expected: core.telegram.org/bots/api (Bot API), tdlib/telegram-bot-api for the words of errors.
"""

import io
from pathlib import Path

from core.process import leader_lock
from core.telegram import webhook
from core.telegram.sender import TelegramError
from core.telegram.transport import TelegramFailed
from kie.api.task_response import loads
from tools.rehearsal.assumption import Assumption, NotTried
from tools.rehearsal.samples import picture
from tools.rehearsal.shapes import Between, Many, Maybe, OneOf, Same, Text

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
MONTH_S = 2_592_000  # Bot API, createInvoiceLink: the only period
MOST_TEXT, MOST_DATA = 4096, 64  # Bot API: UTF-16 units of a text, bytes of callback_data
NOBODY = 1  # a chat that no bot has
NOWHERE = "https://rehearsal.invalid/picture.png"  # RFC 2606: there is no such host
PIECES = (  # every tag in our texts and in what core/services/markdown.py makes, and its MessageEntity
    ("b", "bold"),
    ("i", "italic"),
    ("s", "strikethrough"),
    ("code", "code"),
    ("pre", "pre"),
    ("blockquote", "blockquote"),
    ("a", "text_link"),
)
LINK = "https://example.org/"
BUTTONS = [  # the first: a label beyond ASCII, and as much data as a button can carry
    [{"text": "Кнопка", "callback_data": "rehearsal:none:".ljust(MOST_DATA, "x")}],
    [{"text": "Link", "url": LINK}, {"text": "Copy", "copy_text": {"text": "1"}}],
]
HREF = f' href="{LINK}"'
PRICE = {"currency": "XTR", "prices": [{"label": "1", "amount": 1}], "payload": "rehearsal", "provider_token": ""}
INVOICE_LINK = Text(r"^https://t\.me/(\$|invoice/)\S+$")
FILE = {"file_id": str, "file_unique_id": str, "file_size": int}
PHOTO = Many(FILE | {"width": Between(1, 10_000), "height": Between(1, 10_000)}, 1)


def refused(words, code=400):
    """Return the shape of a refusal with these words."""
    return {"error_code": code, "description": Text(words)}


def message(**content):
    """Return the shape of a message of ours to the owner, as a function of the stage."""
    return lambda stage: {
        "message_id": int,
        "date": Between(stage.clock.now().timestamp() - 300, stage.clock.now().timestamp() + 300),
        "chat": {"id": Same(stage.owner), "type": "private"},
        "from": {"id": Same(_own_id(stage)), "is_bot": True},
        **content,
    }


def _own_id(stage):
    return int(stage.settings["TELEGRAM_BOT_TOKEN"].partition(":")[0])


def _id_of(stage, name):
    """Return the id of the message that an earlier assumption has sent."""
    found = stage.answer_of(name)
    number = found.get("message_id") if isinstance(found, dict) else None
    if type(number) is not int:
        raise NotTried("rehearsal.after", name=name)
    return number


def order(numbers):
    """Return the word for the order of numbers."""
    rising = sorted(numbers)
    return "ascending" if numbers == rising else "descending" if numbers == rising[::-1] else "mixed"


def _file_of(stage, name, kind):
    """Return the file_id in the message of an earlier assumption."""
    file = stage.answer_of(name).get(kind)
    file = file[-1] if isinstance(file, list) and file else file
    if not isinstance(file, dict) or not isinstance(file.get("file_id"), str):
        raise NotTried("rehearsal.after", name=name)
    return file["file_id"]


def say(stage, key, **values):
    """Return a text for the owner, in the default language: what the messages of a rehearsal say."""
    return stage.bot.texts.plain(stage.bot.texts.default, key, **values)


# the account


def _wrong_token(stage):
    token = f"{_own_id(stage)}:{'A' * 35}"
    url = f"{stage.settings['TELEGRAM_API_URL']}/bot{token}/getMe"
    answer = stage.bot.sender.transport.request("POST", url)
    body = loads(answer.text)
    stage.note("getMe", body, status=answer.status_code)
    return (body if isinstance(body, dict) else {"body": body}) | {"HTTP": answer.status_code}


def _owner(stage):
    if stage.owner is None:
        raise NotTried("rehearsal.no_owner")
    try:
        return stage.telegram("getChat", chat_id=stage.owner)
    except TelegramError as error:
        if error.is_gone:
            raise NotTried("rehearsal.not_opened") from None
        raise


def _same_text(getter, setter, field):
    """Return a call that reads a text of the bot's profile and sets it again as it is."""

    def call(stage):
        found = stage.telegram(getter)
        text = found.get(field) if isinstance(found, dict) else None
        if not isinstance(text, str):
            return {"read": found}
        return {"read": found, "set": stage.telegram(setter, **{field: text})}

    return call


def _commands(stage):
    """Set the owner's command menu to what it is, or to one command that is taken away again."""
    scope = {"type": "chat", "chat_id": stage.owner}
    stage.answer_of("telegram_owner")
    found = stage.telegram("getMyCommands", scope=scope)
    wanted = found or [{"command": "start", "description": "Start"}]
    made = stage.telegram("setMyCommands", commands=wanted, scope=scope)
    after = stage.telegram("getMyCommands", scope=scope)
    if not found:
        stage.telegram("deleteMyCommands", scope=scope)
    return {"set": made, "list": after}


# messages


def _typing(stage):
    stage.answer_of("telegram_owner")
    return {"result": stage.telegram("sendChatAction", chat_id=stage.owner, action="typing")}


def _longest(stage):
    """Send as many characters as a text may have once its tags are gone."""
    found = stage.send(text=f"<i>{'a' * MOST_TEXT}</i>", parse_mode="HTML")
    return found | {"units": len(str(found.get("text")))}


def _marked(stage):
    """Send every tag we use, after a character of two UTF-16 units; return the entities as {type: "offset+length"}."""
    lines = [f"<{tag}{HREF if tag == 'a' else ''}>{name}</{tag}>" for tag, name in PIECES]
    found = stage.send(text="\n".join(["😀 &lt;1 &amp; 2&gt; &quot;3&quot;", *lines]), parse_mode="HTML")
    marks = {one.get("type"): f"{one.get('offset')}+{one.get('length')}" for one in found.get("entities") or ()}
    return found | {"marks": marks}


def _marks():
    head, marks = '😀 <1 & 2> "3"\n', {}
    for _tag, name in PIECES:
        marks[name] = f"{len(head.encode('utf-16-le')) // 2}+{len(name)}"
        head += f"{name}\n"
    return {"text": head.rstrip("\n"), "marks": marks, "entities": Many({"offset": int, "length": int}, len(PIECES))}


def _buttons(stage):
    return stage.send(text=say(stage, "rehearsal.sample"), reply_markup={"inline_keyboard": BUTTONS})


def _edit(method, field):
    """Return a call that edits the newest message with buttons, or with a file."""

    def call(stage):
        place = "telegram_text" if field == "text" else "telegram_photo"
        more = {field: say(stage, "rehearsal.edited"), "parse_mode": "HTML"}
        return stage.telegram(method, chat_id=stage.owner, message_id=_id_of(stage, place), **more)

    return call


def _edit_again(stage):
    _id_of(stage, "telegram_edit")
    words = {"text": say(stage, "rehearsal.edited"), "parse_mode": "HTML"}
    return stage.refusal("editMessageText", chat_id=stage.owner, message_id=_id_of(stage, "telegram_text"), **words)


def _edit_buttons(stage):
    rows = [[{"text": "1", "callback_data": "rehearsal:none"}]]
    number = _id_of(stage, "telegram_buttons")
    return stage.telegram(
        "editMessageReplyMarkup", chat_id=stage.owner, message_id=number, reply_markup={"inline_keyboard": rows}
    )


def _edit_media(stage):
    media = {"type": "photo", "media": "attach://file", "caption": say(stage, "rehearsal.edited")}
    files = {"file": ("other.png", picture(200), "image/png")}
    number = str(_id_of(stage, "telegram_photo"))
    return stage.telegram("editMessageMedia", files, chat_id=str(stage.owner), message_id=number, media=media)


def _reply(stage):
    to = _id_of(stage, "telegram_text")
    return stage.send(text=say(stage, "rehearsal.sample"), reply_parameters={"message_id": to})


def _copy(stage):
    return stage.send("copyMessage", from_chat_id=stage.owner, message_id=_id_of(stage, "telegram_text"))


def _bad_button(stage):
    stage.answer_of("telegram_owner")
    rows = [[{"text": "1", "callback_data": "x" * (MOST_DATA + 1)}]]
    return stage.refusal("sendMessage", chat_id=stage.owner, text="1", reply_markup={"inline_keyboard": rows})


def _refused_text(text, **more):
    def call(stage):
        stage.answer_of("telegram_owner")
        return stage.refusal("sendMessage", chat_id=stage.owner, text=text, disable_notification=True, **more)

    return call


# files


def _upload(method, field, name, data, mime, **more):
    """Return a call that sends a file with its caption."""

    def call(stage):
        content = data() if callable(data) else (SAMPLES / data).read_bytes()
        extra = {"caption": f"<b>{say(stage, 'rehearsal.sample')}</b>", "parse_mode": "HTML", "timeout_s": 120, **more}
        return stage.send(method, {field: (name, content, mime)}, **extra)

    return call


def _photo(stage):
    """Upload a picture; the largest of its sizes is the last."""
    found = _upload("sendPhoto", "photo", "picture.png", picture, "image/png")(stage)
    sizes = found.get("photo") if isinstance(found.get("photo"), list) else []
    widths = [one.get("width") for one in sizes if isinstance(one, dict)]
    return found | {"widths": order(widths)}


def _refused_photo(photo):
    """Return a call that sends a picture which Telegram cannot have."""

    def call(stage):
        stage.answer_of("telegram_owner")
        return stage.refusal("sendPhoto", chat_id=stage.owner, photo=photo, disable_notification=True, timeout_s=90)

    return call


def _again(stage):
    """Send a document again by its file_id; return the message and whether it is the same file."""
    file_id = _file_of(stage, "telegram_document", "document")
    first = stage.answer_of("telegram_document")["document"]
    found = stage.send("sendDocument", document=file_id)
    shown = found.get("document") if isinstance(found.get("document"), dict) else {}
    return found | {"same_file": shown.get("file_unique_id") == first.get("file_unique_id")}


def _album(stage):
    media = [{"type": "photo", "media": f"attach://f{n}"} for n in range(2)]
    files = {f"f{n}": (f"{n}.png", picture(100 + n), "image/png") for n in range(2)}
    found = stage.send("sendMediaGroup", files, media=media, timeout_s=120)
    groups = {one.get("media_group_id") for one in found if isinstance(one, dict)} if isinstance(found, list) else ()
    return {"messages": found, "groups": len(groups)}


def _download(stage):
    """Fetch the document as the bot does; return its size, and whether it is what was sent."""
    sink = io.BytesIO()
    try:
        size = stage.bot.sender.download(_file_of(stage, "telegram_document", "document"), sink)
    except TelegramFailed as error:
        return {"size": str(error), "same": False}
    return {"size": size, "same": sink.getvalue() == picture()}


def _get_file(stage):
    return stage.telegram("getFile", file_id=_file_of(stage, "telegram_document", "document"))


# deletion


def _delete(stage):
    number = _id_of(stage, "telegram_text")
    found = stage.telegram("deleteMessage", chat_id=stage.owner, message_id=number)
    stage.journal.drop_message(stage.owner, number)
    return {"result": found}


def _delete_again(stage):
    stage.answer_of("telegram_delete")
    return stage.refusal("deleteMessage", chat_id=stage.owner, message_id=_id_of(stage, "telegram_text"))


def _edit_gone(stage):
    stage.answer_of("telegram_delete")
    return stage.refusal("editMessageText", chat_id=stage.owner, message_id=_id_of(stage, "telegram_text"), text="1")


# Stars


def _link(**more):
    def call(stage):
        words = {"title": say(stage, "rehearsal.invoice"), "description": say(stage, "rehearsal.sample")}
        return {"link": stage.telegram("createInvoiceLink", **words, **PRICE, **more)}

    return call


def _invoice(stage):
    words = {"title": say(stage, "rehearsal.invoice"), "description": say(stage, "rehearsal.sample")}
    return stage.send("sendInvoice", start_parameter="rehearsal", **words, **PRICE)


def _refund(stage):
    stage.answer_of("telegram_owner")
    return stage.refusal("refundStarPayment", user_id=stage.owner, telegram_payment_charge_id="rehearsal-no-charge")


def _stars(stage):
    """Return the list of payments with the order of their dates: it is read on from where the last full page ended."""
    found = stage.telegram("getStarTransactions", offset=0, limit=100)
    listed = found.get("transactions") if isinstance(found, dict) else None
    dates = [one.get("date") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return {"list": found, "dates": order([date for date in dates if type(date) is int])}


PARTNER = {"type": OneOf(("user", "chat", "affiliate_program", "fragment", "telegram_ads", "telegram_api", "other"))}
TRANSACTION = {"id": str, "amount": int, "date": int, "source": Maybe(PARTNER), "receiver": Maybe(PARTNER)}


# the webhook


def _webhook(stage):
    """Set the webhook and take it back, with the leader's lock held, so that no copy of ours polls meanwhile."""
    if not stage.webhook:
        raise NotTried("rehearsal.webhook_unasked")
    address = stage.settings["PUBLIC_URL"]
    if not address:
        raise NotTried("rehearsal.no_public_url")
    leader = leader_lock.make(stage.settings["DATABASE_URL"], stage.settings["DATA_DIR"])
    if not leader.acquire():
        raise NotTried("rehearsal.webhook_busy")
    try:
        return _set_and_take_back(stage, address + webhook.PATH)
    finally:
        leader.release()


def _set_and_take_back(stage, url):
    if stage.telegram("getWebhookInfo").get("url"):
        raise NotTried("rehearsal.webhook_there")
    secret = webhook.secret(stage.settings["TELEGRAM_BOT_TOKEN"])
    terms = {"max_connections": webhook.CONNECTIONS, "allowed_updates": stage.bot.kinds()}
    stage.journal.note_webhook(url)
    try:
        made = stage.telegram("setWebhook", url=url, secret_token=secret, **terms)
        there = stage.telegram("getWebhookInfo")
    finally:
        taken = stage.telegram("deleteWebhook")
        stage.journal.note_webhook("")
    return {"made": made, "there": there, "taken": taken, "after": stage.telegram("getWebhookInfo")}


def _webhook_shape(stage):
    there = WEBHOOK | {
        "url": Same(stage.settings["PUBLIC_URL"] + webhook.PATH),
        "max_connections": webhook.CONNECTIONS,
        "allowed_updates": Many(str, 1),
    }
    return {"made": True, "there": there, "taken": True, "after": WEBHOOK | {"url": ""}}


WEBHOOK = {
    "url": str,
    "has_custom_certificate": bool,
    "pending_update_count": int,
    "allowed_updates": Maybe(Many(str)),
}

ASSUMPTIONS = (
    Assumption(
        "telegram_me",
        "start",
        lambda stage: stage.telegram("getMe"),
        lambda stage: {"id": Same(_own_id(stage)), "is_bot": True, "first_name": str, "username": Text(r"^\w{3,32}$")},
    ),
    Assumption(
        "telegram_wrong_token", "start", _wrong_token, {"ok": False, "HTTP": 401} | refused("^Unauthorized", 401)
    ),
    Assumption("telegram_webhook_info", "doctor", lambda stage: stage.telegram("getWebhookInfo"), WEBHOOK),
    Assumption(
        "telegram_description",
        "menu",
        _same_text("getMyDescription", "setMyDescription", "description"),
        {"read": {"description": str}, "set": True},
    ),
    Assumption(
        "telegram_short_description",
        "menu",
        _same_text("getMyShortDescription", "setMyShortDescription", "short_description"),
        {"read": {"short_description": str}, "set": True},
    ),
    Assumption("telegram_owner", "messages", _owner, lambda stage: {"id": Same(stage.owner), "type": "private"}),
    Assumption(
        "telegram_commands",
        "menu",
        _commands,
        {"set": True, "list": Many({"command": Text(r"^[a-z0-9_]{1,32}$"), "description": str}, 1)},
    ),
    Assumption(
        "telegram_typing",
        "messages",
        _typing,
        {"result": True},
    ),
    Assumption(
        "telegram_text",
        "messages",
        lambda stage: stage.send(text=say(stage, "rehearsal.hello")),
        lambda stage: message(text=say(stage, "rehearsal.hello"))(stage),
    ),
    Assumption("telegram_markup", "messages", _marked, message(**_marks())),
    Assumption(
        "telegram_longest",
        "messages",
        _longest,
        message(units=MOST_TEXT),
    ),
    Assumption("telegram_too_long", "messages", _refused_text("a" * (MOST_TEXT + 1)), refused("message is too long")),
    Assumption(
        "telegram_bad_markup", "messages", _refused_text("<b>1", parse_mode="HTML"), refused("can't parse entities")
    ),
    Assumption("telegram_buttons", "screens", _buttons, message(reply_markup={"inline_keyboard": BUTTONS})),
    Assumption("telegram_bad_button", "screens", _bad_button, refused("BUTTON_DATA_INVALID")),
    Assumption(
        "telegram_edit",
        "screens",
        _edit("editMessageText", "text"),
        lambda stage: message(
            edit_date=int, text=say(stage, "rehearsal.edited"), message_id=Same(_id_of(stage, "telegram_text"))
        )(stage),
    ),
    Assumption("telegram_same_edit", "screens", _edit_again, refused("message is not modified")),
    Assumption(
        "telegram_edit_buttons",
        "screens",
        _edit_buttons,
        message(reply_markup={"inline_keyboard": Many(Many({"text": "1"}, 1, 1), 1, 1)}),
    ),
    Assumption(
        "telegram_reply",
        "delivery",
        _reply,
        lambda stage: message(reply_to_message={"message_id": Same(_id_of(stage, "telegram_text"))})(stage),
    ),
    Assumption("telegram_copy", "broadcast", _copy, {"message_id": int}),
    Assumption(
        "telegram_photo",
        "delivery",
        _photo,
        message(
            photo=PHOTO,
            widths="ascending",
            caption=str,
            caption_entities=Many({"type": "bold", "offset": 0, "length": int}, 1, 1),
        ),
    ),
    Assumption(
        "telegram_edit_caption",
        "screens",
        _edit("editMessageCaption", "caption"),
        lambda stage: message(photo=PHOTO, caption=say(stage, "rehearsal.edited"), edit_date=int)(stage),
    ),
    Assumption("telegram_edit_media", "screens", _edit_media, message(photo=PHOTO, edit_date=int)),
    Assumption(
        "telegram_document",
        "delivery",
        _upload("sendDocument", "document", "picture.png", picture, "image/png"),
        lambda stage: message(
            document=FILE | {"file_name": "picture.png", "mime_type": "image/png", "file_size": len(picture())}
        )(stage),
    ),
    Assumption("telegram_again", "delivery", _again, message(document=FILE, same_file=True)),
    Assumption(
        "telegram_video",
        "delivery",
        _upload("sendVideo", "video", "clip.mp4", "clip-wide.mp4", "video/mp4", supports_streaming="true"),
        message(video=FILE | {"width": int, "height": int, "duration": int, "mime_type": "video/mp4"}),
    ),
    Assumption(
        "telegram_audio",
        "delivery",
        _upload("sendAudio", "audio", "melody.mp3", "melody-1.mp3", "audio/mpeg"),
        message(audio=FILE | {"duration": int, "mime_type": "audio/mpeg"}),
    ),
    Assumption(
        "telegram_album",
        "delivery",
        _album,
        lambda stage: {"messages": Many(message(photo=PHOTO, media_group_id=str)(stage), 2, 2), "groups": 1},
    ),
    Assumption("telegram_bad_address", "delivery", _refused_photo(NOWHERE), {"error_code": 400, "description": str}),
    Assumption(
        "telegram_bad_file", "ideas", _refused_photo("rehearsal-no-file"), {"error_code": 400, "description": str}
    ),
    Assumption(
        "telegram_get_file",
        "files",
        _get_file,
        lambda stage: FILE | {"file_path": Text(r"^\w[\w./-]*$"), "file_size": len(picture())},
    ),
    Assumption("telegram_download", "files", _download, lambda stage: {"size": len(picture()), "same": True}),
    Assumption("telegram_delete", "screens", _delete, {"result": True}),
    Assumption("telegram_delete_again", "screens", _delete_again, refused("message to delete not found")),
    Assumption("telegram_edit_gone", "screens", _edit_gone, refused("message to edit not found")),
    Assumption(
        "telegram_no_chat",
        "sender",
        lambda stage: stage.refusal("sendMessage", chat_id=NOBODY, text="1"),
        refused("chat not found"),
    ),
    Assumption(
        "telegram_late_tap",
        "taps",
        lambda stage: stage.refusal("answerCallbackQuery", callback_query_id="1"),
        refused("query is too old|query ID is invalid"),
    ),
    Assumption(
        "telegram_late_checkout",
        "stars",
        lambda stage: stage.refusal("answerPreCheckoutQuery", pre_checkout_query_id="1", ok=True),
        refused("query is too old|query ID is invalid"),
    ),
    Assumption("telegram_invoice_link", "stars", _link(), {"link": INVOICE_LINK}),
    Assumption("telegram_monthly_link", "monthly", _link(subscription_period=MONTH_S), {"link": INVOICE_LINK}),
    Assumption("telegram_invoice", "stars", _invoice, message(invoice={"currency": "XTR", "total_amount": 1})),
    Assumption(
        "telegram_stars",
        "reconcile",
        _stars,
        {"list": {"transactions": Many(TRANSACTION, 0, 100)}, "dates": "ascending"},
    ),
    Assumption("telegram_refund", "refunds", _refund, refused("CHARGE_")),
    Assumption("telegram_webhook", "webhook", _webhook, _webhook_shape),
)


def clean_up(stage):
    """Delete what rehearsals have sent, and take the webhook back if one of them was killed after setting it."""
    for chat_id, message_id in stage.journal.messages:
        try:
            stage.bot.sender.call("deleteMessage", chat_id=chat_id, message_id=message_id)
        except TelegramError:
            pass  # it is gone, or too old
        except TelegramFailed:
            continue  # the next rehearsal deletes it
        stage.journal.drop_message(chat_id, message_id)
    if not stage.journal.webhook:
        return
    try:
        is_left = stage.bot.sender.call("getWebhookInfo")["url"] == stage.journal.webhook
        if is_left and stage.settings["BOT_MODE"] == "polling":
            stage.bot.sender.call("deleteWebhook")
        stage.journal.note_webhook("")
    except TelegramFailed:
        return  # the next rehearsal takes it back
