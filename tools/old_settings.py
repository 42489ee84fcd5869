"""Settings under the names of this bot's predecessor: for each, what to write instead.

Those meant to prevent spending (`DRY_RUN`, `TEST_MODE`, `ALLOW_REAL_GENERATION=0`) stop the start: this bot would spend
where its operator expects it not to.
"""

from core import settings

SAME = {  # theirs → ours, with the same value
    "ADMIN_ID": "ADMIN_IDS",
    "OWNER_ID": "ADMIN_IDS",
    "USD_TO_RUB": "USD_RATE",
    "PRICE_MULTIPLIER": "MARKUP",
    "PRICING_MARKUP": "MARKUP",
    "SUPPORT_TELEGRAM": "SUPPORT_CONTACT",
    "STORAGE_DATA_DIR": "DATA_DIR",
    "WELCOME_BALANCE_RUB": "WELCOME_GIFT",
    "KIE_BASE_URL": "KIE_API_URL",
}
HIDDEN = {"BOT_TOKEN": "TELEGRAM_BOT_TOKEN", "TELEGRAM_TOKEN": "TELEGRAM_BOT_TOKEN"}
ADVICE = {  # theirs → (ours, what to write)
    **dict.fromkeys(
        ("PAYMENT_PHONE", "PAYMENT_BANK", "PAYMENT_CARD", "PAYMENT_CARD_HOLDER"),
        ("TRANSFER_DETAILS", "write TRANSFER_DETAILS=, the bank, the number and the name in one text"),
    ),
    **dict.fromkeys(
        ("WEBHOOK_URL", "WEBHOOK_BASE_URL"),
        ("PUBLIC_URL", "write PUBLIC_URL=https://… without a path, and BOT_MODE=webhook"),
    ),
    "KIE_CALLBACK_URL": ("PUBLIC_URL", "write PUBLIC_URL=https://… without a path: the bot adds its own"),
    "CREDIT_TO_RUB_RATE": ("USD_RATE", "write USD_RATE=, the price of one US dollar"),
    "SUPPORT_TEXT": ("", "change texts in the chat: /texts"),
    **dict.fromkeys(
        ("WEBHOOK_SECRET_TOKEN", "WEBHOOK_SECRET_PATH"), ("", "remove it: the secret is made from the token")
    ),
    **dict.fromkeys(
        ("STORAGE_MODE", "STORAGE_BACKEND", "NO_DATABASE_MODE"),
        ("", "remove it: DATABASE_URL alone decides, and without one it is SQLite in DATA_DIR"),
    ),
    **dict.fromkeys(
        ("BOT_INSTANCE_ID", "PARTNER_ID", "INSTANCE_NAME"),
        ("", "remove it: each bot has a DATA_DIR or a DATABASE_URL of its own"),
    ),
    "REDIS_URL": ("", "remove it: the database holds the lock"),
}
NO_SPENDING = {"DRY_RUN": True, "TEST_MODE": True, "FAKE_KIE_MODE": True, "ALLOW_REAL_GENERATION": False, "KIE_ALLOW_REAL": False}  # fmt: skip
TRIAL = "KIE_STUB=1, and then a stub answers in place of KIE and nothing is spent; or the line removed, to spend"
NAMES = (*SAME, *HIDDEN, *ADVICE, *NO_SPENDING)


def answers(environ):
    """Return a line for each old name that is set: what to write instead."""
    return [f"{name}: an old name, not read here; {_answer(environ, name)}" for name in NAMES if _set(environ, name)]


def _answer(environ, name):
    ours, advice = ADVICE.get(name, (SAME.get(name) or HIDDEN.get(name, ""), ""))
    if ours and _set(environ, ours):
        return f"{ours} is set, so remove the line"
    if name in SAME:
        return f"write {ours}={_set(environ, name)}"
    if name in HIDDEN:
        return f"write {ours}= with the same value"
    return advice or "remove it: KIE_STUB=1 is for trying without spending"


def refuse_spending(environ, found):
    """Add a problem for each guard against spending that is set, unless the stub is on anyway."""
    if found["KIE_STUB"]:
        return
    for name, guards in NO_SPENDING.items():
        if (text := _set(environ, name)) and _is_on(text, not guards) == guards:
            found.refuse(name, repr(text), TRIAL)


def _is_on(text, otherwise):
    try:
        return settings.switch(text)
    except ValueError:
        return not otherwise  # whatever its value, it was set as a guard


def _set(environ, name):
    return (environ.get(name) or "").strip()
