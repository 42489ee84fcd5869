"""Delivery: a result reaches the chat in a suitable form, is retried on its own, and is never charged twice."""

import http.server
import threading

import pytest

from storage.orders import jobs
from tests.kit import png
from tests.shop import assert_books_are_right, billed, captured, card, entries_of, job_of, order, texts, user_of
from tests.test_jobs import only_hear

HELD, CAPTURED = ("hold", -72), ("capture", 0)
HOUR = 3600
HTML = b"<html><body>Just a moment</body></html>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"></svg>'
MEGABYTE = 1024 * 1024


class Shelf(http.server.BaseHTTPRequestHandler):
    """Serves `files[path]`: (MIME type, bytes), or (MIME type, an announced size without a body)."""

    files = {}

    def do_GET(self):
        """Answer."""
        mime, body = self.files[self.path]
        self.send_response(200)
        self.send_header("Content-Type", mime)
        self.send_header("Content-Length", str(body if isinstance(body, int) else len(body)))
        self.end_headers()
        if not isinstance(body, int):
            self.wfile.write(body)

    def log_message(self, *_args):
        """Say nothing."""


@pytest.fixture
def shelf():
    """A file host of results; call it with (name, MIME type, bytes) to get the address of a file."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shelf)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()

    def put(name, mime, body):
        Shelf.files[f"/{name}"] = (mime, body)
        return f"http://127.0.0.1:{server.server_port}/{name}"

    yield put
    server.shutdown()
    server.server_close()
    thread.join(10)


def finish_with(bot, person, urls=(), text=None, model="z-image"):
    """Order a model and have KIE's answer be these addresses or this text; let the bot deliver it."""
    only_hear(bot)
    job = order(bot, person, model=model)
    now = bot.clock.now()
    jobs.begin(job.id, now)
    jobs.start(job.id, "task", now, now)
    jobs.succeed(job.id, {"urls": list(urls), "text": text}, charged=job.price, cost=1, now=now)
    bot.telegram.pump = bot.pump
    bot.pump()
    return job


def kinds(person):
    """Return what kind of message each of the bot's is, oldest first."""
    names = ("photo", "video", "audio", "document")
    return [next((name for name in names if name in message), "text") for message in person.received]


def last_kind(person):
    """Return the kind of the newest message."""
    return kinds(person)[-1]


# by kind


@pytest.mark.parametrize(
    ("model", "kind"), [("z-image", "photo"), ("grok-vid", "video"), ("suno-sounds", "audio"), ("suno-lyrics", "text")]
)
def test_each_kind_of_result_arrives_as_what_it_is(start_bot, model, kind):
    bot = start_bot()
    alice = bot.rich()
    order(bot, alice, "an evening by the sea", model)
    bot.forward(200, step=10)
    assert last_kind(alice) == kind
    assert "balance" in alice.last and "₽" in alice.last
    assert billed(bot) == captured() == 1


FORMS = [
    ("a picture", "image/png", png(), "photo"),
    ("a picture too large to be fetched by Telegram", "image/png", png() + bytes(6 * MEGABYTE), "photo"),
    ("a picture too large for a photo", "image/png", png() + bytes(11 * MEGABYTE), "document"),
    ("a drawing", "image/svg+xml", SVG, "document"),
    ("an archive in place of a picture", "application/zip", b"PK\x05\x06" + bytes(18), "document"),
    ("a file without a type", "", png(), "document"),
    ("a file too large for any bot", "image/png", 60 * MEGABYTE, "text"),
]


@pytest.mark.parametrize(("name", "mime", "body", "kind"), FORMS, ids=[row[0] for row in FORMS])
def test_a_picture_that_telegram_refuses_is_uploaded_sent_as_a_file_or_linked(start_bot, shelf, name, mime, body, kind):
    bot = start_bot()
    alice = bot.rich()
    url = shelf("result.bin", mime, body)
    finish_with(bot, alice, [url])
    assert last_kind(alice) == kind
    assert "0.72 ₽ · balance 999.28 ₽" in alice.last
    assert (url in alice.last) == (kind == "text")
    assert job_of(bot, alice).delivery == "sent"
    assert entries_of(bot, alice)[1:] == [HELD, CAPTURED]
    takes_a_while = isinstance(body, bytes) and len(body) > MEGABYTE
    announced = [call["params"]["action"] for call in bot.telegram.calls("sendChatAction")]
    assert announced == ([f"upload_{kind}"] if takes_a_while else [])


def test_a_page_in_place_of_the_picture_is_not_sent_and_the_picture_comes_when_it_is_there(start_bot, shelf):
    """HTML page returned instead of media is not sent as a photo."""
    bot = start_bot()
    alice = bot.rich()
    url = shelf("r.png", "text/html; charset=utf-8", HTML)
    finish_with(bot, alice, [url])
    bot.forward(60)
    assert "Just a moment" not in texts(alice) and set(kinds(alice)) == {"text"}
    assert job_of(bot, alice).delivery == "pending"
    shelf("r.png", "image/png", png())
    bot.forward(120, step=10)
    assert last_kind(alice) == "photo"
    assert entries_of(bot, alice)[1:] == [HELD, CAPTURED]


def test_a_page_that_stays_a_page_is_given_up_and_the_admins_know(start_bot, shelf):
    bot = start_bot()
    alice, boss = bot.rich(), bot.admin()
    finish_with(bot, alice, [shelf("r.png", "text/html", HTML)])
    bot.forward(9 * HOUR, step=600)
    assert job_of(bot, alice).delivery == "undeliverable"
    assert "could not be delivered" in boss.last
    assert set(kinds(alice)) == {"text"}
    assert entries_of(bot, alice)[1:] == [HELD, CAPTURED]


@pytest.mark.parametrize("count", [2, 6, 10, 11, 12, 21])
def test_several_pictures_come_as_albums_of_ten_and_none_is_missing(start_bot, shelf, count):
    bot = start_bot()
    alice = bot.rich()
    finish_with(bot, alice, [shelf(f"{number}.png", "image/png", png(str(number))) for number in range(count)])
    assert kinds(alice).count("photo") == count
    albums = [message["media_group_id"] for message in alice.received if "media_group_id" in message]
    assert len(albums) == count - (count % 10 == 1)
    assert last_kind(alice) == "text" and "balance 999.28 ₽" in alice.last
    assert len([part for part in job_of(bot, alice).sent if part.get("file_id")]) == count


def test_an_album_with_something_else_in_it_comes_one_by_one(start_bot, shelf):
    bot = start_bot()
    alice = bot.rich()
    files = [("1.png", "image/png", png()), ("2.svg", "image/svg+xml", SVG), ("3.png", "image/png", png("3"))]
    finish_with(bot, alice, [shelf(*file) for file in files])
    assert kinds(alice)[-4:] == ["photo", "document", "photo", "text"]


def test_a_result_in_words_keeps_its_signs_and_the_words_about_it_keep_theirs(start_bot):
    bot = start_bot()
    alice = bot.rich()
    finish_with(bot, alice, text="if a < b & b > c: <b>not bold</b>", model="suno-lyrics")
    assert "if a < b & b > c: <b>not bold</b>" in alice.last
    assert "<b>Suno</b>" not in alice.last and "Suno" in alice.last
    bold = [entity for entity in alice.last_message["entities"] if entity["type"] == "bold"]
    assert len(bold) == 1


@pytest.mark.parametrize("length", [3500, 3501, 20_000])
def test_words_that_do_not_fit_a_message_come_as_a_file_and_none_is_missing(start_bot, length):
    """A result that is a text is a result."""
    bot = start_bot()
    alice = bot.rich()
    finish_with(bot, alice, text="я" * length, model="suno-lyrics")
    if length <= 3500:
        assert alice.last.count("я") == length
    else:
        assert alice.last_message["document"]["file_size"] == 2 * length
    assert "balance" in alice.last


# bad days of KIE's file host


@pytest.mark.parametrize(
    "kind", ["403", "404", "410", "502", "truncated", "wrong-type", "drop", "no-length", "redirect"]
)
def test_an_address_that_telegram_can_not_fetch_is_fetched_and_uploaded(start_bot, kind):
    bot = start_bot()
    alice = bot.rich()
    bot.kie.trouble("download", kind)
    order(bot, alice)
    bot.forward(90)
    assert last_kind(alice) == "photo"
    assert sum(kind == "photo" for kind in kinds(alice)) == 1
    assert billed(bot) == captured() == 1


@pytest.mark.parametrize("kind", ["502", "truncated", "wrong-type", "drop"])
def test_a_file_host_that_fails_us_too_is_asked_again_later(start_bot, kind):
    bot = start_bot()
    alice = bot.rich()
    bot.kie.trouble("download", kind, times=4)
    order(bot, alice)
    bot.forward(90)
    assert last_kind(alice) == "photo"
    assert sum(kind == "photo" for kind in kinds(alice)) == 1
    assert entries_of(bot, alice)[1:] == [HELD, CAPTURED]


@pytest.mark.parametrize("kind", ["403", "404", "410"])
def test_an_address_that_is_gone_already_is_handed_on_rather_than_lost(start_bot, kind):
    bot = start_bot()
    alice = bot.rich()
    bot.kie.trouble("download", kind, times=0)
    order(bot, alice)
    bot.forward(90)
    assert f"{bot.kie.url}/files/" in alice.last
    assert job_of(bot, alice).delivery == "sent"
    assert billed(bot) == captured() == 1


# bad days of Telegram


@pytest.mark.parametrize("kind", ["drop", "garbage"])
def test_an_answer_that_never_came_makes_the_result_go_out_again_and_costs_nothing(start_bot, kind):
    """Unknown outcome: twice in the chat is better than never, and the charge is apart."""
    bot = start_bot()
    alice = bot.rich()
    bot.telegram.fail_next("sendPhoto", kind)
    order(bot, alice)
    bot.forward(90)
    assert kinds(alice).count("photo") == 2
    assert entries_of(bot, alice)[1:] == [HELD, CAPTURED]
    assert billed(bot) == captured() == 1


@pytest.mark.parametrize("kind", ["drop_before", "500", "502", "429"])
def test_a_telegram_in_trouble_gets_the_result_later_and_once(start_bot, kind):
    bot = start_bot()
    alice = bot.rich()
    bot.telegram.fail_next("sendPhoto", kind, times=3, retry_after=2)
    order(bot, alice)
    bot.forward(200, step=10)
    assert kinds(alice).count("photo") == 1
    assert entries_of(bot, alice)[1:] == [HELD, CAPTURED]


def test_who_has_blocked_the_bot_pays_for_what_was_made_and_gets_it_on_coming_back(start_bot):
    """Seen in other bots: one job charged 60 times when the user has blocked the bot."""
    bot = start_bot()
    alice = bot.rich()
    bot.kie.settings(hold=True)
    order(bot, alice)
    alice.block()
    bot.kie.finish()
    bot.forward(2 * HOUR, step=300)
    job = job_of(bot, alice)
    assert (job.state, job.delivery) == ("succeeded", "undeliverable")
    assert entries_of(bot, alice)[1:] == [HELD, CAPTURED]
    assert user_of(bot, alice).blocked_bot
    tries = len(bot.telegram.calls("sendPhoto"))
    assert tries == 1
    alice.send("/start")
    alice.forge(f"history:send:{job.id}")
    bot.forward(10)
    assert last_kind(alice) == "photo"
    assert entries_of(bot, alice)[1:] == [HELD, CAPTURED]
    assert billed(bot) == 1
    assert_books_are_right()


def test_one_slow_chat_does_not_hold_back_the_others(start_bot):
    bot = start_bot()
    alice, bob = bot.rich(), bot.rich("Bob")
    bot.telegram.fail_next("sendPhoto", "502", times=50, chat_id=alice.id)
    order(bot, alice)
    order(bot, bob)
    bot.forward(60)
    assert last_kind(bob) == "photo" and "photo" not in kinds(alice)


# once more


def test_a_result_is_sent_again_by_what_telegram_stored_long_after_kie_forgot_it(start_bot):
    """File ids are stored, and history re-sends by them."""
    bot = start_bot()
    alice = bot.rich()
    job = order(bot, alice)
    bot.forward(60)
    bot.clock.forward(30 * 24 * HOUR)
    bot.kie.trouble("download", "404", times=0)
    before = len(bot.kie.requests("/files/"))
    for _ in range(2):
        alice.forge(f"history:send:{job.id}")
    assert kinds(alice).count("photo") == 3
    assert len(bot.kie.requests("/files/")) == before
    assert entries_of(bot, alice)[1:] == [HELD, CAPTURED]


def test_an_album_is_sent_again_with_every_picture(start_bot):
    bot = start_bot()
    alice = bot.rich()
    job = order(bot, alice, model="grok-img")
    bot.forward(90)
    count = kinds(alice).count("photo")
    assert count == 6
    alice.forge(f"history:send:{job.id}")
    assert kinds(alice).count("photo") == 2 * count


def test_words_are_sent_again_as_they_were(start_bot):
    bot = start_bot()
    alice = bot.rich()
    job = finish_with(bot, alice, text="La <la> & la", model="suno-lyrics")
    alice.forge(f"history:send:{job.id}")
    assert "La <la> & la" in alice.last


def test_an_order_without_a_result_has_nothing_to_send(start_bot):
    bot = start_bot()
    alice = bot.rich()
    bot.kie.fail_next("500-internal")
    job = order(bot, alice)
    bot.forward(60)
    for action in ("send", "original"):
        alice.forge(f"history:{action}:{job.id}")
        assert "nothing to send" in (alice.toast or alice.last)


def test_the_original_is_a_file_in_full_quality(start_bot):
    bot = start_bot()
    alice = bot.rich()
    job = order(bot, alice)
    bot.forward(60)
    alice.forge(f"history:original:{job.id}")
    document = next(message["document"] for message in reversed(alice.received) if "document" in message)
    assert document["mime_type"] == "image/png"
    assert entries_of(bot, alice)[1:] == [HELD, CAPTURED]


def test_an_original_that_kie_keeps_no_more_is_said_to_be_gone(start_bot):
    bot = start_bot()
    alice = bot.rich()
    job = order(bot, alice)
    bot.forward(60)
    bot.clock.forward(2 * 24 * HOUR)
    alice.forge(f"history:original:{job.id}")
    assert "not kept any more" in (alice.toast or alice.last)


@pytest.mark.parametrize("kind", ["502", "truncated", "wrong-type", "drop"])
def test_an_original_that_can_not_be_had_just_now_is_said_to_come_later(start_bot, kind):
    bot = start_bot()
    alice, boss = bot.rich(), bot.admin()
    job = order(bot, alice)
    bot.forward(60)
    bot.kie.trouble("download", kind)
    alice.forge(f"history:original:{job.id}")
    assert "try again a little later" in (alice.toast or alice.last)
    assert "failed three times" not in texts(boss)
    alice.forge(f"history:original:{job.id}")
    assert "document" in kinds(alice)


def test_the_next_screen_is_below_the_result_and_the_progress_message_is_gone(start_bot):
    """Results are sent anew, the progress message goes away."""
    bot = start_bot()
    alice = bot.rich()
    order(bot, alice)
    progress = alice.last_message["message_id"]
    assert "⏳" in alice.last
    bot.forward(90)
    assert progress not in [message["message_id"] for message in alice.received]
    assert last_kind(alice) == "photo"
    card(alice, "the next one")
    assert "photo" in kinds(alice)
