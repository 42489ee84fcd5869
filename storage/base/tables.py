"""The tables of the core. Amounts are minor units (kopecks); Telegram ids are 64 bits wide.

`User.id` is the internal id that money, jobs and audit rows refer to; the Telegram id and names are only in
`User`, so they can be erased without touching the books.
"""

from typing import Any, Self, TypedDict, overload

from peewee import (
    SQL,
    BigIntegerField,
    BlobField,
    BooleanField,
    Check,
    CompositeKey,
    ForeignKeyField,
    IntegerField,
    SmallIntegerField,
)
from peewee import fn as fn  # of `core.tables`

from storage.base.db import IdField, JSONField, Table, TextField, UtcField, connection
from storage.base.states import (
    BroadcastState,
    DifferenceState,
    JobState,
    LetterState,
    OutboxState,
    RecipientState,
    TopUpState,
)  # fmt: skip


class Media(TypedDict):
    """A file that Telegram keeps."""

    kind: str  # photo, video, audio, document …
    file_id: str
    message_id: int  # the message it was sent in; not of a proof


class Proof(Media):
    """A transfer's screenshot."""

    unique_id: str  # Telegram's file_unique_id: the same for every copy of a file


class Result(TypedDict, total=False):
    """What a task has made, as KIE tells it."""

    urls: list[str]
    text: str | None
    tracks: list[dict[str, Any]]  # of music, in the order of `urls`: {"id", "title", "seconds"}
    persona_id: str


class Person(Table):
    """The human being a limit, a ban or a debt belongs to, even after an erasure: only a keyed hash of the Telegram id."""

    hash = TextField(primary_key=True)
    banned = BooleanField(default=False)
    sales_paused = BooleanField(default=False)


class Once(Table):
    """Something a person gets only once and has had, such as the welcome gift."""

    person = ForeignKeyField(Person)
    person_id: str
    what = TextField()

    class Meta:
        primary_key = CompositeKey("person", "what")


class User(Table):
    """An account of a person. `lang` is what they chose; until then `language_code`, Telegram's hint, decides."""

    id = IdField()
    telegram_id = BigIntegerField(null=True, unique=True)
    first_name = TextField(default="")
    username = TextField(null=True, index=True)
    language_code = TextField(null=True)
    lang = TextField(null=True)
    utc_offset = SmallIntegerField(null=True)  # minutes; null: the operator's time zone
    code = TextField(unique=True)  # opaque, in the invitation link
    banned = BooleanField(default=False)  # by an admin
    blocked_bot = BooleanField(default=False)  # the person blocked the bot
    sales_paused = BooleanField(default=False)  # after a forced debit, until an admin decides
    role = TextField(null=True)  # admin, cashier, support; owners are the ADMIN_IDS of the settings
    born_of = BigIntegerField(null=True)  # update_id of the update that created the row
    created_at = UtcField(index=True)
    seen_at = UtcField(index=True)
    person = TextField(null=True, index=True, constraints=[SQL('REFERENCES "person" ("hash")')])  # stays when erased

    in_dialogue = True  # whether a draft listens for their input; set by `users.seen`

    class Meta:
        depends_on = (Person,)


class Account(Table):
    """A user's balance: the sum of their entries, written by `ledger.post` alone.

    `debt` is what was written off and not recovered: the sum of `writeoff` and `recovery` entries.
    """

    user = ForeignKeyField(User, primary_key=True)
    user_id: int
    balance = BigIntegerField(default=0, constraints=[Check("balance >= 0")])
    debt = BigIntegerField(default=0, constraints=[SQL("DEFAULT 0"), Check("debt >= 0")])


class Words(Table):
    """The free text of a row, kept apart so that it can be erased; the row itself has only the salted digest."""

    digest = TextField(primary_key=True)
    user = ForeignKeyField(User, null=True)  # the person they are about: erased together with them
    user_id: int | None
    text = TextField()
    salt = TextField()


class Said:
    """The free text of a row, looked up by its `digest`; None if there is none, or if it was erased."""

    @overload
    def __get__(self, row: None, model: type) -> Self: ...

    @overload
    def __get__(self, row: Any, model: type) -> str | None: ...

    def __get__(self, row: Any, model: type | None = None) -> Self | str | None:
        if row is None:
            return self
        if row.digest is None:
            return None
        with connection():
            text: str | None = Words.select(Words.text).where(Words.digest == row.digest).tuples().scalar()
            return text

    def __set__(self, row: Any, text: str) -> None:
        raise AttributeError("words are kept by storage.journal.erasable_text.keep; the row holds their digest")


class Entry(Table):
    """One movement of money. Append-only: triggers refuse UPDATE and DELETE."""

    id = IdField()
    user = ForeignKeyField(User)
    user_id: int
    amount = BigIntegerField()
    kind = TextField()
    key = TextField(unique=True)
    ref = TextField(null=True)
    actor = ForeignKeyField(User, null=True, backref="acts")
    actor_id: int | None
    digest = TextField(null=True)  # of the reason
    created_at = UtcField(index=True)

    reason = Said()

    class Meta:
        indexes = ((("user", "id"), False),)


Entry.add_index(
    SQL("CREATE INDEX entry_credit ON entry (created_at, user_id) WHERE kind IN ('topup', 'stars') AND amount > 0")
)


class Source(Table):
    """The origin of an entry that no other row accounts for; append-only like the entry it was written with.

    For gifts, bonuses, payments other than Stars and transfers, and corrections made by the program itself.
    """

    key = TextField(primary_key=True)  # the entry's
    user = ForeignKeyField(User)
    user_id: int
    kind = TextField()
    amount = BigIntegerField()
    created_at = UtcField()


class Seal(Table):
    """A minute of the books, closed for good: a hash over its entries and acts and the previous seal; append-only.

    The predecessor is unique, so two leaders cannot continue from the same seal.
    """

    id = IdField()  # 1, 2, 3 … without a gap
    entry = BigIntegerField()  # the last entry and the last act it covers
    act = BigIntegerField()
    previous = TextField(unique=True)  # the hash of the previous seal; zeros for the first
    hash = TextField()
    made_at = UtcField()


class Closing(Table):
    """The entries up to `entry` are summed for good, by the quarter of an hour (`storage/money/closings.py`); append-only like its sums."""

    id = IdField()  # 1, 2, 3 … without a gap
    entry = BigIntegerField()  # the last one it covers; the first is the one after the previous closing's
    made_at = UtcField()


class EntrySum(Table):
    """The entries of one closing that were written in one quarter of an hour, of one kind."""

    quarter = IntegerField()  # of an hour, since 1970
    kind = TextField()
    closing = ForeignKeyField(Closing)
    closing_id: int
    entries = IntegerField()
    amount = BigIntegerField()

    class Meta:
        primary_key = CompositeKey("quarter", "kind", "closing")


class OrderSum(Table):
    """The orders that ended in one closing, by the quarter of an hour they were made in, their model and how they ended."""

    quarter = IntegerField()
    model = TextField()
    state = TextField()  # a final JobState
    closing = ForeignKeyField(Closing)
    closing_id: int
    orders = IntegerField()
    charged = BigIntegerField()
    cost = BigIntegerField()  # of those that succeeded; another's may still change (`jobs.arrive_late`)

    class Meta:
        primary_key = CompositeKey("quarter", "model", "state", "closing")


class OutcomeSum(Table):
    """The orders that ended in one closing, by the quarter they ended in; all but `ended` is of those that succeeded."""

    quarter = IntegerField()
    closing = ForeignKeyField(Closing)
    closing_id: int
    ended = IntegerField()
    succeeded = IntegerField()
    charged = BigIntegerField()
    cost = BigIntegerField()
    overruns = IntegerField()
    overrun = BigIntegerField()
    times = TextField()  # how many took how many seconds, as '{"41": 3, "42": 17}'

    class Meta:
        primary_key = CompositeKey("quarter", "closing")


class Draft(Table):
    """An open dialogue or order form, one per user and plugin. `version` is the quote's id within the draft."""

    id = IdField()
    user = ForeignKeyField(User)
    user_id: int
    plugin = TextField()
    model = TextField(null=True)
    data = JSONField(default=dict)
    version = IntegerField(default=1)
    price = BigIntegerField(null=True)
    step = TextField(null=True)  # the input it listens for, e.g. "generate:prompt"; only one of a user's drafts listens
    message_id = BigIntegerField(null=True)  # the message that shows it
    expires_at = UtcField(index=True)

    class Meta:
        indexes = ((("user", "plugin"), True),)


class Job(Table):
    """One order of a user, with its hold and its state; see `storage/orders/jobs.py` for the arrows."""

    id = IdField()
    user = ForeignKeyField(User)
    user_id: int
    model = TextField()
    inputs = JSONField()
    price = BigIntegerField(constraints=[Check("price >= 0")])
    charged = BigIntegerField(null=True)
    cost = BigIntegerField(null=True)  # what KIE took, in millionths of a credit
    state = TextField(default=JobState.QUEUED)  # `storage/base/states.py` has all states
    quote = TextField(unique=True)  # "<draft>.<version>": a second tap on the same quote finds the existing job
    secret = TextField(unique=True)  # the unguessable part of its callback address
    task_id = TextField(null=True, index=True)
    reason = TextField(null=True)  # why it failed: one word of ours
    detail = TextField(null=True)  # KIE's own words, for admins and logs
    result = JSONField(null=True)  # {"urls": [...], "text": ...}
    tries = SmallIntegerField(default=0)  # attempts at preparing it, counted before each; 0 again once it was prepared
    submit_at = UtcField()
    submitted_at = UtcField(null=True)
    deadline_at = UtcField(null=True)
    finished_at = UtcField(null=True)
    usual_s = IntegerField(default=60)
    progress_id = BigIntegerField(null=True)  # the "in progress" message
    progress_at = UtcField(null=True)
    delivery = TextField(null=True)  # a DeliveryState, from the result on
    delivery_tries = SmallIntegerField(default=0)
    deliver_at = UtcField(null=True)
    sent = JSONField(null=True)  # [{"kind", "file_id"}] as Telegram stored them
    created_at = UtcField()
    claimed_by = TextField(null=True)  # the copy that asks KIE about it while it runs (`storage/orders/claims.py`)
    lease_until = UtcField(null=True)
    # creates that KIE refused for now, or that did not reach it
    refusals = SmallIntegerField(default=0, constraints=[SQL("DEFAULT 0")])
    expected = BigIntegerField(null=True)  # what KIE should take according to the catalogue, in millionths of a credit
    grown: "Revision | None"  # what it was made from, kept by `revisions.of`
    overrun = BigIntegerField(null=True)  # what KIE took beyond what the price or the catalogue covers, minor units
    topic = BigIntegerField(null=True)  # of a question to a chat model: the first question of its conversation
    chat_id = BigIntegerField(null=True)  # the group it was ordered in, where its result goes; null: the private chat
    reply_to = BigIntegerField(null=True)  # the message there that asked for it
    thread_id = BigIntegerField(null=True)  # the topic there

    class Meta:
        indexes = (
            (("user", "id"), False),
            (("user", "created_at"), False),
            (("user", "submitted_at"), False),
            (("created_at",), False),
            (("state", "submit_at"), False),
            (("delivery", "deliver_at"), False),
            (("progress_at",), False),
        )


Job.add_index(SQL("CREATE INDEX job_topic ON job (topic) WHERE topic IS NOT NULL"))
Job.add_index(SQL("CREATE INDEX job_wasted ON job (finished_at) WHERE state <> 'succeeded' AND cost > 0"))
Job.add_index(SQL("CREATE INDEX job_wasted_made ON job (created_at) WHERE state <> 'succeeded' AND cost > 0"))


class Revision(Table):
    """An order that was made from an earlier result: which one, and its place in the tree (`storage/orders/revisions.py`)."""

    job = ForeignKeyField(Job, primary_key=True, backref="revision")
    job_id: int
    root = ForeignKeyField(Job, backref="tree")  # the first order of the tree, which has no row here
    root_id: int
    parent = ForeignKeyField(Job, backref="children")  # whose result it was made from
    parent_id: int
    part = SmallIntegerField()  # which of that order's results, from 0
    number = IntegerField(null=True, constraints=[Check("number > 1")])  # the n-th version; null: it came to nothing

    class Meta:
        indexes = ((("root", "number"), True),)


class ResultMessage(Table):
    """A message that shows a result, so that a reply to it is about that result (`storage/orders/result_messages.py`)."""

    chat_id = BigIntegerField()
    message_id = BigIntegerField()
    user = ForeignKeyField(User)  # whose result it is
    user_id: int
    job = ForeignKeyField(Job)
    job_id: int
    part = SmallIntegerField(null=True)  # which of its results, from 0; null: all of them

    class Meta:
        primary_key = CompositeKey("chat_id", "message_id")


class TopUp(Table):
    """One payment to us: an invoice or a transfer request, from its first screen to its end."""

    id = IdField()
    user = ForeignKeyField(User)
    user_id: int
    method = TextField()
    amount = BigIntegerField(constraints=[Check("amount > 0")])
    stars = BigIntegerField(null=True)
    state = TextField(default=TopUpState.NEW)
    proof = JSONField(null=True)  # {"file_id", "unique_id", "kind"}
    proof_id = TextField(null=True, index=True)  # the picture's file_unique_id, to notice a picture used before
    credited = BigIntegerField(null=True)
    decided_by = ForeignKeyField(User, null=True, backref="decisions")
    decided_by_id: int | None
    digest = TextField(null=True)  # of the reason
    submitted_at = UtcField(null=True)
    reminded = BooleanField(default=False)  # whether the staff was reminded of it, which happens once
    created_at = UtcField()
    decided_at = UtcField(null=True)

    reason = Said()

    class Meta:
        indexes = ((("user", "id"), False), (("state", "id"), False))


TopUp.add_index(SQL("CREATE UNIQUE INDEX top_up_one_pending ON top_up (user_id) WHERE state = 'pending'"))


class Sketch(Table):
    """A tiny grey version of a request's screenshot, to recognise a reused picture (`plugins/payments/transfer.py`)."""

    topup = ForeignKeyField(TopUp, primary_key=True)
    topup_id: int
    pixels = BlobField()


class Charge(Table):
    """One payment in Stars; its charge id ensures that it is credited once."""

    charge_id = TextField(primary_key=True)
    topup = ForeignKeyField(TopUp)
    topup_id: int
    user = ForeignKeyField(User)
    user_id: int
    stars = BigIntegerField()
    refund = TextField(null=True, index=True)  # a RefundState
    listed = BooleanField(default=False)  # Telegram's list of transactions has it
    created_at = UtcField()
    payer = BigIntegerField(null=True)  # the Telegram id, for a while after its erasure (`storage/people/privacy.py`)
    credited = BigIntegerField(null=True)  # what its entry says, minor units

    credit: Entry  # joined by `payments.charges_with_credit` alone

    class Meta:
        indexes = ((("user", "created_at"), False),)


class Checkout(Table):
    """An accepted pre-checkout: the charge it leads to is credited `amount`, whatever the rate is by then."""

    query_id = TextField(primary_key=True)  # Telegram's pre_checkout_query
    topup = ForeignKeyField(TopUp)
    topup_id: int
    user = ForeignKeyField(User)
    user_id: int
    amount = BigIntegerField(constraints=[Check("amount > 0")])
    stars = BigIntegerField()
    answered = BooleanField(default=False)  # Telegram has our yes: the invoice cannot be used again
    charge_id = TextField(null=True, unique=True)  # of the payment; null until it comes
    accepted_at = UtcField(index=True)


class ProviderPayment(Table):
    """A top-up at a payment provider: what it was asked for and what it has said (`storage/money/provider_payments.py`)."""

    topup = ForeignKeyField(TopUp, primary_key=True)
    topup_id: int
    provider = TextField()
    account = TextField()  # the shop it was made at, as the provider calls it
    way = TextField()  # of the provider's: card, SBP …; empty: the payer chooses there
    test = BooleanField()  # made at a test shop: no real money
    currency = TextField()
    tag = TextField()  # what the provider keeps for us: the bot and the number of the top-up
    key = TextField(unique=True)  # makes the create idempotent, where the provider knows such keys
    body = TextField()  # of the create, byte for byte
    external_id = TextField(null=True)  # the provider's own
    url = TextField(null=True)  # where it is paid
    state = TextField()  # a ProviderState
    trouble = TextField(null=True)  # what did not fit, one word: amount, currency, test, account, tag
    received = BigIntegerField(null=True)  # what the provider says has come, minor units
    said = TextField(null=True)  # its last word
    details = JSONField(null=True)  # what a refund needs, as the provider told it
    listed = BooleanField(default=False)  # the provider's list has it
    screen = BigIntegerField(null=True)  # the message with the link
    looks = IntegerField(default=0)  # grows with every call about it, which is counted before it is made
    looked_at = UtcField(null=True)
    look_at = UtcField(null=True)  # of the next call; null: only a callback or the daily list brings news
    expires_at = UtcField()
    paid_at = UtcField(null=True)
    created_at = UtcField()

    class Meta:
        indexes = ((("provider", "external_id"), True), (("provider", "look_at"), False))


class ProviderRefund(Table):
    """A refund of a payment by a provider, the whole or a part (`storage/money/provider_refunds.py`)."""

    id = IdField()
    topup = ForeignKeyField(TopUp)
    topup_id: int
    amount = BigIntegerField(constraints=[Check("amount > 0")])
    key = TextField(unique=True)  # makes it idempotent at the provider
    outside = BooleanField()  # made at the provider, not here
    state = TextField()  # a RefundState
    external_id = TextField(null=True)
    said = TextField(null=True)  # the provider's last word
    looks = IntegerField(default=0)
    look_at = UtcField(null=True)  # of the next call
    created_at = UtcField()


ProviderRefund.add_index(
    SQL("CREATE UNIQUE INDEX provider_refund_one_asked ON provider_refund (topup_id) WHERE state = 'asked'")
)


class Bonus(Table):
    """A bonus earned by a payment; it is taken back with that payment (`storage/money/bonuses.py`)."""

    id = IdField()
    user = ForeignKeyField(User)  # who gets it
    user_id: int
    kind = TextField()  # of its entry: referral, promo, bonus
    amount = BigIntegerField(constraints=[Check("amount > 0")])
    key = TextField(unique=True)  # of its entry
    origin = TextField(index=True)  # the key of the payment's entry
    topup = ForeignKeyField(TopUp)
    topup_id: int
    state = TextField()  # a BonusState
    due_at = UtcField()  # when it may be spent
    created_at = UtcField()

    class Meta:
        indexes = ((("user", "kind"), False), (("state", "due_at"), False))


class Sale(Table):
    """Something that a plugin has sold (`storage/money/sales.py`)."""

    id = IdField()
    user = ForeignKeyField(User)
    user_id: int
    plugin = TextField()
    what = TextField()  # the key of the text that names it
    amount = BigIntegerField(constraints=[Check("amount > 0")])
    key = TextField(unique=True)  # the plugin's name and its own key
    state = TextField()  # a SaleState
    created_at = UtcField()
    returned_at = UtcField(null=True)


class Referral(Table):
    """Who invited whom: one permanent row per invited person. `paid` is the share that was promised, once."""

    invited = ForeignKeyField(User, primary_key=True, backref="invitation")
    invited_id: int
    inviter = ForeignKeyField(User, backref="invitations")
    inviter_id: int
    paid = BigIntegerField(null=True)
    created_at = UtcField()

    class Meta:
        constraints = [Check("invited_id <> inviter_id")]


class Inbox(Table):
    """An update, kept until it has been handled, so that Telegram may forget it."""

    update_id = BigIntegerField(primary_key=True)
    lane = BigIntegerField()
    body = TextField()
    attempts = SmallIntegerField(default=0)
    aside = BooleanField(default=False)  # poison: kept for the admin, never handled again
    received_at = UtcField()
    claimed_by = TextField(null=True)  # the copy that handles it (`storage/orders/claims.py`); unused by a single copy
    lease_until = UtcField(null=True)

    class Meta:
        indexes = ((("lane", "update_id"), False),)


class Outbox(Table):
    """A message that must arrive, kept until Telegram has answered. Rows with a `ref` stay, to be edited later."""

    id = IdField()
    key = TextField(unique=True)
    user = ForeignKeyField(User, null=True)  # none: a post to a chat of no user, in the default language
    user_id: int | None
    chat_id = BigIntegerField(null=True)  # the staff's group instead of the user, in the user's language
    text = TextField()  # text key
    values = JSONField(default=dict)
    buttons = JSONField(default=list)
    media = JSONField(null=True)  # {"kind", "file_id"}
    ref = TextField(null=True, index=True)
    state = TextField(default=OutboxState.PENDING)
    message_id = BigIntegerField(null=True)
    tries = SmallIntegerField(default=0)
    send_at = UtcField()

    class Meta:
        indexes = ((("state", "send_at"), False),)


class Fact(Table):
    """An event: something that happened, committed with its cause; listeners run after it, at least once."""

    id = IdField()
    kind = TextField()
    data = JSONField()
    tries = SmallIntegerField(default=0)
    run_at = UtcField(index=True)


class FactDone(Table):
    """A mark that a listener has handled an event, written in the transaction of its effects."""

    fact_id = BigIntegerField()
    listener = TextField()

    class Meta:
        primary_key = CompositeKey("fact_id", "listener")


class Stored(Table):
    """A setting changed from the chat; it wins over the environment."""

    name = TextField(primary_key=True)
    value = TextField()
    actor = ForeignKeyField(User, null=True)
    actor_id: int | None
    updated_at = UtcField()


class OwnText(Table):
    """A text in the operator's own words, set in the chat; it overrides the one in the files."""

    lang = TextField()
    key = TextField()
    text = TextField(null=True)  # null: reset to the one in the files
    former = TextField(null=True)  # the text before the last change, for undoing it
    version = IntegerField(default=1)  # grows with every change
    actor = ForeignKeyField(User)
    actor_id: int
    updated_at = UtcField()

    class Meta:
        primary_key = CompositeKey("lang", "key")


class Act(Table):
    """One act of the staff, for the audit log; never changed."""

    id = IdField()
    actor = ForeignKeyField(User, backref="done")
    actor_id: int
    what = TextField()  # one word of ours: approve, credit, block, setting …
    user = ForeignKeyField(User, null=True, backref="suffered", index=True)
    user_id: int | None
    ref = TextField(null=True)  # topup:12, promo:SUMMER, model:z-image, a setting's name …
    digest = TextField(null=True)  # of the reason, or of the value
    amount = BigIntegerField(null=True)
    created_at = UtcField()
    # it paid the actor, an owner who is alone in the shop
    own = BooleanField(default=False, constraints=[SQL("DEFAULT FALSE")])

    words = Said()


class Alarm(Table):
    """A cause of alarm: one row, however many events it has had."""

    cause = TextField(primary_key=True)
    text = TextField()  # text key
    values = JSONField(default=dict)
    count = IntegerField(default=1)
    since = UtcField()
    last_at = UtcField(index=True)


class Overlay(Table):
    """An admin's change of the catalogue in data/models.json; the newest of a scope and field counts."""

    id = IdField()
    scope = TextField()  # "model:<id>", "offer:<kind of work>", "menu:<row of the main menu>" or "all"
    field = TextField()  # off, entry, inputs, price, rung_… (see kie/catalogue/overrides.py); fixed, markup
    value = JSONField(null=True)  # null: as in the file
    actor = ForeignKeyField(User, null=True)
    actor_id: int | None
    created_at = UtcField()
    undone_at = UtcField(null=True)


class Difference(Table):
    """A difference between KIE's offer and the catalogue, until an admin applies or dismisses it."""

    id = IdField()
    model = TextField()
    kind = TextField()  # new, gone, inputs, price
    about = JSONField()  # what admins are told, and what would change (see kie/sync/catalogue_diff.py)
    print = TextField(unique=True)  # a digest of the above, so that the same difference is reported once
    state = TextField(default=DifferenceState.OPEN, index=True)
    overlay = ForeignKeyField(Overlay, null=True)
    overlay_id: int | None
    found_at = UtcField()


class Promo(Table):
    """A promo code: it gives an amount at once, or a percentage of the next top-up."""

    code = TextField(primary_key=True)
    kind = TextField()  # a PromoKind
    value = BigIntegerField(constraints=[Check("value > 0")])  # minor units, or percent
    uses = IntegerField(default=0)
    total_limit = IntegerField()
    user_limit = IntegerField(default=1)
    stopped = BooleanField(default=False)
    author = ForeignKeyField(User)
    author_id: int
    expires_at = UtcField(null=True)
    created_at = UtcField()
    # until a second member of the staff confirms it
    waits = BooleanField(default=False, constraints=[SQL("DEFAULT FALSE")])


class PromoUse(Table):
    """A user's n-th redemption of a code. A percentage waits for the next top-up."""

    id = IdField()
    promo = ForeignKeyField(Promo)
    promo_id: str
    user = ForeignKeyField(User)
    user_id: int
    number = IntegerField()
    state = TextField()  # a PromoUseState
    amount = BigIntegerField(null=True)
    created_at = UtcField()

    class Meta:
        indexes = ((("promo", "user", "number"), True), (("user", "state"), False))


PromoUse.add_index(SQL("CREATE UNIQUE INDEX promo_use_one_waiting ON promo_use (user_id) WHERE state = 'waiting'"))


class FreeRun(Table):
    """A user's n-th free order on a day; the row is deleted if the order fails."""

    id = IdField()
    user = ForeignKeyField(User)
    user_id: int
    day = TextField()  # in the user's time zone, such as 2026-11-23; "welcome" for the first ones, given once only
    number = IntegerField()
    job = ForeignKeyField(Job, unique=True)
    job_id: int
    counted_on = TextField(null=True)  # the `FreeDay` that has counted it

    class Meta:
        indexes = ((("user", "day", "number"), True),)


class FreeDay(Table):
    """How many free orders the whole bot has given on a day (UTC), for the ceiling."""

    day = TextField(primary_key=True)
    runs = IntegerField(constraints=[Check("runs >= 0")])


class Broadcast(Table):
    """A message to many people: what is copied, to whom, and how far it has got."""

    id = IdField()
    author = ForeignKeyField(User)
    author_id: int
    chat_id = BigIntegerField()
    message_id = BigIntegerField()
    audience = TextField()
    state = TextField(default=BroadcastState.DRAFT)
    screen_id = BigIntegerField(null=True)  # the author's progress message
    created_at = UtcField()
    started_at = UtcField(null=True)
    ended_at = UtcField(null=True)
    links = JSONField(null=True)  # the message's buttons, as rows of {"text", and "url" or "callback_data"}
    totals = JSONField(null=True)  # {state: recipients}, once their rows have been deleted
    version = IntegerField(default=1, constraints=[SQL("DEFAULT 1")])  # grows with every change of what is confirmed
    send_at = UtcField(null=True)  # when a SCHEDULED one begins


class Recipient(Table):
    """One person's copy of a broadcast. It is `sending` before Telegram is asked, so that a crash never sends it twice."""

    broadcast = ForeignKeyField(Broadcast)
    broadcast_id: int
    user = ForeignKeyField(User)
    user_id: int
    state = TextField(default=RecipientState.PENDING)

    class Meta:
        primary_key = CompositeKey("broadcast", "user")
        indexes = ((("broadcast", "state"), False),)


class Letter(Table):
    """A user's message to the staff (`storage/journal/letters.py`)."""

    id = IdField()
    user = ForeignKeyField(User)
    user_id: int
    about = TextField()  # job12, pay7, or 0
    words = TextField()
    media = JSONField(null=True)  # {"kind", "file_id"}
    state = TextField(default=LetterState.WAITING)
    created_at = UtcField()

    class Meta:
        indexes = ((("state", "created_at"), False),)


class Trouble(Table):
    """Why an update was set aside, under the code its sender was given."""

    code = TextField(primary_key=True)
    reason = TextField()
    created_at = UtcField(index=True)


class Quota(Table):
    """How often a person has done something in the current span (`storage/money/quotas.py`)."""

    person = TextField()  # a keyed digest
    kind = TextField()
    count = IntegerField()
    until = UtcField(index=True)

    class Meta:
        primary_key = CompositeKey("person", "kind")


class KeptValue(Table):
    """A value that a plugin keeps under a name, for a person (their user id) or for nobody (0)."""

    plugin = TextField()
    name = TextField()
    person = BigIntegerField(default=0, index=True)
    value = JSONField(null=True)

    class Meta:
        primary_key = CompositeKey("plugin", "name", "person")


class Parked(Table):
    """A row of a plugin's table while the plugin is away (`storage/base/plugin_tables.py`)."""

    id = IdField()
    origin = TextField(index=True)
    cells = JSONField()  # {column: value}


TABLES = [
    Person, Once, User, Account, Words, Entry, Source, Seal, Draft, Job, TopUp, Sketch, Charge, Checkout, Bonus, Referral,
    Inbox, Outbox, Fact, FactDone, Stored, OwnText, Act, Alarm, Overlay, Difference, Promo, PromoUse, FreeRun, FreeDay, Broadcast, Recipient,
    Letter, Trouble, Quota, KeptValue, Parked, Sale, ProviderPayment, ProviderRefund, Revision, ResultMessage,
    Closing, EntrySum, OrderSum, OutcomeSum,
]  # fmt: skip
