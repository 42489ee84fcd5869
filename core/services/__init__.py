"""The only code that joins storage and KIE, and the names by which plugins reach what storage can do."""

from storage import (
    acts,
    alarms,
    audit,
    broadcasts,
    drafts,
    dump,
    figures,
    free,
    health,
    jobs,
    ledger,
    outbox,
    overlay,
    payments,
    privacy,
    promo,
    quotas,
    referrals,
    returns,
    schema,
    signs,
    staff,
    stored,
    troubles,
    users,
)


class Services:
    """Storage's named operations, as attributes of `ctx` (in handlers) and of `bot` (in listeners and periodic work)."""

    acts = acts
    alarms = alarms
    audit = audit
    broadcasts = broadcasts
    drafts = drafts
    dump = dump
    figures = figures
    free = free
    health = health
    jobs = jobs
    ledger = ledger
    outbox = outbox
    overlay = overlay
    payments = payments
    privacy = privacy
    promo = promo
    quotas = quotas
    referrals = referrals
    returns = returns
    schema = schema
    signs = signs
    staff = staff
    stored = stored
    troubles = troubles
    users = users
