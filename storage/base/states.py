"""The states rows can be in, and the kinds of entries; each member's comment says what it means.

The members are strings, stored as they are, so a plain string such as "queued" compares equal to its member. Which
state leads to which is drawn in the module that moves the rows.
"""

from enum import StrEnum


class JobState(StrEnum):
    """Where an order is (`storage/orders/jobs.py`)."""

    QUEUED = "queued"  # its price is on hold; it waits to be sent to KIE
    SUBMITTING = "submitting"  # about to be sent, or sent and not yet answered
    RUNNING = "running"  # KIE has accepted it and named its task
    LOST = "lost"  # it may have reached KIE, and no answer came: never sent again
    SUCCEEDED = "succeeded"  # the result is there and paid for
    FAILED = "failed"  # the hold was released; `Job.reason` says why
    CANCELLED = "cancelled"  # by its user, before it was sent; the hold was released


class DeliveryState(StrEnum):
    """Where an order's result is on its way to the chat (`storage/orders/jobs.py`)."""

    PENDING = "pending"  # to be sent
    SENT = "sent"  # Telegram has it
    UNDELIVERABLE = "undeliverable"  # given up; the user can ask for it again


class TopUpState(StrEnum):
    """Where a payment is (`storage/money/payments.py`)."""

    NEW = "new"  # shown to the user; nothing has been paid yet
    PENDING = "pending"  # a transfer with its proof; the staff has to decide
    APPROVED = "approved"  # a transfer the staff has credited
    REJECTED = "rejected"  # a transfer the staff has refused
    UNDONE = "undone"  # a transfer that was credited and taken back
    PAID = "paid"  # credited by the payment itself: Stars, or another provider
    CANCELLED = "cancelled"  # left before anything was paid


class ProviderState(StrEnum):
    """Where a payment by a provider is (`storage/money/provider_payments.py`)."""

    CREATED = "created"  # our row; the provider has not been asked for it, or was not reached
    UNKNOWN = "unknown"  # being asked for, or asked for without an answer: it may be there
    PENDING = "pending"  # the provider waits for the payer
    PAID = "paid"  # the provider has the money, and it is credited
    MISMATCH = "mismatch"  # the provider has money that is not what was asked for; the staff decides
    EXPIRED = "expired"  # the time to pay is over; money that comes nevertheless is credited
    CANCELLED = "cancelled"  # declined, or never made, or settled otherwise; money that comes nevertheless is credited
    REFUNDED = "refunded"  # all of it went back


class RefundState(StrEnum):
    """What has become of a refund of a payment in Stars (NULL while none was asked for) or by a provider."""

    ASKED = "asked"  # booked here; Telegram, or the provider, has not confirmed it yet
    DONE = "done"  # the money went back, by our refund or from outside
    REFUSED = "refused"  # it stays, so the booking was reversed


class BonusState(StrEnum):
    """Where a bonus earned by a payment is (`storage/money/bonuses.py`)."""

    WAITING = "waiting"  # promised, not due yet
    POSTED = "posted"  # an entry on the balance
    TAKEN = "taken"  # posted, and taken back with its payment
    VOID = "void"  # its payment went back before it was posted


class PromoKind(StrEnum):
    """What a promo code gives."""

    AMOUNT = "amount"  # `Promo.value` minor units, at once
    PERCENT = "percent"  # `Promo.value` percent of the next top-up


class PromoUseState(StrEnum):
    """Where one redemption of a promo code is (`storage/money/promo.py`)."""

    WAITING = "waiting"  # a percentage, waiting for the next top-up
    DONE = "done"  # it has paid
    LAPSED = "lapsed"  # the code was stopped or expired before a top-up came


class EntryKind(StrEnum):
    """What an entry of the ledger is; `storage/money/entry_kinds.py` says what each must be."""

    TOPUP = "topup"  # money that came in by a transfer or another provider, or an approval undone
    STARS = "stars"  # money that came in as Telegram Stars
    BONUS = "bonus"  # a plugin's bonus
    PROMO = "promo"  # what a promo code gave
    REFERRAL = "referral"  # the inviter's share of a first top-up
    GIFT = "gift"  # the welcome gift
    IMPORT = "import"  # a balance brought along from another bot
    ADMIN = "admin"  # a correction by the staff, either way
    HOLD = "hold"  # the price of an order, reserved
    CAPTURE = "capture"  # a hold charged; what it did not cost comes back
    RELEASE = "release"  # a hold given back
    REFUND = "refund"  # a payment given back, or that reversed
    CHARGEBACK = "chargeback"  # a payment taken back from outside
    TAKEBACK = "takeback"  # a bonus that went back with its payment, or that reversed
    SALE = "sale"  # what a plugin sells, charged at once
    UNSALE = "unsale"  # that given back
    WRITEOFF = "writeoff"  # what the balance lacked for a forced debit, or that reversed
    RECOVERY = "recovery"  # debt paid from an order's hold, or collected by the staff


class SaleState(StrEnum):
    """Where a plugin's sale is (`storage/money/sales.py`)."""

    CHARGED = "charged"  # the money is taken
    RETURNED = "returned"  # the money is back


class OutboxState(StrEnum):
    """Where a message that must arrive is (`storage/journal/outbox.py`)."""

    PENDING = "pending"  # to be sent
    SENT = "sent"  # Telegram has it
    DROPPED = "dropped"  # it can never arrive, or was withdrawn
    ASIDE = "aside"  # it cannot be sent as it is; tried again at the next start
    APART = "apart"  # its plugin is away; tried again at the next start


class LetterState(StrEnum):
    """Where a message to the staff is (`storage/journal/letters.py`)."""

    WAITING = "waiting"  # no copy has arrived yet
    PASSED = "passed"  # somebody of the staff has a copy


class BroadcastState(StrEnum):
    """Where a broadcast is (`storage/people/broadcasts.py`)."""

    DRAFT = "draft"  # its audience can still be changed
    SCHEDULED = "scheduled"  # confirmed for a time
    RUNNING = "running"  # being sent
    PAUSED = "paused"  # stopped for now
    DONE = "done"  # everybody has been tried
    STOPPED = "stopped"  # stopped for good


class RecipientState(StrEnum):
    """Where one person's copy of a broadcast is (`storage/people/broadcasts.py`)."""

    PENDING = "pending"  # to be sent
    SENDING = "sending"  # Telegram is being asked
    SENT = "sent"  # Telegram has it
    BLOCKED = "blocked"  # the person has blocked the bot
    FAILED = "failed"  # Telegram refused it
    DOUBT = "doubt"  # it may have arrived: the bot was killed, or no answer came


class DifferenceState(StrEnum):
    """Where a difference between KIE's offer and the catalogue is (`storage/orders/overrides.py`)."""

    OPEN = "open"  # an admin has to decide
    APPLIED = "applied"  # the catalogue follows it
    DISMISSED = "dismissed"  # the catalogue stays as it is


OPEN_JOBS = (JobState.QUEUED, JobState.SUBMITTING, JobState.RUNNING, JobState.LOST)
