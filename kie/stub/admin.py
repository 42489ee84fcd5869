"""The stub's control plane for tests and the demo's page: JSON over HTTP, under /stub/.

GET  tasks (with their callbacks) · requests · bill · settings · trouble · clock
POST tasks/{id}/finish · /fail {code, msg} · /stall · /break (it succeeds, its files are gone) ·
     trouble {at, kind, times, delay_s?, model?, for_s?} · clock {forward_s | now | speed | real} · settings {…} ·
     reset.   DELETE trouble

On every path, requests for another host than this machine are refused, and so are requests from web pages, except those
in `Stub.pages`.
"""

from decimal import Decimal
from typing import Any

from aiohttp import web

from kie.stub.faults import FATES, BadTrouble
from kie.stub.http import COURIER, ORIGIN, PAGES, WORLD, Handler, json_object
from kie.stub.tasks import Task


def add_routes(app: web.Application) -> None:
    """Add the control plane to the app."""
    add = app.router
    add.add_get("/stub/tasks", tasks)
    add.add_post("/stub/tasks/{id}/{order:finish|fail|stall|break}", order_task)
    add.add_get("/stub/requests", requests)
    add.add_get("/stub/bill", bill)
    add.add_get("/stub/settings", settings)
    add.add_post("/stub/settings", change_settings)
    add.add_get("/stub/trouble", trouble)
    add.add_post("/stub/trouble", add_trouble)
    add.add_delete("/stub/trouble", clear_trouble)
    add.add_get("/stub/clock", clock)
    add.add_post("/stub/clock", set_clock)
    add.add_post("/stub/reset", reset)


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse requests from other sites' pages (CSRF, DNS rebinding); let known pages use the control plane."""
    port, origin = request.app[ORIGIN].rpartition(":")[2], request.headers.get("Origin")
    if request.headers.get("Host") not in (f"127.0.0.1:{port}", f"localhost:{port}"):
        return web.Response(status=403, text="this server is for this machine only")
    if origin is None:
        return await handler(request)
    if origin not in request.app[PAGES]:
        return web.Response(status=403, text="this page may not call the stub")
    is_asking = request.method == "OPTIONS" and request.path.startswith("/stub/")
    answer = web.Response(status=204) if is_asking else await handler(request)
    if request.path.startswith("/stub/"):
        answer.headers["Access-Control-Allow-Origin"] = origin
        answer.headers["Access-Control-Allow-Methods"] = "GET, POST, DELETE"
        answer.headers["Access-Control-Allow-Headers"] = "Content-Type"
    return answer


def wake(app: web.Application) -> None:
    """End the tasks and send the callbacks that are due."""
    world, courier = app[WORLD], app[COURIER]
    for task in world.settle():
        courier.announce(task)
    courier.deliver_due()


async def tasks(request: web.Request) -> web.Response:
    """List all tasks, oldest first."""
    world = request.app[WORLD]
    now = world.clock.now()
    return web.json_response([_shown(task, now) for task in world.tasks.values()])


def _shown(task: Task, now: float) -> dict[str, Any]:
    return {
        "task_id": task.id,
        "model": task.model.id,
        "state": task.word(now),
        "created": task.created,
        "due": task.due,
        "looks": task.looks,
        "credits": 0.0 if task.state == "failed" else float(task.credits),
        "inputs": task.inputs,
        "callback_url": task.callback_url,
        "unknown_inputs": task.unknown_inputs,
        "fetched": task.fetched,
        "callbacks": task.callbacks,
        "fail_code": task.fail_code,
        "fail_msg": task.fail_msg,
    }


async def order_task(request: web.Request) -> web.Response:
    """Finish, fail, stall or break a running task (it succeeds, but its files are gone); 409 if it has ended."""
    world = request.app[WORLD]
    task, order = world.tasks.get(request.match_info["id"]), request.match_info["order"]
    if task is None:
        return web.json_response({"error": "no such task"}, status=404)
    if task.state != "running":
        return web.json_response({"error": f"the task is {task.state}"}, status=409)
    if order == "stall":
        world.stall(task)
        return web.json_response({})
    if order == "fail":
        body = await json_object(request)
        default = FATES["500-internal"]
        world.end(task, failure=(str(body.get("code", default[0])), str(body.get("msg", default[1]))))
    else:
        task.fate = None
        world.end(task)
        if order == "break":
            world.lose_files(task)
    request.app[COURIER].announce(task)
    wake(request.app)
    return web.json_response({})


async def requests(request: web.Request) -> web.Response:
    """List the received requests, oldest first, without those of the control plane."""
    return web.json_response(list(request.app[WORLD].requests))


async def bill(request: web.Request) -> web.Response:
    """Return the bill (see `World.bill`)."""
    return web.json_response(request.app[WORLD].bill())


async def settings(request: web.Request) -> web.Response:
    """Return the settings."""
    return web.json_response(request.app[WORLD].settings)


async def change_settings(request: web.Request) -> web.Response:
    """Change settings by name; `credits` sets the balance. Unknown names are answered with 400."""
    world, body = request.app[WORLD], await json_object(request)
    if strange := set(body) - set(world.settings) - {"credits"}:
        return web.json_response({"error": f"unknown settings {sorted(strange)}"}, status=400)
    if "credits" in body:
        world.credits = Decimal(str(body.pop("credits")))
    world.settings.update(body)
    return web.json_response(world.settings)


async def trouble(request: web.Request) -> web.Response:
    """List the ordered troubles."""
    return web.json_response(request.app[WORLD].troubles.listed())


async def add_trouble(request: web.Request) -> web.Response:
    """Order a trouble; an unknown word is answered with 400 and the known ones."""
    try:
        request.app[WORLD].troubles.add(**await json_object(request))
    except (BadTrouble, TypeError) as error:
        return web.json_response({"error": str(error)}, status=400)
    return web.json_response({})


async def clear_trouble(request: web.Request) -> web.Response:
    """Cancel all troubles."""
    request.app[WORLD].troubles.clear()
    return web.json_response({})


async def clock(request: web.Request) -> web.Response:
    """Return the stub's time in epoch seconds, and its speed relative to real time."""
    clock = request.app[WORLD].clock
    return web.json_response({"now": clock.now(), "speed": clock.speed})


def stop_at(app: web.Application, now: float) -> None:
    """Stop the clock at a time, and let what is due then happen."""
    app[WORLD].clock.set(now)
    wake(app)


async def set_clock(request: web.Request) -> web.Response:
    """Set the clock: `now` stops it there unless there is a `speed`; `speed` alone continues from the current time."""
    body, clock = await json_object(request), request.app[WORLD].clock
    if body.get("real"):
        clock.real()
    if "now" in body or "speed" in body:
        clock.set(float(body.get("now", clock.now())), float(body.get("speed", 0)))
    clock.forward(float(body.get("forward_s", 0)))
    wake(request.app)
    return web.json_response({"now": clock.now()})


async def reset(request: web.Request) -> web.Response:
    """Reset everything: no tasks, no troubles, full balance, the initial settings."""
    request.app[WORLD].reset()
    request.app[COURIER].forget()
    return web.json_response({})
