"""What waits for the bot: the queue of updates, the one long poll, and the webhook.

Facts from the Bot API documentation (getUpdates, setWebhook) and its server's source: at most 100 updates a call, a
poll waits at most 50 s, the latest poll ends an older one, a webhook excludes polls.
"""

import asyncio
import functools
import json
import ssl
from collections import OrderedDict
from itertools import islice

import aiohttp

from demo.rules import ApiError

POLL_MAX_S = 50  # LONG_POLL_MAX_TIMEOUT in the server's source
OFF_BY_DEFAULT = {"chat_member", "message_reaction", "message_reaction_count"}  # Bot API, getUpdates
FIRST_ID = 700_000_001
RETRY_S, RETRY_MAX_S = 0.2, 60.0  # pauses of the webhook, doubled each time; the real server stops at 60 s too
WEBHOOK_TIMEOUT_S = 30


class Updates:
    """Updates that the bot has not confirmed, oldest first, by update_id."""

    def __init__(self, clock):
        self.clock = clock
        self.waiting = OrderedDict()
        self.next_id = FIRST_ID
        self.allowed = None
        self.webhook = None
        self.last_error = None
        self.answered = None  # called with (method, parameters) that a webhook's answer asks for
        self._poll = None
        self._came = asyncio.Event()
        self._deliveries = set()
        self._chain = {}

    def push(self, kind, content):
        """Queue an update of `kind` unless the bot does not want it; return it, or None."""
        if kind in OFF_BY_DEFAULT if not self.allowed else kind not in self.allowed:
            return None
        return self.push_raw({kind: content})

    def push_raw(self, content):
        """Queue an update given as everything but its update_id."""
        update = {"update_id": self.next_id} | content
        self.next_id += 1
        self.waiting[update["update_id"]] = update
        self._came.set()
        if self.webhook:
            self._deliver(update)
        return update

    def confirm(self, offset):
        """Drop the updates before `offset`; a negative one keeps only that many of the newest."""
        if offset < 0:
            ids = list(self.waiting)
            offset = ids[max(len(ids) + offset, 0)] if ids else 0
        while self.waiting and next(iter(self.waiting)) < offset:
            self.waiting.popitem(last=False)

    async def poll(self, offset, limit, timeout_s):
        """Return up to `limit` updates from `offset` on, waiting up to `timeout_s` real seconds for the first."""
        if self.webhook:
            text = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
            raise ApiError(409, f"Conflict: {text}")
        self.end_poll()
        self.confirm(offset)
        if not self.waiting and timeout_s > 0:
            await self._wait(min(timeout_s, POLL_MAX_S))
        return list(islice(self.waiting.values(), limit))

    async def _wait(self, seconds):
        """Wait for an update, for the end of the time, or for another poll, which ends this one with 409."""
        self._came.clear()
        self._poll = poll = asyncio.get_running_loop().create_future()
        came = asyncio.ensure_future(self._came.wait())
        try:
            await asyncio.wait({came, poll}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            came.cancel()
        if poll.done():
            raise poll.result()
        self._poll = None

    def end_poll(self, why="terminated by other getUpdates request; make sure that only one bot instance is running"):
        """End the waiting poll, if there is one, with 409."""
        if self._poll and not self._poll.done():
            self._poll.set_result(ApiError(409, f"Conflict: {why}"))
        self._poll = None

    def set_webhook(self, webhook):
        """Deliver to `webhook` (`{url, secret_token, certificate, max_connections}`) from now on, or stop with None."""
        for task in self._deliveries:
            task.cancel()
        self._deliveries, self._chain = set(), {}
        self.webhook, self.last_error = webhook, None
        if webhook:
            self.end_poll("terminated by setWebhook request")
            self._slots = asyncio.Semaphore(webhook["max_connections"])
            for update in self.waiting.values():
                self._deliver(update)

    def _deliver(self, update):
        """Start to deliver one update; those of one person and kind keep their order (as on the real server)."""
        kind = next(key for key in update if key != "update_id")
        content = update[kind] if isinstance(update[kind], dict) else {}
        key = (kind, (content.get("from") or {}).get("id"))
        task = asyncio.ensure_future(self._post_until_taken(update, self._chain.get(key)))
        self._chain[key] = task
        self._deliveries.add(task)
        task.add_done_callback(self._deliveries.discard)

    async def _post_until_taken(self, update, before):
        """Post an update again and again, after the one `before` it, until the bot answers 2xx."""
        if before:
            await asyncio.wait({before})
        pause_s = RETRY_S
        while self.webhook and update["update_id"] in self.waiting:
            async with self._slots:
                answer = await self._post(update)
            if answer is not None:
                self.waiting.pop(update["update_id"], None)
                await self._carry_out(answer)
                return
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, RETRY_MAX_S)

    async def _post(self, update):
        """Post an update once; return the body of a 2xx answer, or None and remember what was wrong."""
        secret = self.webhook.get("secret_token")
        headers = {"X-Telegram-Bot-Api-Secret-Token": secret} if secret else {}
        timeout = aiohttp.ClientTimeout(total=WEBHOOK_TIMEOUT_S)
        post = functools.partial(aiohttp.request, "POST", self.webhook["url"], timeout=timeout)
        try:
            async with post(json=update, headers=headers, ssl=_trust(self.webhook.get("certificate"))) as answer:
                body = await answer.read()
                if answer.status < 300:
                    return body
                wrong = f"Wrong response from the webhook: {answer.status} {answer.reason}"
        except (aiohttp.ClientSSLError, ssl.SSLError):
            wrong = "SSL error {certificate verify failed}"
        except aiohttp.ClientError as error:
            wrong = "Connection refused" if isinstance(error, aiohttp.ClientConnectorError) else "Connection closed"
        except TimeoutError:
            wrong = "Read timeout expired"
        self.last_error = (self.clock.date(), wrong)
        return None

    async def _carry_out(self, body):
        """Make the call that a webhook's answer may contain (Bot API, Making requests when getting updates)."""
        try:
            call = json.loads(body)
        except ValueError:
            return
        if isinstance(call, dict) and isinstance(call.get("method"), str) and self.answered:
            await self.answered(call.pop("method"), call)

    def dump(self):
        """Return what the state file keeps."""
        return {
            "waiting": list(self.waiting.values()),
            "next_id": self.next_id,
            "allowed": self.allowed,
            "webhook": self.webhook,
        }

    def load(self, saved):
        """Restore what `dump` returned, and continue delivering."""
        self.waiting = OrderedDict((update["update_id"], update) for update in saved["waiting"])
        self.next_id, self.allowed = saved["next_id"], saved["allowed"]
        self.set_webhook(saved["webhook"])


def _trust(pem):
    """Return what a webhook's TLS is checked against: the certificate that came with it, or those of the system."""
    return ssl.create_default_context(cadata=pem) if isinstance(pem, str) else True
