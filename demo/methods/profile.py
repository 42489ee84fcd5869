"""Methods about the bot itself and about chats: profile, commands, menu button, members."""

import json
import re

from demo.chats import Group
from demo.files import Upload
from demo.methods.media import given, photo_size
from demo.rules import bad

COMMANDS_MAX, COMMAND_MAX, ABOUT_MAX = 100, 32, 256  # Bot API, setMyCommands and BotCommand
SCOPES = (
    "default", "all_private_chats", "all_group_chats", "all_chat_administrators", "chat", "chat_administrators",
    "chat_member",
)  # fmt: skip
TEXTS_MAX = {"name": 64, "description": 512, "short_description": 120}  # characters (Bot API, setMyName …)
JPEG = b"\xff\xd8\xff"
RIGHTS = {"can_join_groups": True, "can_read_all_group_messages": False, "supports_inline_queries": False}


def get_me(world, _params):
    """Return the bot's User object with its rights."""
    return (
        world.bot
        | {"first_name": name_of(world)}
        | RIGHTS
        | {"can_connect_to_business": False, "has_main_web_app": False}
    )


def name_of(world):
    """Return the bot's name: the one it was created with, or the one it has given itself."""
    return world.profile["name"].get("") or world.bot["first_name"]


def scope_key(world, params):
    """Return the text under which the commands for the call's scope and language are kept."""
    scope = params.json("scope", dict) or {"type": "default"}
    if scope.get("type") not in SCOPES:
        raise bad("can't parse BotCommandScope: unsupported type specified")
    if scope["type"].startswith("chat"):
        scope = scope | {"chat_id": world.peer(scope.get("chat_id")).id}
    return key_of(scope, language_of(params))


def language_of(params):
    """Return the two-letter language of the call, or "" for every language."""
    language = params.text("language_code")
    if not re.fullmatch(r"([a-z]{2})?", language):
        raise bad("invalid language code specified")
    return language


def key_of(scope, language):
    """Return the key of a scope and a language."""
    return json.dumps([scope, language], sort_keys=True)


def set_my_commands(world, params):
    """Set the commands of a scope and language."""
    commands = params.objects("commands")
    if len(commands) > COMMANDS_MAX:
        raise bad("BOT_COMMANDS_TOO_MUCH")
    key = scope_key(world, params)
    world.profile["commands"][key] = [read_command(command) for command in commands]
    world.announce("bot", {"chat_id": None})
    return True


def read_command(command):
    """Return one checked BotCommand."""
    name = str(command.get("command", "")).removeprefix("/")
    about = command.get("description")
    if not re.fullmatch(rf"[a-z0-9_]{{1,{COMMAND_MAX}}}", name):
        raise bad("BOT_COMMAND_INVALID")
    if not isinstance(about, str) or not 1 <= len(about.strip()) <= ABOUT_MAX:
        raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
    return {"command": name, "description": about.strip()}


def get_my_commands(world, params):
    """Return the commands of exactly this scope and language."""
    return world.profile["commands"].get(scope_key(world, params), [])


def delete_my_commands(world, params):
    """Delete the commands of a scope and language."""
    world.profile["commands"].pop(scope_key(world, params), None)
    world.announce("bot", {"chat_id": None})
    return True


def commands_for(world, person):
    """Return the commands that a person sees, by Telegram's order of scopes (Bot API, Determining list of commands)."""
    for scope in ({"type": "chat", "chat_id": person.id}, {"type": "all_private_chats"}, {"type": "default"}):
        for language in (person.language_code[:2], ""):
            commands = world.profile["commands"].get(key_of(scope, language))
            if commands:
                return commands
    return []


def set_chat_menu_button(world, params):
    """Set the button beside the input field, for one private chat or for all."""
    button = params.json("menu_button", dict) or {"type": "default"}
    if button.get("type") not in ("commands", "web_app", "default"):
        raise bad("can't parse MenuButton: unsupported type specified")
    chat_id = str(world.peer(params["chat_id"]).id) if params.get("chat_id") else ""
    world.profile["menu_buttons"][chat_id] = button
    world.announce("bot", {"chat_id": None})
    return True


def get_chat_menu_button(world, params):
    """Return the menu button of a chat, or the one for all."""
    buttons = world.profile["menu_buttons"]
    return buttons.get(params.text("chat_id")) or buttons.get("") or {"type": "commands"}


def text_setter(name):
    """Return the method that sets a text of the profile in a language."""

    def set_text(world, params):
        """Set the text of the call's language."""
        text = params.text(name)
        if len(text) > TEXTS_MAX[name]:
            raise bad(f"BOT_{name.upper()}_TOO_LONG")
        world.profile[name][language_of(params)] = text
        world.announce("bot", {"chat_id": None})
        return True

    return set_text


def text_getter(name):
    """Return the method that reads a text of the profile in a language."""

    def get_text(world, params):
        """Return the text for the call's language, or the one for all."""
        texts = world.profile[name]
        return {name: texts.get(language_of(params)) or texts.get("", "")}

    return get_text


def text_for(world, name, person=None):
    """Return a text of the profile as a person sees it."""
    texts = world.profile[name]
    return (person and texts.get(person.language_code[:2])) or texts.get("", "")


def get_chat(world, params):
    """Return a ChatFullInfo object."""
    peer = world.peer(params.get("chat_id"))
    full = peer.chat() | {"accent_color_id": 0, "max_reaction_count": 11}
    full["accepted_gift_types"] = dict.fromkeys(GIFTS, False)
    pinned = world.chat(peer.id).messages.get(world.chat(peer.id).pinned)
    return full | {"pinned_message": pinned} if pinned else full


GIFTS = (
    "unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels",
)  # fmt: skip


def get_chat_member(world, params):
    """Return a ChatMember object."""
    peer, user_id = world.peer(params.get("chat_id")), params.number("user_id")
    if user_id == world.bot["id"]:
        return {"status": "member", "user": world.bot}
    if user_id not in world.people:
        raise bad("user not found")
    if isinstance(peer, Group):
        return member(world, peer, user_id)
    return {"status": "member" if user_id == peer.id else "left", "user": world.people[user_id].user()}


def member(world, group, user_id):
    """Return the ChatMember object of somebody in a group."""
    found = {"status": group.status(user_id), "user": world.people[user_id].user()}
    return found | ({"is_anonymous": False} if user_id in group.admins else {})


def get_chat_member_count(world, params):
    """Return the number of members, including the bot."""
    peer = world.peer(params.get("chat_id"))
    return len(peer.members) + 1 if isinstance(peer, Group) else 2


def get_chat_administrators(world, params):
    """Return the ChatMember objects of a group's admins."""
    group = world.reachable(params.get("chat_id"))
    if not isinstance(group, Group):
        raise bad("there are no administrators in the private chat")
    return [member(world, group, one) for one in group.admins]


async def set_my_profile_photo(world, params):
    """Give the bot a photo: a JPEG that comes with the call (Bot API, InputProfilePhotoStatic)."""
    photo = params.json("photo", dict) or {}
    if photo.get("type") != "static":
        raise bad("can't parse InputProfilePhoto: unsupported type specified")
    upload = given(params, "photo", photo.get("photo"))
    if not isinstance(upload, Upload) or not upload.data.startswith(JPEG):
        raise bad("PHOTO_EXT_INVALID")
    world.profile["photo"] = [photo_size(file) for file in await world.files.photo_sizes(upload.data)]
    world.announce("bot", {"chat_id": None})
    return True


def remove_my_profile_photo(world, _params):
    """Take the bot's photo away."""
    world.profile["photo"] = []
    world.announce("bot", {"chat_id": None})
    return True


def get_user_profile_photos(world, params):
    """Return the bot's photo; people here have none."""
    user_id, photo = params.number("user_id"), world.profile["photo"]
    if user_id != world.bot["id"] and user_id not in world.people:
        raise bad("user not found")
    photos = [photo] if photo and user_id == world.bot["id"] else []
    return {"total_count": len(photos), "photos": photos}


METHODS = {
    "getMe": get_me,
    "setMyCommands": set_my_commands,
    "getMyCommands": get_my_commands,
    "deleteMyCommands": delete_my_commands,
    "setChatMenuButton": set_chat_menu_button,
    "getChatMenuButton": get_chat_menu_button,
    "setMyName": text_setter("name"),
    "getMyName": text_getter("name"),
    "setMyDescription": text_setter("description"),
    "getMyDescription": text_getter("description"),
    "setMyShortDescription": text_setter("short_description"),
    "getMyShortDescription": text_getter("short_description"),
    "getChat": get_chat,
    "getChatMember": get_chat_member,
    "getChatMemberCount": get_chat_member_count,
    "getChatAdministrators": get_chat_administrators,
    "setMyProfilePhoto": set_my_profile_photo,
    "removeMyProfilePhoto": remove_my_profile_photo,
    "getUserProfilePhotos": get_user_profile_photos,
}
