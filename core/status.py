"""The state of the running bot, read by /health, doctor, metrics and work that must end with it."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True)
class Status:
    """Written by the core; plugins only read it."""

    leads_since: datetime  # or when this copy was made, while it does not lead
    wrote_at: datetime  # when a row was last written
    version: str = ""  # of the program
    leads: bool = True  # whether it does the leader's part
    works: bool = False  # whether it does anything yet
    threaded: bool = True  # False where a test drives every step itself
    claims_as: str | None = None  # the name under which this copy claims work, if several copies share it
    unwritable: bool = False  # the last attempt to write a row failed
    certified: bool = False  # this run has given Telegram our own certificate
    refused: bool = False  # Telegram refuses the token
    fetched_at: datetime | None = None  # when Telegram last answered getUpdates, or was seen to post to us
    conflict_at: datetime | None = None  # when another program last took the updates away from us
    outcomes: Counter[str] = field(default_factory=Counter)  # how updates ended, since the start
    stopping: threading.Event = field(default_factory=threading.Event)
