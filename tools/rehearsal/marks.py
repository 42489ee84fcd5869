"""The address of a rehearsal's callback: `/rehearsal?mark=…`, whose mark only the bot's own token can make.

So nobody else can have anything noted there, and any copy of the bot can tell.
"""

import hashlib
import hmac

PATH = "/rehearsal"


def make(token, word):
    """Return the mark for a random word."""
    return f"{word}-{hmac.new(token.encode(), b'rehearsal' + word.encode(), hashlib.sha256).hexdigest()[:32]}"


def is_ours(token, mark):
    """Return, in constant time, whether a mark was made with this token."""
    word = mark.partition("-")[0]
    return hmac.compare_digest(make(token, word).encode(), mark.encode())
