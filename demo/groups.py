"""Groups: what the bot sees of them, and what their members do: make one, change it, remove the bot and bring it back."""

import re

from demo.rules import utf16_part

COMMAND = re.compile(r"/\w+(?:@(\w+))?")


def reaches_bot(world, group, message):
    """Return whether the bot sees a group's message in privacy mode: commands, mentions of it and replies to it."""
    if not group.has_bot or group.moved_to:
        return False
    text = message.get("text") or message.get("caption") or ""
    username = world.bot["username"].lower()
    command = COMMAND.match(text)
    if command:
        return (command[1] or username).lower() == username
    replied = message.get("reply_to_message", {}).get("from", {})
    marked = message.get("entities") or message.get("caption_entities") or ()
    names = [utf16_part(text, one["offset"], one["length"]).lower() for one in marked if one["type"] == "mention"]
    ids = [one["user"]["id"] for one in marked if one["type"] == "text_mention"]
    return world.bot["id"] in (*ids, replied.get("id")) or f"@{username}" in names


def add(world, title, members, **fields):
    """Make a group of people (ids) and the bot, which learns of it by `my_chat_member`."""
    group = world.add_group(title, members, **fields)
    _tell_membership(world, group, "left", "member")
    return group


def change(world, group, title=None, members=None, admins=None, has_bot=None, refuses=None):
    """Change a group; the bot learns that it was removed or brought back."""
    group.title = title or group.title
    group.refuses = group.refuses if refuses is None else refuses
    group.members = group.members if members is None else list(members)
    group.admins = group.admins if admins is None else list(admins)
    if has_bot is not None and has_bot != group.has_bot:
        group.has_bot = has_bot
        _tell_membership(world, group, *(("kicked", "member") if has_bot else ("member", "kicked")))
    world.announce_group(group)
    return group


def upgrade(world, group):
    """Turn a group into a supergroup, which has another id and no messages yet; return it."""
    new = world.add_group(group.title, group.members)
    new.admins = list(group.admins)
    sender = world.people[group.admins[0]].user()
    leaving = world.new_message(group, sender, {"migrate_to_chat_id": new.id})
    arriving = world.new_message(new, sender, {"migrate_from_chat_id": group.id})
    group.moved_to = new.id
    world.announce_group(group)
    for message in (leaving, arriving):
        world.tell("message", message)
    return new


def _tell_membership(world, group, before, after):
    sender = world.people[group.members[0]].user() if group.members else world.bot
    change = {"chat": group.chat(), "from": sender, "date": world.clock.date()}
    for when, status in (("old", before), ("new", after)):
        until = {"until_date": 0} if status == "kicked" else {}
        change[f"{when}_chat_member"] = {"user": world.bot, "status": status, **until}
    world.tell("my_chat_member", change)
