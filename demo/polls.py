"""Polls: who has voted for what, as the bot and the page see it, and when they close.

A poll may be in several messages (forwards) under one id. Each vote, and closing it, updates all of them and tells the
bot: `poll` always, `poll_answer` if votes are not anonymous (Bot API, Update).
"""

import asyncio
import secrets


def make(about, hides_results):
    """Return the record of a new poll: its content (`about`, a Poll object without id), its votes and messages."""
    return {"poll": {"id": str(secrets.randbits(62) + 1), **about}, "votes": {}, "places": [], "hides": hides_results}


def again(record):
    """Return the record of a new, open poll with the same question."""
    about = {key: value for key, value in record["poll"].items() if key != "id"}
    return make(about | {"is_closed": False}, record["hides"])


def shown(record):
    """Return the Poll object with the current votes."""
    poll, votes = record["poll"], record["votes"].values()
    options = [
        option | {"voter_count": sum(number in vote for vote in votes)} for number, option in enumerate(poll["options"])
    ]
    return poll | {"options": options, "total_voter_count": len(votes)}


def place(world, record, message):
    """Store a poll with a message that shows it, and schedule its end."""
    world.polls[record["poll"]["id"]] = record
    record["places"].append([message["chat"]["id"], message["message_id"]])
    if "close_date" in record["poll"]:
        left_s = record["poll"]["close_date"] - world.clock.now()
        asyncio.get_running_loop().call_later(max(left_s, 0) + 0.01, close_due, world)


def of(world, message):
    """Return the record of a message's poll, or None."""
    return world.polls.get(message["poll"]["id"]) if "poll" in message else None


def vote(world, record, person, option_ids):
    """Set a person's vote (none: retracted), show it and tell the bot."""
    poll, votes = record["poll"], record["votes"]
    votes.pop(str(person.id), None)
    if option_ids:
        votes[str(person.id)] = option_ids
    _changed(world, record)
    if not poll["is_anonymous"]:
        ids = [poll["options"][number]["persistent_id"] for number in option_ids]
        answer = {"poll_id": poll["id"], "user": person.user(), "option_ids": option_ids, "option_persistent_ids": ids}
        world.tell("poll_answer", answer)


def close(world, record):
    """Close a poll: its results are final."""
    record["poll"]["is_closed"] = True
    _changed(world, record)


def close_due(world):
    """Close the polls whose time is over."""
    for record in list(world.polls.values()):
        poll = record["poll"]
        if not poll["is_closed"] and poll.get("close_date", float("inf")) <= world.clock.now():
            close(world, record)


def _changed(world, record):
    """Update all messages with a poll, and tell the bot."""
    poll = shown(record)
    for chat_id, message_id in record["places"]:
        message = world.chat(chat_id).messages.get(message_id)
        if message is not None:
            world.replace(message | {"poll": poll})
    world.tell("poll", {key: value for key, value in poll.items() if not key.startswith("description")})
