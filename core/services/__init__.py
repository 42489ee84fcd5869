"""The only code that joins storage and KIE, and the names by which plugins reach what storage can do."""

from storage import (
    acts,
    alarms,
    audit,
    broadcasts,
    drafts,
    figures,
    free,
    jobs,
    ledger,
    outbox,
    payments,
    promo,
    referrals,
    returns,
    staff,
    stored,
    users,
)


class Services:
    """Storage's named operations, as attributes of `ctx` (in handlers) and of `bot` (in listeners and periodic work)."""

    acts = acts
    alarms = alarms
    audit = audit
    broadcasts = broadcasts
    drafts = drafts
    figures = figures
    free = free
    jobs = jobs
    ledger = ledger
    outbox = outbox
    payments = payments
    promo = promo
    referrals = referrals
    returns = returns
    staff = staff
    stored = stored
    users = users
