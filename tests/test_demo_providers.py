"""The stand-ins for YooKassa and Crypto Pay, over HTTP: they behave as the services' documents say, and as badly as told to."""

import hashlib
import hmac
import json
import signal
import socket
import subprocess
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue

import pytest
import requests

from demo.providers import cryptopay, yookassa
from demo.providers.control import YooKassaControl
from demo.providers.cryptopay_app import sign, waits
from tests.kit import ROOT, FrozenClock

NOW = 1_793_613_600  # 2026-11-02T10:00:00Z
ASKED = {
    "amount": {"value": "199.00", "currency": "RUB"},
    "capture": True,
    "description": "Top-up of 199 ₽",
    "metadata": {"row": "812", "v": "1", "bot": "77"},
    "confirmation": {"type": "redirect", "return_url": "https://t.me/some_bot"},
}
HOUR_S, DAY_S = 3600, 86400


class Receiver(BaseHTTPRequestHandler):
    """Keeps each callback, and answers as it is told."""

    def do_POST(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        status = 200 if self.server.answers.empty() else self.server.answers.get()
        self.server.got.put((self.headers, content))
        self.send_response(status)
        self.end_headers()

    do_PUT = do_POST

    def log_message(self, *_args):
        """Say nothing."""


@pytest.fixture
def receiver():
    """A shop's web server: `.got` are (headers, content) of callbacks, `.answers` what it says to the next ones."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.got, server.answers = Queue(), Queue()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_address[1]}/callback"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def received(server):
    """Return the bodies of the callbacks that have come since the last look; acts wait for their answers."""
    found = []
    while True:
        try:
            found.append(json.loads(server.got.get_nowait()[1]))
        except Empty:
            return found


class Client:
    """A shop's program."""

    def __init__(self, url):
        self.url, self.auth = url, (yookassa.SHOP_ID, yookassa.SECRET_KEY)

    def __call__(self, method, path, body=None, *, key=None, **more):
        headers = {"Idempotence-Key": key or str(uuid.uuid4())} if method == "POST" else {}
        headers |= more.pop("headers", {})
        options = {"auth": self.auth, "headers": headers, "timeout": 10} | more
        return requests.request(method, self.url + path, json=body, **options)

    def create(self, key=None, **changes):
        """Make a payment and return its object."""
        answer = self("POST", "/payments", ASKED | changes, key=key)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def read(self, id):
        """Return a payment's object."""
        return self("GET", f"/payments/{id}").json()

    def refund(self, id, value="199.00", key=None):
        """Ask for a refund; return the answer."""
        return self("POST", "/refunds", {"payment_id": id, "amount": rub(value)}, key=key)


def rub(value):
    """Return an amount in roubles."""
    return {"value": value, "currency": "RUB"}


@pytest.fixture
def shop(yookassa_shop):
    yookassa_shop.freeze(NOW)
    return yookassa_shop


@pytest.fixture
def api(yookassa_server, shop):
    return Client(yookassa_server.url)


# --- YooKassa: payments -------------------------------------------------------------------------------------------


def test_a_payment_begins_pending_with_a_link(api, yookassa_server):
    made = api.create()
    assert (made["status"], made["paid"], made["test"], made["refundable"]) == ("pending", False, True, False)
    assert made["amount"] == rub("199.00") and made["metadata"] == ASKED["metadata"]
    assert made["recipient"]["account_id"] == yookassa.SHOP_ID
    assert made["created_at"] == "2026-11-02T10:00:00.000Z" and len(made["id"]) == 36
    assert made["confirmation"]["confirmation_url"].startswith(yookassa_server.origin)
    assert api.read(made["id"]) == made


def test_a_paid_payment_has_its_fee_and_no_link(api, shop):
    made = api.create()
    shop.pay(method="sbp")
    paid = api.read(made["id"])
    assert (paid["status"], paid["paid"], paid["refundable"]) == ("succeeded", True, True)
    assert paid["income_amount"] == rub("192.04") and paid["refunded_amount"] == rub("0.00")
    assert paid["payment_method"]["type"] == "sbp" and paid["captured_at"]
    assert "confirmation" not in paid
    with pytest.raises(ValueError, match="the payment is succeeded"):
        shop.pay(made["id"])


def test_without_capture_the_money_is_held_and_captured_or_let_go(api, shop):
    held, released, lost = (api.create(capture=False)["id"] for _ in range(3))
    for id in (held, released, lost):
        assert shop.pay(id)["status"] == "waiting_for_capture"
    assert api.read(held)["expires_at"] == "2026-11-09T10:00:00.000Z"
    assert api("POST", f"/payments/{held}/capture", {"amount": rub("100.00")}).json()["amount"] == rub("100.00")
    cancelled = api("POST", f"/payments/{released}/cancel", {}).json()
    assert cancelled["cancellation_details"] == {"party": "merchant", "reason": "canceled_by_merchant"}
    shop.forward(7 * DAY_S)
    assert api.read(lost)["cancellation_details"]["reason"] == "expired_on_capture"


def test_a_pending_payment_cannot_be_cancelled_and_runs_out_after_an_hour(api, shop):
    made = api.create()
    answer = api("POST", f"/payments/{made['id']}/cancel", {})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    shop.forward(HOUR_S - 1)
    assert api.read(made["id"])["status"] == "pending"
    shop.forward(1)
    over = api.read(made["id"])
    assert over["status"] == "canceled"
    assert over["cancellation_details"] == {"party": "yoo_money", "reason": "expired_on_confirmation"}


def test_money_for_a_cancelled_payment_goes_back_unless_told_otherwise(api, shop):
    made = api.create()
    shop.expire()
    assert shop.pay()["status"] == "canceled"
    assert shop.books()[made["id"]]["returned"] == "199.00"
    kept = shop.pay(late="kept")
    assert kept["status"] == "succeeded" and "cancellation_details" not in kept


def test_a_declined_payment_says_why(api, shop):
    made = api.create()
    shop.decline(reason="insufficient_funds")
    assert api.read(made["id"])["cancellation_details"] == {"party": "payment_network", "reason": "insufficient_funds"}


# --- YooKassa: what it refuses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "parameter"),
    [
        ({"amount": {"value": 199, "currency": "RUB"}}, "amount.value"),
        ({"amount": rub("199")}, "amount.value"),
        ({"amount": rub("0.99")}, "amount.value"),
        ({"amount": rub("700000.01")}, "amount.value"),
        ({"amount": rub("350000.01"), "payment_method_data": {"type": "bank_card"}}, "amount.value"),
        ({"amount": {"value": "199.00", "currency": "USD"}}, "amount.currency"),
        ({"amount": {"value": "199.00"}}, "amount"),
        ({"capture": "true"}, "capture"),
        ({"capture": False, "payment_method_data": {"type": "sbp"}}, "capture"),
        ({"description": "x" * 129}, "description"),
        ({"metadata": {"row": 812}}, "metadata"),
        ({"metadata": {str(number): "" for number in range(17)}}, "metadata"),
        ({"metadata": {"x" * 33: ""}}, "metadata"),
        ({"metadata": {"x": "y" * 513}}, "metadata"),
        ({"confirmation": {"type": "redirect"}}, "confirmation.return_url"),
        ({"confirmation": {"type": "redirect", "return_url": "x" * 2049}}, "confirmation.return_url"),
        ({"confirmation": {"type": "pigeon"}}, "confirmation.type"),
        ({"confirmation": ASKED["confirmation"] | {"locale": "de"}}, "confirmation.locale"),
        ({"payment_method_data": {"type": "qiwi"}}, "payment_method_data.type"),
        ({"merchant_customer_id": "x" * 201}, "merchant_customer_id"),
        ({"captur": True}, "captur"),
    ],
)
def test_a_wrong_payment_is_refused_by_name(api, shop, changes, parameter):
    answer = api("POST", "/payments", ASKED | changes)
    assert answer.status_code == 400, answer.text
    body = answer.json()
    assert (body["type"], body["code"], body["parameter"]) == ("error", "invalid_request", parameter)
    assert uuid.UUID(body["id"]) and body["description"]
    assert shop.payments() == []


@pytest.mark.parametrize("key", ["", "x" * 65, "ключ".encode(), "a b"])
def test_a_post_needs_a_good_key(api, shop, key):
    answer = api("POST", "/payments", ASKED, headers={"Idempotence-Key": key})
    assert (answer.status_code, answer.json()["parameter"]) == (400, "Idempotence-Key")
    assert shop.payments() == []


def test_what_is_no_json_no_path_or_no_method_is_refused(api):
    key = {"Idempotence-Key": "1"}
    answer = api("POST", "/payments", headers=key | {"Content-Type": "application/json"}, data="{")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert api("POST", "/payments", [ASKED]).status_code == 400
    answer = api("POST", "/payments", headers=key, data={"amount": "1"})
    assert (answer.status_code, answer.content) == (415, b"")
    assert api("GET", "/payouts").json()["code"] == "not_found"
    answer = api("DELETE", "/payments")
    assert (answer.status_code, answer.content) == (405, b"")
    assert api("GET", "/payments/none").status_code == 404


def test_wrong_keys_and_a_disabled_shop(api, shop):
    for auth in (None, ("x", yookassa.SECRET_KEY), (yookassa.SHOP_ID, "test_other")):
        answer = api("GET", "/me", auth=auth)
        assert answer.status_code == 401
        assert (answer.json()["code"], answer.json()["parameter"]) == ("invalid_credentials", "Authorization")
    shop.settings(status="disabled")
    assert api("POST", "/payments", ASKED).json()["code"] == "forbidden"
    assert api("GET", "/me").json()["status"] == "disabled"
    shop.settings(secret_key="test_new")
    assert api("GET", "/me").status_code == 401


def test_the_shop_says_what_it_is(api, shop):
    shop.settings(test=False, receipts="yookassa", methods=["sbp"])
    me = api("GET", "/me").json()
    assert (me["account_id"], me["test"], me["fiscalization"]) == (yookassa.SHOP_ID, False, {"enabled": True})
    assert me["payment_methods"] == ["sbp"]


ITEM = {"description": "Top-up", "quantity": "1.00", "amount": rub("199.00"), "vat_code": 1}
RECEIPT = {"customer": {"email": "shop@example.com"}, "items": [ITEM]}


@pytest.mark.parametrize(
    ("receipt", "parameter"),
    [
        (None, "receipt"),
        (RECEIPT | {"customer": {"phone": "79000000000"}}, "receipt.customer"),
        (RECEIPT | {"items": []}, "receipt.items"),
        (RECEIPT | {"items": [ITEM] * 81}, "receipt.items"),
        (RECEIPT | {"items": [ITEM | {"amount": rub("198.00")}]}, "receipt.items"),
        (RECEIPT | {"items": [ITEM | {"vat_code": 11}]}, "receipt.items.vat_code"),
        (RECEIPT | {"items": [ITEM | {"description": ""}]}, "description"),
        (RECEIPT | {"items": [ITEM | {"quantity": 0}]}, "receipt.items.quantity"),
        (RECEIPT | {"tax_system_code": 7}, "receipt.tax_system_code"),
    ],
)
def test_a_shop_with_receipts_wants_a_right_one(api, shop, receipt, parameter):
    shop.settings(receipts="yookassa")
    more = {} if receipt is None else {"receipt": receipt}
    answer = api("POST", "/payments", ASKED | more)
    assert (answer.status_code, answer.json()["parameter"]) == (400, parameter)
    made = api.create(receipt=RECEIPT)
    assert made["receipt_registration"] == "pending"
    shop.pay()
    assert api.refund(made["id"]).json()["parameter"] == "receipt"


# --- YooKassa: the same key ---------------------------------------------------------------------------------------


def test_the_same_key_makes_one_payment_for_a_day(api, shop):
    made = api.create(key="k-1")
    shop.forward(60)
    assert api.create(key="k-1") == made
    shop.pay()
    assert api.create(key="k-1")["status"] == "succeeded", "as it is now"
    shop.settings(repeat="first")
    assert api.create(key="k-1") == made, "as it was answered first"
    assert len(shop.payments()) == 1
    shop.forward(DAY_S - 61)
    assert api.create(key="k-1")["id"] == made["id"]
    shop.forward(1)
    assert api.create(key="k-1")["id"] != made["id"]


def test_the_same_key_with_other_data_is_an_error(api, shop):
    made = api.create(key="k-1")
    answer = api("POST", "/payments", ASKED | {"description": "other"}, key="k-1")
    assert (answer.status_code, answer.json()["parameter"]) == (400, "Idempotence-Key")
    shop.settings(other_body="first")
    assert api.create(key="k-1", description="other")["id"] == made["id"]
    assert len(shop.payments()) == 1


def test_a_refused_body_leaves_its_key_free(api):
    assert api("POST", "/payments", ASKED | {"capture": 1}, key="k-1").status_code == 400
    assert api.create(key="k-1")["status"] == "pending"


def test_a_key_is_of_one_path(api, shop):
    made = api.create(key="k-1")
    shop.pay()
    assert api.refund(made["id"], key="k-1").status_code == 400
    assert api.refund(made["id"], key="k-2").json()["id"] == api.refund(made["id"], key="k-2").json()["id"]


# --- YooKassa: lists and refunds ----------------------------------------------------------------------------------


def test_lists_come_newest_first_in_pages(api, shop):
    ids = [api.create(description=str(number))["id"] for number in range(12)]
    first = api("GET", "/payments").json()
    assert [one["id"] for one in first["items"]] == ids[:1:-1], "ten, unless told otherwise"
    api.create()  # between the pages
    second = api("GET", "/payments", params={"cursor": first["next_cursor"]}).json()
    assert [one["id"] for one in second["items"]] == ids[1::-1] and "next_cursor" not in second
    assert second["type"] == "list"
    for wrong in ({"limit": 101}, {"limit": 0}, {"limit": "x"}, {"cursor": "x"}, {"metadata": "x"}):
        assert api("GET", "/payments", params=wrong).status_code == 400, wrong
    assert api("GET", "/payments", params={"created_at.gte": "yesterday"}).json()["parameter"] == "created_at.gte"


def test_lists_are_filtered(api, shop):
    old = api.create()["id"]
    shop.pay(method="sbp")
    shop.forward(DAY_S)
    new = api.create()["id"]

    def ids(**filters):
        query = {name.replace("__", "."): value for name, value in filters.items()}
        return [one["id"] for one in api("GET", "/payments", params=query).json()["items"]]

    assert ids(status="succeeded") == [old] and ids(status="pending") == [new]
    assert ids(created_at__gte="2026-11-03T10:00:00.000Z") == [new]
    assert ids(created_at__gt="2026-11-03T10:00:00.000Z") == []
    assert ids(created_at__lt="2026-11-03T10:00:00.000Z") == [old]
    assert ids(captured_at__lte="2026-11-03T10:00:00.000Z") == [old]
    assert ids(payment_method="sbp") == [old]
    shop.forward(3 * 366 * DAY_S)
    assert ids() == [], "not further back than three years"


def test_refunds_go_up_to_what_is_left(api, shop):
    id = api.create()["id"]
    assert api.refund(id).json()["parameter"] == "payment_id", "nothing is paid yet"
    shop.pay()
    assert api.refund(id, "199.01").json()["parameter"] == "amount.value"
    part = api.refund(id, "99.00").json()
    assert (part["status"], part["payment_id"], part["amount"]) == ("succeeded", id, rub("99.00"))
    assert api.read(id)["refunded_amount"] == rub("99.00") and api.read(id)["refundable"]
    assert api.refund(id, "100.01").status_code == 400
    rest = api.refund(id, "100.00").json()
    assert not api.read(id)["refundable"] and api.read(id)["status"] == "succeeded"
    assert api("GET", f"/refunds/{part['id']}").json() == part
    listed = api("GET", "/refunds", params={"payment_id": id}).json()["items"]
    assert [one["id"] for one in listed] == [rest["id"], part["id"]]
    assert api("GET", "/refunds/none").status_code == 404
    for wrong in ({"payment_id": "none"}, {"payment_id": 7}, {}):
        assert api("POST", "/refunds", {"amount": rub("1.00")} | wrong).json()["parameter"] == "payment_id"


def test_a_refund_can_take_time_and_fail(api, shop, receiver):
    shop.settings(callback_url=receiver.url)
    id = api.create()["id"]
    shop.pay()
    shop.trouble("refund", "pending-canceled")
    waiting = api.refund(id).json()
    assert waiting["status"] == "pending" and "_ends" not in waiting
    assert api.refund(id, "1.00").status_code == 400, "what waits counts as given back"
    shop.forward(60)
    failed = api("GET", f"/refunds/{waiting['id']}").json()
    assert failed["cancellation_details"] == {"party": "refund_network", "reason": "insufficient_funds"}
    shop.trouble("refund", "pending")
    api.refund(id, "50.00")
    assert [one["status"] for one in shop.settle_refunds()] == ["canceled", "succeeded"]
    assert api.read(id)["refunded_amount"] == rub("50.00")
    assert [one["event"] for one in received(receiver)] == ["payment.succeeded", "refund.succeeded"]


def test_money_goes_back_behind_the_shops_back(api, shop, receiver):
    shop.settings(callback_url=receiver.url)
    id = api.create()["id"]
    shop.pay()
    shop.refund(amount="99.00")
    assert [one["event"] for one in received(receiver)] == ["payment.succeeded", "refund.succeeded"]
    shop.chargeback()
    assert received(receiver) == [], "no event is known for it"
    assert api.read(id)["refunded_amount"] == rub("199.00")
    with pytest.raises(ValueError, match="not so much"):
        shop.refund(amount="0.01")


def test_some_methods_are_not_refunded_or_not_in_part(api, shop):
    shop.settings(methods=["cash", "mobile_balance"])
    cash = api.create(payment_method_data={"type": "cash"})["id"]
    mobile = api.create(payment_method_data={"type": "mobile_balance"})["id"]
    shop.pay(cash), shop.pay(mobile)
    assert api.refund(cash).status_code == 400
    assert api.refund(mobile, "1.00").status_code == 400
    assert api.refund(mobile).json()["status"] == "succeeded"


# --- YooKassa: notifications --------------------------------------------------------------------------------------


def test_a_notification_shows_the_payment_as_it_was_at_the_change(api, shop, receiver):
    shop.settings(callback_url=receiver.url)
    made = api.create()
    paid = shop.pay()
    headers, content = receiver.got.get_nowait()
    assert json.loads(content) == {"type": "notification", "event": "payment.succeeded", "object": paid}
    assert headers["Content-Type"] == "application/json"
    shop.refund(amount="1.00")
    second = received(receiver)[0]
    assert (second["event"], second["object"]["payment_id"]) == ("refund.succeeded", made["id"])


def test_a_notification_is_repeated_for_a_day_until_it_is_taken(api, shop, receiver):
    shop.settings(callback_url=receiver.url)
    api.create()
    for status in (500, 204, 302):  # only 200 counts
        receiver.answers.put(status)
    shop.pay()
    shop.forward(DAY_S)
    assert [one["status"] for one in shop.callbacks()[0]["tries"]] == [500, 204, 302, 200]
    assert [one["at"] - NOW for one in shop.callbacks()[0]["tries"]] == [0, 10, 70, 370]
    shop.settings(callback_url="http://127.0.0.1:1/")
    api.create()
    shop.decline()
    shop.forward(7 * DAY_S)
    tries = shop.callbacks()[-1]["tries"]
    assert len(tries) == 17 and {one["status"] for one in tries} == {None}
    assert tries[-1]["at"] - tries[0]["at"] <= DAY_S


@pytest.mark.parametrize(("kind", "times"), [("once", 1), ("twice", 2), ("four", 4), ("never", 0)])
def test_notifications_come_as_often_as_ordered(api, shop, receiver, kind, times):
    shop.settings(callback_url=receiver.url)
    api.create()
    shop.pay(**({} if kind == "once" else {"callback": kind}))
    assert len(received(receiver)) == times


def test_notifications_come_late_early_and_out_of_order(api, shop, receiver):
    shop.settings(callback_url=receiver.url)
    api.create()
    shop.pay(callback="late")
    assert received(receiver) == []
    shop.forward(23 * HOUR_S)
    assert [one["event"] for one in received(receiver)] == ["payment.succeeded"]

    shop.trouble("callback", "early")
    made = api.create()
    early = received(receiver)
    assert [one["object"]["id"] for one in early] == [made["id"]] and made["status"] == "pending"
    assert api.read(made["id"])["status"] == "succeeded"

    api.create()
    shop.pay(callback="old-body")
    events = {one["event"]: one["object"]["status"] for one in received(receiver)}
    assert events == {"payment.succeeded": "succeeded", "payment.canceled": "canceled"}


def test_events_that_are_not_ticked_are_not_sent(api, shop, receiver):
    shop.settings(callback_url=receiver.url, events=["payment.succeeded"])
    api.create()
    shop.expire()
    assert received(receiver) == []


def test_a_notification_can_be_forged_and_handed_over(api, shop, receiver):
    shop.settings(callback_url=receiver.url)
    made = api.create()
    receiver.answers.put(403)
    assert shop.send_callback(event="payment.succeeded", changes={"id": "nobody's"}) == 403
    assert received(receiver)[0]["object"]["id"] == "nobody's"
    assert shop.send_callback(raw="x" * 1_000_000) == 200
    assert len(receiver.got.get_nowait()[1]) == 1_000_000
    assert shop.send_callback(method="PUT", raw="") == 200
    body, headers = shop.message(event="payment.succeeded")
    assert json.loads(body)["object"] == made and headers == {"Content-Type": "application/json"}
    assert api.read(made["id"])["status"] == "pending", "nothing of it is true"


# --- YooKassa: bad days -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("done", [True, False])
def test_a_dropped_create_is_found_with_its_key_or_was_not_made(api, shop, done):
    shop.trouble("create", "drop", done=done)
    with pytest.raises(requests.ConnectionError):
        api("POST", "/payments", ASKED, key="k-1")
    assert len(shop.payments()) == done
    api.create(key="k-1")
    assert len(shop.payments()) == 1


def test_silence_lasts_longer_than_any_client(api, shop):
    shop.trouble("create", "hang")
    with pytest.raises(requests.Timeout):
        api("POST", "/payments", ASKED, timeout=0.2)
    assert shop.payments() == []


@pytest.mark.parametrize("kind", ["401", "403", "429", "500"])
def test_refusals_have_yookassas_form(api, shop, kind):
    shop.trouble("create", kind)
    answer = api("POST", "/payments", ASKED, key="k-1")
    assert answer.status_code == int(kind) and answer.json()["type"] == "error"
    assert answer.json().get("retry_after") == (1500 if kind == "429" else None)
    assert shop.payments() == []
    assert api.create(key="k-1")["status"] == "pending"


def test_a_500_may_have_done_its_work(api, shop):
    shop.trouble("create", "500", 2, done=True)
    for _ in range(2):
        assert api("POST", "/payments", ASKED, key="k-1").json()["code"] == "internal_server_error"
    assert api.create(key="k-1")["id"] == shop.payment()["id"]
    assert len(shop.payments()) == 1


def test_the_older_manner_says_processing_first(api, shop):
    shop.trouble("create", "202")
    answer = api("POST", "/payments", ASKED, key="k-1")
    assert (answer.status_code, answer.json()["type"], answer.json()["retry_after"]) == (202, "processing", 800)
    assert api.create(key="k-1")["id"] == shop.payment()["id"]


@pytest.mark.parametrize("kind", ["502", "503", "cut", "list", "text", "empty", "wrong-type"])
def test_answers_can_be_unreadable(api, shop, kind):
    made = api.create()
    shop.trouble("read", kind)
    answer = api("GET", f"/payments/{made['id']}")
    is_read = answer.status_code == 200 and answer.headers["Content-Type"].startswith("application/json")
    try:
        assert not (is_read and isinstance(answer.json(), dict))
    except requests.JSONDecodeError:
        pass
    assert api.read(made["id"]) == made


def test_objects_can_differ_from_what_was_asked(api, shop):
    made = api.create()
    shop.pay()
    paid = api.read(made["id"])
    seen = {}
    for kind in ("stale", "wrong-amount", "wrong-currency", "wrong-account", "wrong-test", "wrong-metadata", "wrong-id",
                 "unknown-status", "unknown-reason", "unknown-method", "extra-keys", "paid-pending", "no-amount"):  # fmt: skip
        shop.trouble("read", kind)
        seen[kind] = api.read(made["id"])
        assert seen[kind] != paid, kind
    assert seen["stale"]["status"] == "pending"
    assert seen["wrong-account"]["recipient"]["gateway_id"] == paid["recipient"]["gateway_id"]
    assert api.read(made["id"]) == paid
    shop.trouble("list", "wrong-amount")
    assert api("GET", "/payments").json()["items"][0]["amount"] == rub("1.00")


def test_a_payment_can_come_in_with_another_sum(api, shop):
    little, much, foreign = (api.create()["id"] for _ in range(3))
    assert shop.pay(little, amount="150.00")["amount"] == rub("150.00")
    assert shop.pay(much, amount="250.00")["amount"] == rub("250.00")
    assert shop.pay(foreign, currency="USD")["amount"] == {"value": "199.00", "currency": "USD"}
    assert shop.set(foreign, test=False)["test"] is False
    held = api.create()["id"]
    assert shop.pay(held, hold=True)["status"] == "waiting_for_capture", "although it was to be captured"
    assert api("POST", f"/payments/{held}/capture", {}).json()["status"] == "succeeded"


def test_it_can_be_down_for_a_day(api, shop):
    shop.down(DAY_S)
    with pytest.raises(requests.ConnectionError):
        api("POST", "/payments", ASKED)
    shop.forward(DAY_S - 1)
    with pytest.raises(requests.ConnectionError):
        api("GET", "/me")
    shop.forward(1)
    assert api("GET", "/me").status_code == 200
    assert shop.payments() == []


def test_an_unknown_trouble_is_an_error(shop):
    with pytest.raises(ValueError, match="no 'sunshine'; known:.*'500'"):
        shop.trouble("create", "sunshine")
    with pytest.raises(ValueError, match="known:"):
        shop.trouble("callback", "500")


# --- Crypto Pay: invoices -----------------------------------------------------------------------------------------

BILL = {"currency_type": "fiat", "fiat": "RUB", "amount": "199.00", "payload": "77:812", "expires_in": 3600}


class CryptoClient:
    """An app's program."""

    def __init__(self, url):
        self.url = url

    def ask(self, name, token=cryptopay.TOKEN, method="POST", **more):
        """Call a method; return the answer."""
        headers = {"Crypto-Pay-API-Token": token}
        return requests.request(method, f"{self.url}/{name}", headers=headers, timeout=more.pop("timeout", 10), **more)

    def __call__(self, name, **params):
        """Call a method and return its result."""
        answer = self.ask(name, json=params)
        assert answer.status_code == 200 and answer.json()["ok"], answer.text
        return answer.json()["result"]

    def refused(self, name, **params):
        """Call a method that is refused; return (code, name) of the error."""
        answer = self.ask(name, json=params)
        body = answer.json()
        assert not body["ok"] and answer.status_code == body["error"]["code"], answer.text
        return answer.status_code, body["error"]["name"]

    def create(self, **changes):
        """Make an invoice and return its object."""
        return self("createInvoice", **BILL | changes)

    def read(self, number):
        """Return an invoice as it is listed."""
        return self("getInvoices", invoice_ids=str(number))["items"][0]


@pytest.fixture
def app(cryptopay_app):
    cryptopay_app.freeze(NOW)
    return cryptopay_app


@pytest.fixture
def crypto(cryptopay_server, app):
    return CryptoClient(cryptopay_server.url)


def test_an_invoice_begins_active_with_three_links(crypto, cryptopay_server):
    made = crypto.create(description="Top-up")
    assert (made["status"], made["currency_type"], made["fiat"], made["payload"]) == ("active", "fiat", "RUB", "77:812")
    assert made["amount"] == "199", "in another spelling: amounts are compared as numbers"
    assert (made["created_at"], made["expiration_date"]) == ("2026-11-02T10:00:00.000Z", "2026-11-02T11:00:00.000Z")
    links = {made[name] for name in ("bot_invoice_url", "mini_app_invoice_url", "web_app_invoice_url")}
    assert len(links) == 3 and all(link.startswith(cryptopay_server.origin) for link in links)
    assert crypto.read(made["invoice_id"]) == made
    assert crypto.create()["invoice_id"] == made["invoice_id"] + 1, "nothing makes a repeat the same one"


def test_calls_come_as_query_form_or_json(crypto):
    for more in (
        {"method": "GET", "params": BILL},
        {"data": BILL},
        {"json": BILL},
        {"files": {k: (None, str(v)) for k, v in BILL.items()}},
    ):
        answer = crypto.ask("createInvoice", **more)
        assert answer.json()["ok"], answer.text
        assert answer.json()["result"]["amount"] == "199"


def test_a_paid_invoice_says_in_what_and_at_what_rate(crypto, app):
    made = crypto.create()
    app.pay(asset="USDT", rate="91.2", fee=3)
    paid = crypto.read(made["invoice_id"])
    assert (paid["status"], paid["paid_asset"], paid["paid_amount"]) == ("paid", "USDT", "2.18201755")
    assert (paid["paid_fiat_rate"], paid["fee_asset"], paid["fee_amount"]) == ("91.2", "USDT", "0.06546053")
    assert paid["amount"] == "199" and paid["paid_at"] and paid["paid_anonymously"] is False
    usdt = next(one for one in crypto("getBalance") if one["currency_code"] == "USDT")
    assert usdt == {"currency_code": "USDT", "available": "2.11655702", "onhold": "0"}
    with pytest.raises(ValueError, match="the invoice is paid"):
        app.pay()


def test_an_invoice_expires_without_an_event(crypto, app, receiver):
    app.settings(callback_url=receiver.url)
    made = crypto.create()
    app.forward(HOUR_S - 1)
    assert crypto.read(made["invoice_id"])["status"] == "active"
    app.forward(1)
    assert crypto.read(made["invoice_id"])["status"] == "expired"
    assert received(receiver) == []
    assert app.pay()["status"] == "expired" and app.books()["1"]["returned"] == "199"
    assert app.pay(late="kept")["status"] == "paid"
    assert len(received(receiver)) == 1
    forever = crypto("createInvoice", asset="TON", amount="1.5")
    assert "expiration_date" not in forever and forever["currency_type"] == "crypto"


def test_an_active_invoice_can_be_deleted(crypto, app, receiver):
    app.settings(callback_url=receiver.url)
    gone, paid = crypto.create()["invoice_id"], crypto.create()["invoice_id"]
    app.pay(paid)
    assert crypto("deleteInvoice", invoice_id=gone) is True
    assert crypto("getInvoices", invoice_ids=f"{gone},{paid}")["items"][0]["invoice_id"] == paid
    assert crypto.refused("deleteInvoice", invoice_id=gone)[0] == 400
    assert crypto.refused("deleteInvoice", invoice_id=paid)[0] == 400
    with pytest.raises(ValueError, match="deleted"):
        app.pay(gone)
    app.send_callback(gone)
    assert [one["payload"]["invoice_id"] for one in received(receiver)] == [paid, gone]


@pytest.mark.parametrize(
    "changes",
    [
        {"currency_type": "barter"},
        {"fiat": "XTR"},
        {"fiat": None},
        {"asset": "USDT"},
        {"currency_type": "crypto"},
        {"amount": 199},
        {"amount": "0"},
        {"amount": "-1"},
        {"amount": "1e3"},
        {"amount": "199,00"},
        {"accepted_assets": "USDT,DOGE"},
        {"accepted_assets": ["USDT"]},
        {"swap_to": "DOGE"},
        {"description": "x" * 1025},
        {"hidden_message": "x" * 2049},
        {"payload": "ж" * 2049},
        {"expires_in": 0},
        {"expires_in": 2_678_401},
        {"expires_in": "soon"},
        {"expires_in": True},
        {"paid_btn_name": "openBot"},
        {"paid_btn_url": "https://t.me/some_bot"},
        {"paid_btn_name": "dance", "paid_btn_url": "https://t.me/some_bot"},
        {"allow_anonymous": "maybe"},
        {"amuont": "1"},
    ],
)
def test_a_wrong_bill_is_refused(crypto, app, changes):
    code, name = crypto.refused("createInvoice", **BILL | changes)
    assert code == 400 and name.isupper()
    assert app.payments() == []


def test_longest_texts_and_the_button_are_taken(crypto):
    button = {"paid_btn_name": "openBot", "paid_btn_url": "https://t.me/some_bot"}
    made = crypto.create(description="x" * 1024, hidden_message="x" * 2048, payload="x" * 4096, **button)
    assert made["paid_btn_url"] == button["paid_btn_url"] and len(made["payload"]) == 4096


def test_wrong_tokens_methods_and_a_suspended_app(crypto, app):
    unauthorized = {"ok": False, "error": {"code": 401, "name": "UNAUTHORIZED"}}
    for token in ("", "1:x", "токен".encode()):
        answer = crypto.ask("getMe", token=token)
        assert (answer.status_code, answer.json()) == (401, unauthorized)
    assert crypto.refused("getEverything") == (405, "METHOD_NOT_FOUND")
    assert crypto.ask("getMe", method="DELETE").status_code == 405
    assert crypto.ask("getMe", data="[]", json=None).status_code == 200
    assert crypto("getMe")["payment_processing_bot_username"] == "CryptoBot"
    app.settings(suspended=True)
    assert crypto.refused("getMe")[0] == 423
    app.settings(suspended=False)
    app.regenerate_token("7001:NEW")
    assert crypto.ask("getMe").status_code == 401 and crypto.ask("getMe", token="7001:NEW").status_code == 200


def test_invoices_are_listed_by_ids_status_and_pages(crypto, app):
    ids = [crypto.create(fiat=fiat)["invoice_id"] for fiat in ("RUB", "RUB", "EUR", "RUB")]
    app.pay(ids[0])
    app.expire(ids[1])

    def listed(**params):
        return [one["invoice_id"] for one in crypto("getInvoices", **params)["items"]]

    assert listed() == ids[::-1]
    assert listed(status="paid") == [ids[0]] and listed(status="active") == [ids[3], ids[2]]
    assert listed(fiat="EUR") == [ids[2]] and listed(asset="USDT") == []
    assert listed(invoice_ids=f"{ids[1]},{ids[0]},999") == [ids[1], ids[0]], "an expired one that is asked for comes"
    assert listed(count=2, offset=1) == [ids[2], ids[1]]
    for wrong in (
        {"status": "expired"},
        {"count": 1001},
        {"count": 0},
        {"offset": -1},
        {"invoice_ids": "x"},
        {"page": 2},
    ):
        assert crypto.refused("getInvoices", **wrong)[0] == 400, wrong


def test_the_test_net_has_an_asset_of_its_own(crypto, app):
    assert crypto.refused("createInvoice", asset="JET", amount="1")[0] == 400
    app.settings(testnet=True)
    assert crypto("createInvoice", asset="JET", amount="1")["asset"] == "JET"
    assert "JET" in crypto.create()["accepted_assets"]


def test_a_payer_can_be_anonymous_pay_otherwise_and_in_another_asset(crypto, app):
    little, much, other, odd = (crypto.create(accepted_assets="USDT,TON")["invoice_id"] for _ in range(4))
    assert app.pay(little, amount="150.00", anonymous=True)["amount"] == "150"
    assert crypto.read(little)["paid_anonymously"] is True
    assert app.pay(much, amount="250.00", asset="TON")["paid_asset"] == "TON"
    assert app.pay(other, asset="BTC")["paid_asset"] == "BTC"
    assert app.pay(odd, paid_amount="0.01", currency="EUR") | {"fiat": "EUR"} == crypto.read(odd)
    assert crypto.read(odd)["paid_amount"] == "0.01"


# --- Crypto Pay: transfers, rates ---------------------------------------------------------------------------------

SENT = {"user_id": 5000000001, "asset": "USDT", "amount": "2", "spend_id": "refund:812"}


def test_a_transfer_needs_the_switch_the_money_and_a_new_id(crypto, app):
    crypto.create(amount="1000.00")
    app.pay()
    assert crypto.refused("transfer", **SENT) == (403, "METHOD_DISABLED")
    app.settings(transfer=True)
    made = crypto("transfer", **SENT | {"comment": "Refund"})
    assert (made["status"], made["spend_id"], made["amount"], made["comment"]) == (
        "completed",
        "refund:812",
        "2",
        "Refund",
    )
    assert crypto.refused("transfer", **SENT)[0] == 400, "the same id once"
    assert crypto("getTransfers", spend_id="refund:812")["items"] == [made]
    assert crypto("getTransfers", spend_id="other")["items"] == []
    assert crypto("getTransfers", asset="USDT", transfer_ids="1", count=1)["items"] == [made]
    app.settings(strangers=[SENT["user_id"]])
    for wrong in (
        {"amount": "20"},
        {"amount": "0.5"},
        {"amount": "30000"},
        {"asset": "DOGE"},
        {"spend_id": ""},
        {"spend_id": "x" * 65},
        {"user_id": "me"},
        {"user_id": SENT["user_id"]},
        {"comment": "x" * 1025},
    ):
        assert crypto.refused("transfer", **SENT | {"spend_id": "new", "user_id": 5000000002} | wrong)[0] == 400, wrong
    assert len(app.transfers()) == 1


def test_a_dropped_transfer_has_happened(crypto, app):
    crypto.create(amount="1000.00")
    app.pay()
    app.settings(transfer=True)
    app.trouble("transfer", "drop")
    with pytest.raises(requests.ConnectionError):
        crypto.ask("transfer", json=SENT)
    assert crypto.refused("transfer", **SENT)[0] == 400
    assert len(crypto("getTransfers", spend_id=SENT["spend_id"])["items"]) == 1


def test_coins_can_be_sent_behind_the_apps_back(crypto, app):
    crypto.create(amount="1000.00")
    app.pay()
    app.transfer(user_id=SENT["user_id"], asset="USDT", amount="1")
    assert crypto("getTransfers")["items"][0]["spend_id"] == "by-hand-0"


def test_some_exchange_rates_are_not_valid(crypto, app):
    rates = {(one["source"], one["target"]): one for one in crypto("getExchangeRates")}
    assert rates["USDT", "RUB"]["rate"] == "91.2" and rates["USDT", "RUB"]["is_valid"]
    assert not rates["BNB", "RUB"]["is_valid"]
    crypto.create()
    app.pay()
    assert crypto("getStats")["paid_invoice_count"] == 1


# --- Crypto Pay: callbacks ----------------------------------------------------------------------------------------


def test_a_callback_is_signed_over_its_raw_bytes(crypto, app, receiver):
    app.settings(callback_url=receiver.url)
    crypto.create(payload="ключ")
    paid = app.pay()
    headers, content = receiver.got.get_nowait()
    key = hashlib.sha256(cryptopay.TOKEN.encode()).digest()
    assert headers["crypto-pay-api-signature"] == hmac.new(key, content, hashlib.sha256).hexdigest()
    body = json.loads(content)
    assert (body["update_type"], body["payload"]) == ("invoice_paid", paid)
    assert (body["update_id"], body["request_date"]) == (1, "2026-11-02T10:00:00.000Z")


def test_the_signature_has_the_value_worked_out_by_hand():
    body = b'{"update_id":1,"update_type":"invoice_paid"}'
    assert sign("12345:AAtestTOKEN", body) == "46d8bd4f06c910c4e09cae0dfc2e9c213206bbed0f64008ff7542cf2f54a02d7"


def test_a_callback_is_tried_17_times_in_3_days_and_then_no_more(crypto, app, receiver):
    assert len(waits()) == 16 and sum(waits()) == pytest.approx(3 * DAY_S)
    app.settings(callback_url="http://127.0.0.1:1/")
    crypto.create()
    app.pay()
    app.forward(3 * DAY_S - 1)
    assert len(app.callbacks()[0]["tries"]) == 16 and app.settings()["callbacks_on"]
    app.forward(30 * DAY_S)
    assert len(app.callbacks()[0]["tries"]) == 17
    assert not app.settings()["callbacks_on"], "off for good, until the owner switches it on"
    app.settings(callback_url=receiver.url)
    crypto.create()
    app.pay()
    assert received(receiver) == []
    app.settings(callbacks_on=True)
    crypto.create()
    app.pay()
    assert len(received(receiver)) == 1


def test_any_2xx_takes_a_callback(crypto, app, receiver):
    app.settings(callback_url=receiver.url)
    for status in (500, 204):
        receiver.answers.put(status)
    crypto.create()
    app.pay()
    app.forward(DAY_S)
    assert [one["status"] for one in app.callbacks()[0]["tries"]] == [500, 204]


def test_signatures_can_be_spoilt(crypto, app, receiver):
    app.settings(callback_url=receiver.url)
    app.regenerate_token(cryptopay.TOKEN + "2")
    seen = {}
    for kind in (
        "",
        "wrong-signature",
        "no-signature",
        "upper-signature",
        "other-body-signature",
        "old-token-signature",
    ):
        requests.post(
            f"{crypto.url}/createInvoice", json=BILL, headers={"Crypto-Pay-API-Token": cryptopay.TOKEN + "2"}, timeout=5
        )
        if kind:
            app.trouble("callback", kind)
        app.pay()
        headers, content = receiver.got.get_nowait()
        given, good = headers["crypto-pay-api-signature"], sign(cryptopay.TOKEN + "2", content)
        seen[kind] = given
        assert (given == good) == (not kind), kind
        if kind == "upper-signature":
            assert given == good.upper()
        if kind == "old-token-signature":
            assert given == sign(cryptopay.TOKEN, content)
    assert seen["no-signature"] is None
    body, headers = app.message(signature="wrong-signature", changes={"invoice_id": 999})
    assert json.loads(body)["payload"]["invoice_id"] == 999 and headers["crypto-pay-api-signature"] == "0" * 64


def test_callbacks_come_twice_late_early_and_with_the_same_number(crypto, app, receiver):
    app.settings(callback_url=receiver.url)
    app.trouble("callback", "early")
    assert crypto.create()["status"] == "active"
    assert received(receiver)[0]["payload"]["status"] == "paid"
    crypto.create()
    app.trouble("callback", "same-update-id")
    app.pay(callback="twice")
    assert [one["update_id"] for one in received(receiver)] == [1, 1]
    crypto.create()
    app.pay(callback="late")
    assert received(receiver) == []
    app.forward(23 * HOUR_S)
    assert len(received(receiver)) == 1


# --- Crypto Pay: bad days -----------------------------------------------------------------------------------------


def test_a_dropped_create_has_left_an_invoice_behind(crypto, app):
    app.trouble("create", "drop")
    with pytest.raises(requests.ConnectionError):
        crypto.ask("createInvoice", json=BILL)
    assert [one["payload"] for one in crypto("getInvoices", status="active")["items"]] == ["77:812"]


@pytest.mark.parametrize("kind", ["401", "403", "429", "500", "502", "503", "cut", "text", "ok-400", "not-ok-200"])
def test_no_bad_answer_looks_good(crypto, app, kind):
    app.trouble("create", kind)
    answer = crypto.ask("createInvoice", json=BILL)
    try:
        is_good = answer.status_code == 200 and answer.json()["ok"]
    except requests.JSONDecodeError:
        is_good = False
    assert not is_good
    assert len(app.payments()) == (kind in ("cut", "text", "ok-400", "not-ok-200"))


def test_invoices_can_differ_from_what_was_asked(crypto, app):
    number = crypto.create()["invoice_id"]
    app.pay()
    paid = crypto.read(number)
    for kind in ("stale", "wrong-amount", "wrong-currency", "wrong-id", "wrong-payload", "null-payload", "null-fiat",
                 "no-paid-amount", "unknown-status", "extra-keys"):  # fmt: skip
        app.trouble("list", kind)
        assert crypto.read(number) != paid, kind
    app.trouble("list", "empty-items")
    assert crypto("getInvoices", invoice_ids=str(number)) == {"items": []}
    assert crypto.read(number) == paid


def test_an_apps_file_outlives_a_restart(tmp_path):
    first = cryptopay.start(state_path=tmp_path / "app.json")
    made = CryptoClient(first.url).create()
    first.stop()
    second = cryptopay.start(state_path=tmp_path / "app.json")
    again = CryptoClient(second.url).read(made["invoice_id"])
    assert again["bot_invoice_url"].startswith(second.origin) and again["payload"] == made["payload"]
    assert CryptoClient(second.url).create()["invoice_id"] == made["invoice_id"] + 1
    second.stop()


# --- both ---------------------------------------------------------------------------------------------------------


def test_calls_are_kept_without_the_secret(api, shop):
    api.create(key="k-1")
    call = shop.calls("/payments")[0]
    assert (call["method"], call["key"], call["user"], call["status"]) == ("POST", "k-1", yookassa.SHOP_ID, 200)
    assert call["body"] == ASKED
    assert yookassa.SECRET_KEY not in json.dumps(shop.calls())


def test_its_clock_follows_a_bots_or_is_off_by_an_hour(servers, shop, app):
    clock = FrozenClock(*servers)
    clock.follow(shop)
    clock.follow(app, ahead_s=HOUR_S)
    clock.forward(60)
    assert shop.now() == clock.now().timestamp()
    assert app.now() == clock.now().timestamp() + HOUR_S


def test_other_sites_pages_can_do_nothing(yookassa_server, api):
    api.create()
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}, {"Origin": "null"}):
        answer = requests.get(f"{yookassa_server.origin}/control/payments", headers=headers, timeout=5)
        assert answer.status_code == 403


def test_what_is_kept_in_a_file_outlives_a_restart(tmp_path):
    path = tmp_path / "shop.json"
    first = yookassa.start(state_path=path)
    made = Client(first.url).create(key="k-1")
    first.stop()
    second = yookassa.start(state_path=path)
    assert second.origin == first.origin, "links that are out there lead to it again"
    assert Client(second.url).create(key="k-1") == made
    second.stop()
    with socket.create_server(("127.0.0.1", second.port)):
        third = yookassa.start(state_path=path)
    again = Client(third.url).read(made["id"])
    assert again["confirmation"]["confirmation_url"] == f"{third.origin}/pay/{made['id']}" != made["confirmation"]
    third.stop()
    for spoilt in ("{", "[1]", '{"world": {}, "port": 1}'):
        path.write_text(spoilt)
        with pytest.raises(ValueError, match="is no state file"):
            yookassa.start(state_path=path)
        assert path.read_text() == spoilt


def test_callbacks_that_wait_outlive_a_restart(tmp_path, receiver):
    path = tmp_path / "shop.json"
    first = yookassa.start(state_path=path, callback_url=receiver.url)
    YooKassaControl(first.url).freeze(NOW)
    Client(first.url).create()
    receiver.answers.put(500)
    YooKassaControl(first.url).pay()
    first.stop()
    second = yookassa.start(state_path=path, callback_url=receiver.url)
    YooKassaControl(second.url).freeze(NOW + 10)
    assert [one["event"] for one in received(receiver)] == ["payment.succeeded"] * 2
    second.stop()


@pytest.mark.parametrize(("module", "names"), [("yookassa", 3), ("cryptopay", 2)])
def test_each_runs_alone_and_says_what_a_bot_needs(module, names):
    command = [sys.executable, "-m", f"demo.providers.{module}"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        found = dict(process.stdout.readline().strip().split("=", 1) for _ in range(names))
        url = found[f"{module.upper()}_API_URL"]
        if module == "yookassa":
            auth = (found["YOOKASSA_SHOP_ID"], found["YOOKASSA_SECRET_KEY"])
            assert requests.get(f"{url}/me", auth=auth, timeout=5).json()["status"] == "enabled"
        else:
            assert CryptoClient(url).ask("getMe", token=found["CRYPTOPAY_TOKEN"]).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
