"""Messages from users to the staff, kept until a member of the staff has them.

waiting ──a copy has arrived──▶ passed
"""

from datetime import datetime

from peewee import ModelSelect

from storage.base.db import connection, transaction
from storage.base.prepared import Prepared
from storage.base.states import LetterState
from storage.base.tables import Letter, Media, User
from storage.journal import events, outbox
from storage.journal.event_kinds import LetterWritten

SOME = 200  # letters at a time


def ref(letter_id: int) -> str:
    """Return the `ref` of a letter's copies in the outbox."""
    return f"letter:{letter_id}"


def number_in(ref_: str | None) -> int | None:
    """Return the id of the letter that a `ref` belongs to, or None."""
    kind, _colon, number = (ref_ or "").partition(":")
    return int(number) if kind == "letter" and number.isdecimal() else None


def write(user_id: int, about: str, words: str, media: Media | None, now: datetime) -> Letter:
    """Keep a letter, with the event that causes its copies to be sent; return it."""
    with transaction():
        letter = Letter.create(user=user_id, about=about, words=words, media=media, created_at=now)
        events.emit(LetterWritten(letter=letter.id), now)
        return letter


def get(letter_id: int) -> Letter | None:
    """Return a letter with its writer, or None."""
    with connection():
        return Letter.select(Letter, User).join(User).where(Letter.id == letter_id).first()


def passed(letter_id: int) -> bool:
    """waiting → passed; return whether this call did it."""
    with transaction():
        query = Letter.update(state=LetterState.PASSED).where(
            Letter.id == letter_id, Letter.state == LetterState.WAITING
        )
        return bool(query.execute())


def unheard() -> list[Letter]:
    """Return waiting letters without a copy on its way, oldest first, at most `SOME`."""
    numbers = [number for (number,) in _waiting.rows()]
    copied = outbox.alive([ref(number) for number in numbers])
    missing = [number for number in numbers if ref(number) not in copied]
    if not missing:
        return []
    with connection():
        return list(Letter.select(Letter, User).join(User).where(Letter.id.in_(missing)).order_by(Letter.id))


@Prepared[tuple[int]]
def _waiting() -> "ModelSelect[Letter]":
    return Letter.select(Letter.id).where(Letter.state == LetterState.WAITING).order_by(Letter.id).limit(SOME)
