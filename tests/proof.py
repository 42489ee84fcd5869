"""How much of a long proof runs: a seeded tenth in `make test`, all of it in `make prove`.

    @pytest.mark.proof
    def test_every_corruption_is_named(database_url):
        for corruption in proof.part(CORRUPTIONS, seed=1):
            ...

    ACTS = proof.share(10_000)

`make prove` runs all tests so, and the scripts listed in `bench/prove.py`; `make check` leaves out those with this mark.
"""

import os
import random

IS_WHOLE = os.environ.get("PROVE") == "1"
TENTH = 10


def share(whole):
    """Return how many of `whole` things to try."""
    return whole if IS_WHOLE else -(-whole // TENTH)


def part(things, seed):
    """Return the things to try, in their order: all, or a tenth of them that follows from the seed."""
    things = list(things)
    if IS_WHOLE:
        return things
    chosen = sorted(random.Random(seed).sample(range(len(things)), share(len(things))))
    return [things[place] for place in chosen]
