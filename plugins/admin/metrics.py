"""GET /metrics on PORT: the few figures worth waking somebody for, for Prometheus.

No money and no names; a copy that does not lead reports only that, and its program. Counters end in `_total`. They are
for whoever has the token, and for programs on this machine, unless the request was forwarded.

Setting: METRICS_TOKEN, which a collector sends as `Authorization: Bearer …`; empty, the default, admits nobody else.
"""

import hmac
import platform

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def register(bot):
    """Declare the setting and the page."""
    bot.setting("METRICS_TOKEN", default="", secret=True)
    bot.page("/metrics", show)


def show(bot, leads, visit):
    """Return the current figures to those who may see them."""
    token, given = bot.settings["METRICS_TOKEN"], visit.headers.get("Authorization", "")
    knows = token and hmac.compare_digest(f"Bearer {token}".encode(), given.encode())
    if not knows and not visit.is_local:
        return "", 401, {"WWW-Authenticate": "Bearer"}
    from prometheus_client import CollectorRegistry, generate_latest  # imported only when somebody looks

    registry = CollectorRegistry()
    _fill(registry, bot, leads)
    return generate_latest(registry), {"Content-Type": CONTENT_TYPE}


def _fill(registry, bot, leads):
    """Register the figures: what is counted since the start, what is so at this moment, the program and its process."""
    from prometheus_client import Counter, Gauge, ProcessCollector

    for name, (about, value) in figures(bot, leads).items():
        Gauge(name, about, registry=registry).set(value)
    endings = Counter(
        "bot_updates", "Updates handled since the start, by how they ended", ["outcome"], registry=registry
    )
    for outcome, count in bot.status.outcomes.copy().items():
        endings.labels(outcome).inc(count)
    names = {"version": bot.status.version, "python": platform.python_version()}
    names |= {"storage": _storage(bot), "kie_mode": "stub" if bot.settings["KIE_STUB"] else "real"}
    Gauge("bot_build_info", "What runs here", list(names), registry=registry).labels(**names).set(1)
    ProcessCollector(registry=registry)


def _storage(bot):
    return "sqlite" if bot.settings["DATABASE_URL"].startswith("sqlite") else "postgresql"


def figures(bot, leads):
    """Return {name: (meaning, number)}; ages are in seconds, 0 if nothing waits."""
    if not leads:
        return {"bot_leader": ("1 when this copy leads", 0)}
    now, found = bot.clock.now(), bot.health.figures()

    def age(since):
        return 0 if since is None else max(0, (now - since).total_seconds())

    return {
        "bot_leader": ("1 when this copy leads", 1),
        "bot_fetch_age_seconds": ("Since Telegram last answered", age(bot.status.fetched_at or bot.status.leads_since)),
        "bot_write_age_seconds": ("Since a row was last written", age(bot.status.wrote_at)),
        "bot_inbox": ("Updates not handled yet", found["inbox"][0]),
        "bot_inbox_age_seconds": ("Age of the oldest of them", age(found["inbox"][1])),
        "bot_set_aside": ("Updates that failed three times, and are kept", found["aside"][0]),
        "bot_jobs_open": ("Orders under way", found["jobs"][0]),
        "bot_job_age_seconds": ("Age of the oldest of them", age(found["jobs"][1])),
        "bot_deliveries": ("Results not brought to the chat yet", found["deliveries"][0]),
        "bot_delivery_age_seconds": ("Age of the oldest of them", age(found["deliveries"][1])),
        "bot_messages": ("Messages that must arrive and have not", found["messages"][0]),
        "bot_sales_paused": ("1 while nothing is sold", int(bot.generation.is_paused(now))),
    }
