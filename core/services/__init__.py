"""The only code that joins storage and KIE, and the names by which plugins reach what storage can do."""

from storage.backup import dump
from storage.base import schema
from storage.journal import alarms, audit_log, drafts, error_reports, letters, outbox, runtime_settings
from storage.money import bonuses, free, ledger, payments, persons, promo, quotas, referrals, refunds, seals, verify
from storage.orders import figures, health, job_health, jobs, overrides
from storage.people import broadcasts, mydata, privacy, staff, tidy, users


class Services:
    """Storage's named operations, as attributes of `ctx` (in handlers) and of `bot` (in listeners and periodic work)."""

    audit_log = audit_log
    alarms = alarms
    verify = verify
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
    overrides = overrides
    payments = payments
    persons = persons
    privacy = privacy
    promo = promo
    quotas = quotas
    referrals = referrals
    refunds = refunds
    schema = schema
    seals = seals
    job_health = job_health
    staff = staff
    runtime_settings = runtime_settings
    tidy = tidy
    error_reports = error_reports
    users = users
