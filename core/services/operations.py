"""The storage functions that plugins may call, as `ctx.jobs`, `bot.payments` and so on.

What moves money or an order as part of a larger step is in storage only.
"""

from storage.backup import dump
from storage.base import plugin_tables, schema
from storage.journal import alarms, audit_log, drafts, error_reports, letters, outbox, own_texts, runtime_settings
from storage.money import (
    bonuses,
    closings,
    free,
    ledger,
    payments,
    persons,
    promo,
    proof,
    provider_payments,
    provider_refunds,
    referrals,
    refunds,
    sales,
    seals,
    verify,
)
from storage.orders import health, job_health, jobs, overrides, result_messages, revisions, stats
from storage.people import broadcasts, mydata, privacy, staff, tidy, users


class Schema:
    """The tables."""

    pending = staticmethod(schema.pending)


class Alarms:
    """What the staff was told of."""

    HOURS = alarms.HOURS
    recent = staticmethod(alarms.recent)


class AuditLog:
    """What the staff did."""

    get = staticmethod(audit_log.get)
    recent = staticmethod(audit_log.recent)


class Drafts:
    """Open dialogues and cards."""

    agree = staticmethod(drafts.agree)
    drop = staticmethod(drafts.drop)
    get = staticmethod(drafts.get)
    note_screen = staticmethod(drafts.note_screen)
    put = staticmethod(drafts.put)
    stop_listening = staticmethod(drafts.stop_listening)


class ErrorReports:
    """Why updates were set aside."""

    find = staticmethod(error_reports.find)
    keep = staticmethod(error_reports.keep)
    recent = staticmethod(error_reports.recent)


class Letters:
    """What people wrote to the staff."""

    get = staticmethod(letters.get)
    number_in = staticmethod(letters.number_in)
    passed = staticmethod(letters.passed)
    ref = staticmethod(letters.ref)
    unheard = staticmethod(letters.unheard)
    write = staticmethod(letters.write)


class Outbox:
    """Messages that must arrive: `bot.notify` queues them."""

    apart = staticmethod(outbox.apart)
    rounds = staticmethod(outbox.rounds)
    sent_for = staticmethod(outbox.sent_for)
    states = staticmethod(outbox.states)
    withdraw = staticmethod(outbox.withdraw)


class OwnTexts:
    """Texts in the operator's own words."""

    changed = staticmethod(own_texts.changed)
    get = staticmethod(own_texts.get)
    put = staticmethod(own_texts.put)
    put_back = staticmethod(own_texts.put_back)
    step_back = staticmethod(own_texts.step_back)


class PluginTables:
    """Tables of plugins, including absent plugins."""

    away = staticmethod(plugin_tables.away)


class RuntimeSettings:
    """Settings changed from the chat."""

    clear = staticmethod(runtime_settings.clear)
    get = staticmethod(runtime_settings.get)
    put = staticmethod(runtime_settings.put)
    version = staticmethod(runtime_settings.version)


class Bonuses:
    """What a payment earns, and what goes back with it."""

    earned = staticmethod(bonuses.earned)
    get = staticmethod(bonuses.get)
    on_the_way = staticmethod(bonuses.on_the_way)
    post_due = staticmethod(bonuses.post_due)
    promise = staticmethod(bonuses.promise)


class Free:
    """Orders that cost nothing."""

    WELCOME = free.WELCOME
    cost = staticmethod(free.cost)
    given = staticmethod(free.given)
    used = staticmethod(free.used)


class Ledger:
    """Every movement of money. Its writers for orders and payments are not here: they move with their rows."""

    balance = staticmethod(ledger.balance)
    debt = staticmethod(ledger.debt)
    entries = staticmethod(ledger.entries)
    post = staticmethod(ledger.post)
    recovered = staticmethod(ledger.recovered)
    sums_by_kind = staticmethod(ledger.sums_by_kind)


class Payments:
    """Top-ups and charges."""

    WrongPayment = payments.WrongPayment
    accept = staticmethod(payments.accept)
    accepted = staticmethod(payments.accepted)
    approve = staticmethod(payments.approve)
    cancel_new = staticmethod(payments.cancel_new)
    charges = staticmethod(payments.charges)
    count_waiting = staticmethod(payments.count_waiting)
    create = staticmethod(payments.create)
    create_unique = staticmethod(payments.create_unique)
    credit = staticmethod(payments.credit)
    credit_stars = staticmethod(payments.credit_stars)
    entries = staticmethod(payments.entries)
    forget_checkouts = staticmethod(payments.forget_checkouts)
    get = staticmethod(payments.get)
    of_user = staticmethod(payments.of_user)
    overdue = staticmethod(payments.overdue)
    pending_of = staticmethod(payments.pending_of)
    ref = staticmethod(payments.ref)
    reject = staticmethod(payments.reject)
    same_amount = staticmethod(payments.same_amount)
    same_proof = staticmethod(payments.same_proof)
    similar_proof = staticmethod(payments.similar_proof)
    stars_for = staticmethod(payments.stars_for)
    submit = staticmethod(payments.submit)
    totals = staticmethod(payments.totals)
    unheard = staticmethod(payments.unheard)
    waiting = staticmethod(payments.waiting)


class ProviderPayments:
    """Providers' payments; what a provider reports goes through `core/services/providers`."""

    get = staticmethod(provider_payments.get)
    mismatches = staticmethod(provider_payments.mismatches)
    note_screen = staticmethod(provider_payments.note_screen)
    of_user = staticmethod(provider_payments.of_user)
    settle = staticmethod(provider_payments.settle)


class ProviderRefunds:
    """Refunds of providers' payments."""

    ask = staticmethod(provider_refunds.ask)
    left = staticmethod(provider_refunds.left)
    of_payment = staticmethod(provider_refunds.of_payment)
    would_lose = staticmethod(provider_refunds.would_lose)


class Persons:
    """What counts per person, whatever becomes of the account."""

    debt = staticmethod(persons.debt)
    forget_idle = staticmethod(persons.forget_idle)
    once = staticmethod(persons.once)


class Promo:
    """Promo codes."""

    MOST_PERCENT = promo.MOST_PERCENT
    NoSuchCode = promo.NoSuchCode
    OneWaits = promo.OneWaits
    UsedBefore = promo.UsedBefore
    apply = staticmethod(promo.apply)
    confirm = staticmethod(promo.confirm)
    create = staticmethod(promo.create)
    every = staticmethod(promo.every)
    get = staticmethod(promo.get)
    given = staticmethod(promo.given)
    redeem = staticmethod(promo.redeem)
    stop = staticmethod(promo.stop)
    uses = staticmethod(promo.uses)


class Referrals:
    """Who invited whom."""

    invite = staticmethod(referrals.invite)
    inviter_of = staticmethod(referrals.inviter_of)
    mark_paid = staticmethod(referrals.mark_paid)
    summary = staticmethod(referrals.summary)


class Refunds:
    """Payments being returned."""

    ask_refund = staticmethod(refunds.ask_refund)
    charge = staticmethod(refunds.charge)
    keep_payer = staticmethod(refunds.keep_payer)
    mark_listed = staticmethod(refunds.mark_listed)
    payer = staticmethod(refunds.payer)
    refund_done = staticmethod(refunds.refund_done)
    refund_refused = staticmethod(refunds.refund_refused)
    refunds_asked = staticmethod(refunds.refunds_asked)
    taken_back = staticmethod(refunds.taken_back)
    undo = staticmethod(refunds.undo)
    unlisted = staticmethod(refunds.unlisted)
    would_lose = staticmethod(refunds.would_lose)


class Seals:
    """The chain over the books."""

    unsealed_since = staticmethod(seals.unsealed_since)


class Closings:
    """Sums of what cannot change any more."""

    close = staticmethod(closings.close)


class Verify:
    """The proof of the books."""

    prove = staticmethod(proof.prove)
    totals = staticmethod(verify.totals)
    verify = staticmethod(verify.verify)


class Sales:
    """What plugins have sold; handlers sell with `ctx.ledger.charge`."""

    get = staticmethod(sales.get)


class Stats:
    """Sums for the staff."""

    export = staticmethod(stats.export)
    jobs_by_day = staticmethod(stats.jobs_by_day)
    jobs_by_model = staticmethod(stats.jobs_by_model)
    median_seconds = staticmethod(stats.median_seconds)
    money_by_day = staticmethod(stats.money_by_day)
    payers = staticmethod(stats.payers)


class Health:
    """The state of the database and the queues."""

    figures = staticmethod(health.figures)
    try_write = staticmethod(health.try_write)


class JobHealth:
    """Signs of trouble with orders."""

    orders_of = staticmethod(job_health.orders_of)
    outcomes = staticmethod(job_health.outcomes)
    stuck = staticmethod(job_health.stuck)


class Jobs:
    """Orders and what became of them."""

    OPEN = jobs.OPEN
    PROGRESS = jobs.PROGRESS
    figures = staticmethod(stats.figures)
    funds = staticmethod(jobs.funds)
    get = staticmethod(jobs.get)
    last_model = staticmethod(jobs.last_model)
    last_of = staticmethod(jobs.last_of)
    move_chat = staticmethod(jobs.move_chat)
    neighbours = staticmethod(jobs.neighbours)
    note_progress = staticmethod(jobs.note_progress)
    of_user = staticmethod(jobs.of_user)
    overruns = staticmethod(stats.overruns)
    place = staticmethod(jobs.place)
    recent_models = staticmethod(jobs.recent_models)
    redeliver = staticmethod(jobs.redeliver)
    spent = staticmethod(jobs.spent)
    spent_credits = staticmethod(stats.spent_credits)
    to_show_progress = staticmethod(jobs.to_show_progress)


class ResultMessages:
    """Which message shows which result."""

    find = staticmethod(result_messages.find)
    has_any = staticmethod(result_messages.has_any)
    in_group = staticmethod(result_messages.in_group)
    last = staticmethod(result_messages.last)
    note = staticmethod(result_messages.note)


class Revisions:
    """Which order was made from which result."""

    FIRST = revisions.FIRST
    count = staticmethod(revisions.count)
    get = staticmethod(revisions.get)
    next_number = staticmethod(revisions.next_number)
    numbers = staticmethod(revisions.numbers)
    of = staticmethod(revisions.of)
    tree = staticmethod(revisions.tree)


class Overrides:
    """The admins' changes to the catalogue."""

    apply = staticmethod(overrides.apply)
    changes = staticmethod(overrides.changes)
    difference = staticmethod(overrides.difference)
    differences = staticmethod(overrides.differences)
    dismiss = staticmethod(overrides.dismiss)
    put = staticmethod(overrides.put)
    undo = staticmethod(overrides.undo)


class Broadcasts:
    """Messages to many."""

    again = staticmethod(broadcasts.again)
    claim = staticmethod(broadcasts.claim)
    count = staticmethod(broadcasts.count)
    create = staticmethod(broadcasts.create)
    doubt = staticmethod(broadcasts.doubt)
    due = staticmethod(broadcasts.due)
    get = staticmethod(broadcasts.get)
    mark = staticmethod(broadcasts.mark)
    move = staticmethod(broadcasts.move)
    newest = staticmethod(broadcasts.newest)
    progress = staticmethod(broadcasts.progress)
    recipients = staticmethod(broadcasts.recipients)
    running = staticmethod(broadcasts.running)
    schedule = staticmethod(broadcasts.schedule)
    set_audience = staticmethod(broadcasts.set_audience)
    set_links = staticmethod(broadcasts.set_links)
    start = staticmethod(broadcasts.start)
    unschedule = staticmethod(broadcasts.unschedule)


class MyData:
    """All data kept about a person."""

    collect = staticmethod(mydata.collect)


class Privacy:
    """Erasing a person's data."""

    PAYER_KEPT = privacy.PAYER_KEPT
    clear_journal = staticmethod(privacy.clear_journal)
    erase = staticmethod(privacy.erase)
    forget_kept = staticmethod(privacy.forget_kept)
    forget_old = staticmethod(privacy.forget_old)
    left_by = staticmethod(privacy.left_by)
    open_of = staticmethod(privacy.open_of)


class Staff:
    """What the staff may change, each with its row in the audit log."""

    ROLES = staff.ROLES
    block = staticmethod(staff.block)
    collect = staticmethod(staff.collect)
    correct = staticmethod(staff.correct)
    decided = staticmethod(staff.decided)
    grant = staticmethod(staff.grant)
    inviter_of = staticmethod(staff.inviter_of)
    members = staticmethod(staff.members)
    remark = staticmethod(staff.remark)
    resume_sales = staticmethod(staff.resume_sales)
    write = staticmethod(staff.write)


class Tidy:
    """Deleting rows that are no longer needed."""

    sweep = staticmethod(tidy.sweep)


class Users:
    """People's accounts."""

    by_code = staticmethod(users.by_code)
    by_telegram_id = staticmethod(users.by_telegram_id)
    change = staticmethod(users.change)
    count = staticmethod(users.count)
    count_active = staticmethod(users.count_active)
    find = staticmethod(users.find)
    get = staticmethod(users.get)


class Dump:
    """Backups: everything in one file."""

    name = staticmethod(dump.name)
    write = staticmethod(dump.write)


class Operations:
    """All of these, as attributes of `ctx` (in handlers) and of `bot` (in listeners and periodic work)."""

    alarms = Alarms
    audit_log = AuditLog
    bonuses = Bonuses
    broadcasts = Broadcasts
    closings = Closings
    drafts = Drafts
    dump = Dump
    error_reports = ErrorReports
    stats = Stats
    free = Free
    health = Health
    job_health = JobHealth
    jobs = Jobs
    ledger = Ledger
    letters = Letters
    mydata = MyData
    outbox = Outbox
    overrides = Overrides
    own_texts = OwnTexts
    payments = Payments
    persons = Persons
    plugin_tables = PluginTables
    privacy = Privacy
    promo = Promo
    provider_payments = ProviderPayments
    provider_refunds = ProviderRefunds
    referrals = Referrals
    refunds = Refunds
    result_messages = ResultMessages
    revisions = Revisions
    runtime_settings = RuntimeSettings
    schema = Schema
    sales = Sales
    seals = Seals
    staff = Staff
    tidy = Tidy
    users = Users
    verify = Verify
