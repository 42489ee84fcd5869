"""The stub's chat models: answers in the vendors' formats, billed by tokens, with the troubles that can be ordered.

An answer quotes the question; a prompt to be rewritten comes back richer, and a sound as a transcript, the same one
for the same file. Paths and prices are those of data/chat_models.json. Facts (recordings and pages of docs.kie.ai,
market/{chat,claude,grok,codex}): if `stream` is left out, Gemini, Grok, Claude and the models under /openai stream; a
charge is list price × tokens, rounded to 0.01 and at least 0.01; an error is KIE's envelope with HTTP 200, and under
/anthropic a bad key has HTTP 401.
"""

import asyncio
import base64
import hashlib
import json
import math
import mimetypes
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from aiohttp import web

from kie.stub.faults import CHAT_REFUSALS, REFUSALS, Trouble
from kie.stub.http import WORLD, fetch, has_key, held_back, json_object, refused, reply, silence, unauthorized
from kie.stub.tasks import World

CHARS_PER_TOKEN, TOKENS_PER_FILE = 3, 1_000
CENT = Decimal("0.01")
DRIP_S = 0.05  # between two bytes of an answer that drips
MAX_TOKENS = 4096  # Anthropic's default
STREAM_UNASKED = ("/gemini", "/grok/", "/openai/", "/claude/", "/anthropic/")
WORDS = json.loads((Path(__file__).parents[2] / "data" / "samples" / "talk.json").read_text(encoding="utf-8"))
REWRITING = re.compile("|".join(WORDS["rewriting"]), re.I)  # how an instruction asks for better words
MARKED = re.compile(r"<(\w+)>\s*(.+?)\s*</\1>|\"\"\"\s*(.+?)\s*\"\"\"|```\s*(.+?)\s*```", re.S)
SCRIPTS = {lang: re.compile(marks, re.I) for lang, marks in WORDS["script"].items()}  # recognise a language
TRANSCRIPTS = WORDS["transcripts"]
VENDOR_ERRORS = {
    "vendor-request": (400, "invalid_request_error", "messages: at least one message is required"),
    "vendor-busy": (529, "overloaded_error", "Overloaded"),
    "vendor-error": (200, "api_error", "Internal server error"),
}


@dataclass
class Question:
    """What a request asks, whatever its format: the instructions, the last text and all files."""

    system: str = ""
    text: str = ""
    files: list[str] = field(default_factory=list)
    chars: int = 0


@dataclass
class Said:
    """A model's answer before it takes a format."""

    model: str
    text: str
    tokens_in: int
    tokens_out: int
    credits: Decimal
    is_cut: bool


def add_routes(app: web.Application) -> None:
    """Add the chat paths to the app."""
    app.router.add_post("/{model}/v1/chat/completions", chat)
    app.router.add_post("/{vendor:codex|grok|openai}/v1/responses", chat)
    app.router.add_post("/{vendor:claude|anthropic}/v1/messages", chat)


async def chat(request: web.Request) -> web.StreamResponse:
    """Answer a question and take its credits, with any trouble ordered."""
    world, body = request.app[WORLD], await json_object(request)
    model = request.match_info.get("model") or str(body.get("model"))
    if not has_key(request):
        return _bad_key(request)
    order = world.troubles.take("chat", model=model)
    kind = order.kind if order else ""
    await held_back(order)
    if bad := _refusal(request, kind):
        return bad
    if order and kind in ("502", "empty"):
        return await silence(request, order)
    facts, question = world.chat_models.get(model), _question(body)
    if facts is None or facts["path"] != request.path.replace("/anthropic/", "/claude/"):
        return _envelope("retired")
    if not (question.text or question.files):
        return reply(None, code=422, msg="messages cannot be null")
    files = [await _bytes(request, url) for url in question.files]
    if None in files:
        return refused("451")
    said = _answer(world, model, body, question, [content for content in files if content is not None], kind)
    if said.credits > world.credits:
        return refused("402")
    world.charge_chat(said.credits)
    return await _send(request, body, said, order)


def _bad_key(request: web.Request) -> web.Response:
    answer = unauthorized()
    answer.set_status(401 if request.path.startswith("/anthropic/") else 200)
    return answer


def _refusal(request: web.Request, kind: str) -> web.Response | None:
    """Return the refusal for a trouble's word, None if it is none."""
    if kind == "401":
        return _bad_key(request)
    if kind in CHAT_REFUSALS:
        return _envelope(kind)
    if kind in VENDOR_ERRORS:
        status, word, msg = VENDOR_ERRORS[kind]
        return web.json_response({"type": "error", "error": {"type": word, "message": msg}}, status=status)
    return refused(kind) if kind in REFUSALS else None


def _envelope(kind: str) -> web.Response:
    code, msg = CHAT_REFUSALS[kind]
    return reply(None, code=code, msg=msg)


def _question(body: dict[str, Any]) -> Question:
    """Return what a body of any of the three formats asks."""
    turns = body.get("messages", body.get("input"))
    turns = [{"role": "user", "content": turns}] if isinstance(turns, str) else turns
    turns = [turn for turn in turns if isinstance(turn, dict)] if isinstance(turns, list) else []
    question = Question(system=_text(body.get("system")) + _text(body.get("instructions")))
    question.chars = len(question.system)
    for turn in turns:
        content = turn.get("content")
        question.chars += len(_text(content))
        question.files += _links(content)
        if turn.get("role") in ("system", "developer"):
            question.system += _text(content)
        elif turn.get("role") == "user":
            question.text = _text(content)
    return question


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(part["text"]) for part in parts if isinstance(part, dict) and "text" in part)


def _links(content: Any) -> list[str]:
    """Return the URLs of the files in a message; pictures in base64 as data URLs."""
    links = []
    for part in content if isinstance(content, list) else []:
        match part:
            case {"image_url": {"url": str(url)}} | {"image_url": str(url)} | {"source": {"url": str(url)}}:
                links.append(url)
            case {"source": {"media_type": str(mime), "data": str(data)}}:
                links.append(f"data:{mime};base64,{data}")
    return links


async def _bytes(request: web.Request, url: str) -> bytes | None:
    """Return a file's bytes, its URL if it is on another machine, None if it cannot be had."""
    if url.startswith("data:"):
        return base64.b64decode(url.partition(",")[2])
    status, content = await fetch(request.app, url)
    return (content or url.encode()) if status == 200 else None


def _answer(world: World, model: str, body: dict[str, Any], question: Question, files: list[bytes], kind: str) -> Said:
    """Return the answer and its charge; it keeps to `max_tokens`, unless its length is the trouble."""
    text, facts = _words(question, files), world.chat_models[model]
    most = int(body.get("max_tokens", MAX_TOKENS)) * CHARS_PER_TOKEN
    if kind == "over-cap":
        text = (text + " ") * math.ceil(10 * most / len(text))
    said = text if kind == "over-cap" else text[:most]
    hidden = TOKENS_PER_FILE * len(files) + world.settings["chat_hidden_tokens"]
    tokens_in, tokens_out = math.ceil(question.chars / CHARS_PER_TOKEN) + hidden, math.ceil(len(said) / CHARS_PER_TOKEN)
    exact = (Decimal(facts["in"]) * tokens_in + Decimal(facts["out"]) * tokens_out) / 1_000_000
    credits = max(CENT, exact.quantize(CENT, ROUND_HALF_UP))
    return Said(model, said, tokens_in, tokens_out, credits, is_cut=len(said) < len(text))


def _words(question: Question, files: list[bytes]) -> str:
    """Return a transcript for a sound, a richer prompt for the instruction to rewrite one, else an answer."""
    for url, content in zip(question.files, files, strict=True):
        if _is_sound(url):
            return TRANSCRIPTS[hashlib.sha256(content).digest()[0] % len(TRANSCRIPTS)]
    marked = MARKED.search(question.text)
    if REWRITING.search(question.system or (question.text if marked else "")):
        prompt = next(filter(None, marked.groups()[1:])) if marked else question.text
        return _sample("richer", question.text).format(prompt.strip().rstrip("."))
    return _sample("answer", question.text).format(question.text.strip() or "…")


def _sample(kind: str, asked: str) -> str:
    """Return the sample in the question's language, or the first one if it is not recognised."""
    samples: dict[str, str] = WORDS[kind]
    return next((samples[lang] for lang, marks in SCRIPTS.items() if marks.search(asked)), next(iter(samples.values())))


def _is_sound(url: str) -> bool:
    kind = url[5:] if url.startswith("data:") else mimetypes.guess_type(url.partition("?")[0])[0] or ""
    return kind.startswith("audio/")


# --- the formats --------------------------------------------------------------------------------------------------


def _completion(said: Said) -> dict[str, Any]:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": said.text},
        "finish_reason": "length" if said.is_cut else "stop",
    }
    usage = {"prompt_tokens": said.tokens_in, "completion_tokens": said.tokens_out}
    total = {"total_tokens": said.tokens_in + said.tokens_out + 100}  # with the thinking, as recorded
    return {"id": "chat-1", "object": "chat.completion", "created": 0, "choices": [choice], "usage": usage | total}


def _completion_events(said: Said, whole: dict[str, Any]) -> Iterable[dict[str, Any]]:
    for piece in _pieces(said.text):
        yield {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": piece}}]}
    last = {"index": 0, "delta": {}, "finish_reason": whole["choices"][0]["finish_reason"]}
    yield {"choices": [last], "usage": whole.get("usage"), "credits_consumed": whole.get("credits_consumed")}


def _response(said: Said) -> dict[str, Any]:
    output = [
        {"type": "reasoning", "summary": []},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": said.text}]},
    ]
    usage = {"input_tokens": said.tokens_in, "output_tokens": said.tokens_out}
    head = {"id": "resp-1", "object": "response", "status": "completed", "model": said.model, "error": None}
    return head | {"output": output, "usage": usage}


def _response_events(said: Said, whole: dict[str, Any]) -> Iterable[dict[str, Any]]:
    yield {"type": "response.created", "response": {"id": whole["id"], "status": "in_progress"}}
    for piece in _pieces(said.text):
        yield {"type": "response.output_text.delta", "delta": piece}
    yield {"type": "response.completed", "response": whole, "credits_consumed": whole.pop("credits_consumed", None)}


def _message(said: Said) -> dict[str, Any]:
    usage = {"input_tokens": said.tokens_in, "output_tokens": said.tokens_out, "cache_read_input_tokens": 0}
    return {
        "id": "msg-1",
        "type": "message",
        "role": "assistant",
        "model": said.model,
        "content": [{"type": "text", "text": said.text}],
        "stop_reason": "max_tokens" if said.is_cut else "end_turn",
        "usage": usage,
    }


def _message_events(said: Said, whole: dict[str, Any]) -> Iterable[dict[str, Any]]:
    yield {"type": "message_start", "message": whole | {"content": [], "usage": {"input_tokens": said.tokens_in}}}
    for piece in _pieces(said.text):
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
    yield {"type": "message_delta", "delta": {"stop_reason": whole["stop_reason"]}, "usage": whole.get("usage")}
    yield {"type": "message_stop", "credits_consumed": whole.get("credits_consumed")}


Events = Callable[[Said, dict[str, Any]], Iterable[dict[str, Any]]]
FORMATS: dict[str, tuple[Callable[[Said], dict[str, Any]], Events, str]] = {  # … and the field that holds the text
    "completions": (_completion, _completion_events, "choices"),
    "responses": (_response, _response_events, "output"),
    "messages": (_message, _message_events, "content"),
}


def _pieces(text: str) -> list[str]:
    return re.findall(r"\S+\s*", text)


# --- sending ------------------------------------------------------------------------------------------------------


async def _send(request: web.Request, body: dict[str, Any], said: Said, order: Trouble | None) -> web.StreamResponse:
    """Send an answer that is paid for, spoilt as `order` says."""
    kind = order.kind if order else ""
    if order and kind in ("hang", "drop"):
        return await silence(request, order)
    make, events, place = FORMATS[request.path.rpartition("/")[2]]
    said.text = {"empty-text": "", "blank-text": " \n"}.get(kind, said.text)
    whole = make(said) | {"credits_consumed": float(said.credits)}
    if kind in _SPOILT:
        _SPOILT[kind](whole, place)
    if kind.startswith("stream") or body.get("stream", request.path.startswith(STREAM_UNASKED)):
        lines = [f"data: {json.dumps(event, ensure_ascii=False)}\n\n" for event in events(said, whole)]
        lines = lines[:-1] if kind == "stream-cut" else [*lines, "data: [DONE]\n\n"]
        return web.Response(text="".join(lines), content_type="text/event-stream")
    text = json.dumps(whole, ensure_ascii=False)
    if kind.startswith("drip"):
        return await _drip(request, text.encode(), kind == "drip-headers", (order and order.delay_s) or DRIP_S)
    return web.Response(text=text, content_type="text/plain" if kind == "plain-type" else "application/json")


def _null_text(whole: dict[str, Any], place: str) -> None:
    part = whole[place][-1]
    for holder in (part, part.get("message", {}), *(part.get("content") or ())):
        holder |= {name: None for name in ("text", "content") if isinstance(holder.get(name), str)}


def _reasoning_only(whole: dict[str, Any], place: str) -> None:
    thought = {
        "output": {"type": "reasoning", "summary": []},
        "content": {"type": "thinking", "thinking": "Let me see."},
    }
    message = {"role": "assistant", "content": None, "reasoning_content": "Let me see."}
    whole[place] = [thought.get(place, {"index": 0, "message": message})]


_SPOILT: dict[str, Callable[[dict[str, Any], str], object]] = {
    "no-output": lambda whole, place: whole.update({place: []}),
    "null-output": lambda whole, place: whole.update({place: None}),
    "null-text": _null_text,
    "only-reasoning": _reasoning_only,
    "no-credits": lambda whole, place: whole.pop("credits_consumed"),
    "credits-as-text": lambda whole, place: whole.update(credits_consumed=str(whole["credits_consumed"])),
    "credits-zero": lambda whole, place: whole.update(credits_consumed=0),
    "credits-odd": lambda whole, place: whole.update(credits_consumed={"total": "n/a"}),
    "no-usage": lambda whole, place: whole.pop("usage"),
}


async def _drip(request: web.Request, content: bytes, from_headers: bool, delay_s: float) -> web.StreamResponse:
    """Send an answer byte by byte, or headers that never end."""
    if from_headers and request.transport:
        request.transport.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not request.transport.is_closing():
            request.transport.write(b"z")
            await asyncio.sleep(delay_s)
    answer = web.StreamResponse(headers={"Content-Type": "application/json"})
    await answer.prepare(request)
    for byte in content:
        await answer.write(bytes([byte]))
        await asyncio.sleep(delay_s)
    return answer
