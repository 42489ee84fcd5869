"""The control plane: what the chat page and the test kit call (see README.md). JSON in, JSON out."""

import asyncio
import json
import re
from dataclasses import asdict
from difflib import get_close_matches

from aiohttp import web

from demo import acts, groups, polls
from demo.chats import Listener
from demo.methods import MODULES
from demo.methods.profile import commands_for, get_chat_menu_button, name_of, text_for
from demo.params import Params, read_params
from demo.rules import ApiError

BEAT_S = 15  # a comment on a silent stream of events, so that a closed page is noticed
KINDS = ("photo", "document", "video", "audio", "voice", "animation", "sticker")
METHODS = {name.lower(): name for module in MODULES for name in module.METHODS}
ROUTES = []


def route(method, pattern):
    """Register a handler `(world, body, *groups)` for a method and a path."""

    def register(handler):
        """Add the handler to the routes."""
        ROUTES.append((method, re.compile(pattern), handler))
        return handler

    return register


async def answer(server, request):
    """Answer a request under /demo/."""
    if request.method == "GET" and request.path == "/demo/events":
        return await stream_events(server, request)
    if request.method == "GET" and request.path.startswith("/demo/files/"):
        return send_file(server, request, request.path.removeprefix("/demo/files/"))
    for method, pattern, handler in ROUTES:
        match = pattern.fullmatch(request.path)
        if match and method == request.method:
            return await run(server, request, handler, match.groups())
    return problem(404, f"no {request.method} {request.path}")


async def run(server, request, handler, groups):
    """Call a handler and turn what it raises into a 4xx."""
    try:
        body = await read_params(request, lists=("file",))
        result = handler(server, body, *groups)
        if asyncio.iscoroutine(result):
            result = await result
    except acts.Refused as error:
        return problem(error.status, str(error))
    except ApiError as error:
        return problem(400, error.description)
    except (ValueError, TypeError, KeyError) as error:
        return problem(400, f"{type(error).__name__}: {error}")
    return web.Response(body=json.dumps(result).encode(), content_type="application/json")


def problem(status, text):
    """Return an error of the control plane."""
    return web.Response(status=status, body=json.dumps({"error": text}).encode(), content_type="application/json")


@route("GET", "/demo/state")
def get_state(server, body):
    """Return the bot's profile, the people and the time; with `person`, the commands that person sees."""
    world = server.world
    people = list(world.people.values())
    person = acts.person_of(world, body.number("person")) if "person" in body else people[0] if people else None
    chat = Params(chat_id=person.id if person else None)
    profile = {key: world.bot[key] for key in ("id", "username")}
    profile |= {
        "first_name": name_of(world),
        "photo": world.profile["photo"][-1]["file_unique_id"] if world.profile["photo"] else None,
        "commands": commands_for(world, person) if person else [],
        "menu_button": get_chat_menu_button(world, chat),
        "description": text_for(world, "description", person),
    }
    shown = [asdict(one) for one in people]
    known = [asdict(group) for group in world.groups.values()]
    state = {"bot": profile, "people": shown, "groups": known, "now": world.clock.now(), "kie": server.kie_url}
    state |= {"providers": server.providers}
    return state | {"backstage": server.backstage and {"problems": server.backstage.problems}}


@route("POST", "/demo/people")
def post_person(server, body):
    """Add a person, or change the one with this id."""
    return asdict(server.world.add_person(**person_fields(body, ("id", *NAMES))))


NAMES = ("first_name", "last_name", "username", "language_code")


def person_fields(body, allowed):
    """Return the fields of a person in `body`, checked."""
    fields = {name: body[name] for name in allowed if body.get(name) is not None}
    if not fields.get("first_name", "-"):
        raise ValueError("first_name is empty")
    return fields


@route("POST", "/demo/crowd")
def post_crowd(server, body):
    """Make `count` people with ids from `first` on write the same text (if any), all at once; create missing ones."""
    world, first = server.world, body.number("first")
    for number in range(body.number("count")):
        person = world.people.get(first + number) or world.add_person(
            id=first + number, first_name=f"Person {number}", language_code="en"
        )
        if body.text("text"):
            acts.write(world, person, body["text"])
    return get_pending(server, body)


@route("PATCH", r"/demo/people/(\d+)")
def patch_person(server, body, person_id):
    """Change a person; block or unblock the bot; clear the chat on the page."""
    world, person = server.world, acts.person_of(server.world, int(person_id))
    for name, value in person_fields(body, NAMES).items():
        setattr(person, name, value)
    if "blocked" in body:
        acts.block(world, person, bool(body["blocked"]))
    if body.get("clear"):
        world.chat(person.id).cleared = world.last_message_id
    world.announce_person(person)
    return asdict(person)


@route("POST", "/demo/groups")
def post_group(server, body):
    """Create a group of people and the bot."""
    members = [acts.person_of(server.world, one).id for one in body.json("members", list, [])]
    return asdict(groups.add(server.world, body.need("title"), members, type=body.text("type", "supergroup")))


@route("PATCH", r"/demo/groups/(-\d+)")
def patch_group(server, body, group_id):
    """Change a group; remove the bot or bring it back; turn a group into a supergroup, which is returned."""
    world = server.world
    group = world.groups.get(int(group_id))
    if group is None:
        raise acts.Missing(f"no group {group_id}")
    if body.get("upgrade"):
        return asdict(groups.upgrade(world, group))
    fields = {name: body[name] for name in ("title", "members", "admins", "has_bot", "refuses") if name in body}
    return asdict(groups.change(world, group, **fields))


@route("GET", r"/demo/(?:people|groups)/(-?\d+)/messages")
def get_messages(server, body, chat_id):
    """Return the messages of a private chat or a group."""
    world = server.world
    if int(chat_id) not in world.groups:
        world.peer(int(chat_id))
    return {"messages": world.shown(int(chat_id), body.number("after"))}


@route("POST", r"/demo/people/(\d+)/send")
async def post_send(server, body, person_id):
    """Send text or files as a person."""
    world, person = server.world, acts.person_of(server.world, int(person_id))
    uploads = body.pop("file", None)
    if body.get("contact"):
        messages = [acts.send_contact(world, person)]
    elif "location" in body:
        place = body.json("location", dict)
        messages = [acts.send_location(world, person, float(place["latitude"]), float(place["longitude"]))]
    elif uploads is None:
        text, chat_id, reply_to = body.need("text"), body.number("chat_id") or None, body.number("reply_to")
        more = {"as_group": bool(body.get("as_group")), "thread_id": body.number("thread_id")}
        messages = acts.write(world, person, text, chat_id, reply_to, body.json("entities", list), **more)
    else:
        kind = body.text("kind", "document")
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}, wanted one of {', '.join(KINDS)}")
        messages = await acts.send_files(world, person, kind, uploads, body)
    return {"messages": [world.decorated(message) for message in messages]}


@route("POST", r"/demo/people/(\d+)/edit")
def post_edit(server, body, person_id):
    """Edit a person's own text."""
    person, chat_id = acts.person_of(server.world, int(person_id)), body.number("chat_id") or None
    fresh = acts.edit(server.world, person, body.number("message_id"), body.need("text"), chat_id)
    return server.world.decorated(fresh)


@route("POST", r"/demo/people/(\d+)/delete")
def post_delete(server, body, person_id):
    """Delete a person's own message for everybody, of which bots learn nothing."""
    person = acts.person_of(server.world, int(person_id))
    acts.delete(server.world, person, body.number("message_id"), body.number("chat_id") or None)
    return {}


@route("POST", r"/demo/people/(\d+)/tap")
async def post_tap(server, body, person_id):
    """Tap a button; with `wait`, wait that many seconds for the answer."""
    world, person = server.world, acts.person_of(server.world, int(person_id))
    tap = acts.tap(world, person, body.number("message_id"), body.text("data"), body.number("chat_id") or None)
    if body.get("wait"):
        await acts.wait_for_answer(world, tap["id"], float(body["wait"]))
    return {"callback_query_id": tap["id"], **shown_tap(tap)}


@route("POST", r"/demo/people/(\d+)/vote")
def post_vote(server, body, person_id):
    """Vote for a poll's options by their numbers, or retract the vote with none."""
    world, person = server.world, acts.person_of(server.world, int(person_id))
    message_id, options = body.number("message_id"), body.json("options", list, [])
    return {"poll": acts.vote(world, person, message_id, options, body.number("chat_id") or None)}


def shown_tap(tap):
    """Return the answer to a tap as far as it is known."""
    return {key: tap[key] for key in ("answered", "text", "show_alert", "url")}


@route("GET", r"/demo/taps/(\d+)")
def get_tap(server, _body, tap_id):
    """Return the answer to a tap."""
    tap = server.world.taps.get(tap_id)
    if tap is None:
        raise acts.Missing(f"no tap {tap_id}")
    return shown_tap(tap)


@route("POST", r"/demo/people/(\d+)/pay")
async def post_pay(server, body, person_id):
    """Pay an invoice by its message or link."""
    world, person = server.world, acts.person_of(server.world, int(person_id))
    invoice = acts.invoice_of(world, person, body.number("message_id"), body.get("link"))
    outcome = await acts.pay(world, person, invoice, body.number("times", 1), body.flag("cancel"))
    if outcome["charge_ids"]:
        world.mark_paid(person.id, invoice)
    return outcome


@route("GET", r"/demo/people/(\d+)/invoice")
def get_invoice(server, body, person_id):
    """Return what an invoice, by its message or link, asks for."""
    person = acts.person_of(server.world, int(person_id))
    invoice = acts.invoice_of(server.world, person, body.number("message_id"), body.get("link"))
    return {key: invoice[key] for key in ("title", "description", "currency", "total_amount")}


@route("GET", r"/demo/people/(\d+)/ledger")
async def get_ledger(server, _body, person_id):
    """Return what the books of the bot behind the page say about a person."""
    person = acts.person_of(server.world, int(person_id))
    if server.backstage is None:
        raise acts.Missing("the bot shows no ledger here")
    return await asyncio.to_thread(server.backstage.ledger, person.id)


@route("POST", r"/demo/people/(\d+)/renew")
def post_renew(server, body, person_id):
    """Renew a subscription a month later."""
    charge = acts.renew(server.world, acts.person_of(server.world, int(person_id)), body.need("charge_id"))
    return {"charge_id": charge}


@route("POST", r"/demo/people/(\d+)/refund")
def post_refund(server, body, person_id):
    """Charge a payment back."""
    acts.charge_back(server.world, acts.person_of(server.world, int(person_id)), body.need("charge_id"))
    return {}


@route("POST", "/demo/updates")
def post_update(server, body):
    """Queue a raw update."""
    body.pop("update_id", None)
    if not body:
        raise ValueError("an update has a field besides update_id")
    update = server.world.updates.push_raw(dict(body))
    server.world.changed()
    return update


def check_method(name):
    """Raise ValueError for a method of the Bot API that is not known here, with the nearest one."""
    if name.lower() not in ("", "*", *METHODS):
        near = [METHODS[one] for one in get_close_matches(name.lower(), METHODS, 1)]
        raise ValueError(f"there is no method {name!r} here" + "".join(f"; the nearest is {one}" for one in near))


@route("GET", "/demo/calls")
def get_calls(server, body):
    """Return the newest calls of the bot."""
    check_method(body.text("method"))
    return {"calls": server.world.calls.since(body.number("after"), body.text("method"))}


@route("POST", "/demo/trouble")
def post_trouble(server, body):
    """Order errors."""
    check_method(body.text("method"))
    server.world.trouble.add(**body)
    return {"trouble": server.world.trouble.rules}


@route("DELETE", "/demo/trouble")
def delete_trouble(server, _body):
    """Cancel all errors."""
    server.world.trouble.rules.clear()
    return {"trouble": []}


@route("POST", "/demo/clock")
def post_clock(server, body):
    """Move the clock, stop it at a time, or let it follow the real one."""
    clock = server.world.clock
    if body.get("real"):
        clock.run_real()
    if "now" in body:
        clock.stop_at(body["now"])
    if "forward_s" in body:
        clock.forward(float(body["forward_s"]))
    if server.backstage:
        server.backstage.clock.move(clock.now())
    polls.close_due(server.world)
    server.world.changed()
    return {"now": clock.now()}


@route("POST", "/demo/limits")
def post_limits(server, body):
    """Switch the flood limits on or off."""
    server.world.limits.set(**body)
    return {}


@route("GET", "/demo/pending")
def get_pending(server, _body):
    """Return how many updates the bot has not confirmed, and how many calls it has made."""
    return {"updates": len(server.world.updates.waiting), "calls": server.world.calls.n}


@route("POST", "/demo/reset")
def post_reset(server, _body):
    """Forget everything."""
    server.reset()
    return {}


def send_file(server, request, unique_id):
    """Return a file for the page, or the part of it that a player asks for; never as a page of its own."""
    file = server.world.files.known.get(unique_id)
    if file is None:
        return problem(404, f"no file {unique_id}")
    data = server.world.files.read(file)
    headers = {"Content-Security-Policy": "sandbox; default-src 'none'", "X-Content-Type-Options": "nosniff"}
    headers |= {"Accept-Ranges": "bytes", "Cache-Control": "private, max-age=86400"}
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
    if wanted is None or int(wanted[1]) >= len(data):
        return web.Response(body=data, content_type=file.mime, headers=headers)
    start, stop = int(wanted[1]), min(int(wanted[2] or len(data) - 1), len(data) - 1)
    headers["Content-Range"] = f"bytes {start}-{stop}/{len(data)}"
    return web.Response(status=206, body=data[start : stop + 1], content_type=file.mime, headers=headers)


async def stream_events(server, request):
    """Write what happens as server-sent events until the page is closed or the server stops."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    listener = Listener(asyncio.Event())
    server.listeners.add(listener)  # before the headers: once a page knows that it listens, it misses nothing
    try:
        await response.prepare(request)
        await response.write(b": hello\n\n")
        while not server.stopping:
            await write_events(response, listener)
    except ConnectionError:
        pass  # the page is gone
    finally:
        server.listeners.discard(listener)
    return response


async def write_events(response, listener):
    """Wait for events and write them; after a silent while, write a comment instead."""
    try:
        await asyncio.wait_for(listener.wake.wait(), BEAT_S)
    except TimeoutError:
        await response.write(b": still here\n\n")
        return
    listener.wake.clear()
    while listener.events:
        event, data = listener.events.popleft()
        await response.write(f"event: {event}\ndata: {json.dumps(data)}\n\n".encode())
