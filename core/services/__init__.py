"""The only code that joins storage and KIE, and the names by which plugins reach what storage can do."""

from storage import (
    acts,
    alarms,
    audit,
    bonuses,
    broadcasts,
    drafts,
    dump,
    figures,
    free,
    health,
    jobs,
    ledger,
    letters,
    mydata,
    outbox,
    overlay,
    payments,
    persons,
    privacy,
    promo,
    quotas,
    referrals,
    returns,
    schema,
    seals,
    signs,
    staff,
    stored,
    tidy,
    troubles,
    users,
)


class Services:
    """Storage's named operations, as attributes of `ctx` (in handlers) and of `bot` (in listeners and periodic work)."""

    acts = acts
    alarms = alarms
    audit = audit
    bonuses = bonuses
    broadcasts = broadcasts
    drafts = drafts
    dump = dump
    figures = figures
    free = free
    health = health
    jobs = jobs
    ledger = ledger
    mydata = mydata
    letters = letters
    outbox = outbox
    overlay = overlay
    payments = payments
    persons = persons
    privacy = privacy
    promo = promo
    quotas = quotas
    referrals = referrals
    returns = returns
    schema = schema
    seals = seals
    signs = signs
    staff = staff
    stored = stored
    tidy = tidy
    troubles = troubles
    users = users
