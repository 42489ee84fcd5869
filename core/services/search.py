"""Search for products by what people write: names, works, their synonyms, other forms of words, and typos.

The words are texts, `search.*` in data/texts/<lang>/search.po, so a language brings its own, and an owner can add some in
the chat. Each is a list of phrases (`core/services/wording.py`). Those of all languages count, whoever searches.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from core.services.wording import (
    SHORTEST_PART,
    TYPO,
    UNFINISHED,
    Index,
    index,
    likeness,
    places_of,
    similar,
    unfinished,
    words_of,
)
from core.texts import Texts
from kie.catalogue.model import MENU, WORKS, Card, Catalog, Model

# The keys: what says nothing; after which words comes what a thing is for or about; words whose phrases have one order;
# what a person calls their own; words that mean the same; what a chat model answers; works, modes and products by what
# they do; names in another spelling; names that are not sold, with the work that comes near
IGNORED, ABOUT, ORDER, OWN = "search.ignored", "search.about", "search.order", "search.own"
SAME, CHAT = "search.same.", "search.chat"
WORK, MODE, CARD, NAME, INSTEAD = "search.work.", "search.mode.", "search.card.", "search.name.", "search.instead."
PLAIN = (IGNORED, ABOUT, ORDER, OWN)  # lists of words, not of phrases
ADDED = 0.8  # how much a work counts that a model also does, with another file, or that only comes near
OF_A_RESULT = 0.65  # how much a work counts that wants an earlier result
ABOUT_IT = 0.3  # how much more a product counts that the words are about
# What people name that goes in or comes out: the works it has a part in, and how much any other work counts then
MEDIA = {
    SAME + "photo": ({*MENU["picture"], *MENU["edit"], *WORKS["image"]}, 0.7),
    SAME + "video": ({*MENU["video"], *WORKS["video"], "video-upscale", "video-extend", "music-video"}, 0.2),
    SAME + "song": ({*MENU["music"], *WORKS["audio"], "music-video", "stem-separation"}, 0.7),
}
IN_ORDER = 1.1  # how much more a phrase counts in the order it has in the list
ALIKE = 0.95  # how much another word of the same meaning counts
SUBJECT = 0.2  # how much words count that say what a thing is for, or about
MOST_OF_TYPO = 0.5  # the weight of a word with a typo: another one may have been meant
SAYS_LITTLE = 0.3  # the weight of a word such as "my"
NEAR = 0.6  # of the best score: what fits less is not shown
MOST_WORDS = 24


@dataclass(frozen=True, slots=True)
class Hit:
    """A product that fits: its models that do what was asked, best first, the work, and how well it fits (low is good)."""

    card: Card
    models: tuple[Model, ...]
    work: str | None
    rank: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What was found. `instead`: a name that was said is not sold; `chat`: a chat model answers that."""

    hits: tuple[Hit, ...] = ()
    instead: bool = False
    chat: bool = False


def find(texts: Texts, catalog: Catalog, said: str) -> Found:
    """Return the products that serve what was said."""
    asked = _Asked(_words(texts), catalog, said)
    named = {card: found for card in catalog.cards.values() if (found := asked.name(card))}
    works = {key: score for key in asked.works.phrases if (score := asked.score(key))}
    if not named:
        works |= dict.fromkeys((INSTEAD + model.type for model in _off_sale(catalog, said)), 1.0)
    chat, best = works.pop(CHAT, 0.0), max(works.values(), default=0.0)
    begun = {card: (0.0, asked.begins(card)) for card in catalog.cards.values()}
    hits = [hit for card in catalog.cards.values() if (hit := _hit(card, named or begun, works, bool(named)))]
    if not named:
        top = max((-hit.rank[1] for hit in hits), default=0.0)
        hits = [hit for hit in hits if -hit.rank[1] >= NEAR * top]
    hits.sort(key=lambda hit: hit.rank)
    work = hits[0].work if hits and not named else None
    is_own = work is None or works.get(WORK + work, 0.0) >= ADDED * works.get(INSTEAD + work, 0.0)
    return Found(tuple(hits), instead=not is_own, chat=bool(chat) and chat >= best)


def nearest(texts: Texts, catalog: Catalog, said: str) -> Found:
    """Return what comes near when nothing fits: lines about products with one of the words, or names much alike.

    A description that is like neither wants a picture, or if it speaks of the person's own, an edited one.
    """
    known, spoken = _words(texts), words_of(said)
    words = [word for word in spoken if len(word) >= SHORTEST_PART and word not in known.ignored]
    hits = []
    for card in catalog.cards.values():
        about = {word for line in _lines_about(texts, card) for word in words_of(line)}
        shared = sum(any(_begins_alike(word, other) for other in about) for word in words)
        alike = max((likeness(word, name) for word in words for name in words_of(card.title)), default=0.0)
        if shared or alike >= NEAR:
            hits.append(Hit(card, card.models, None, (-shared, -alike)))
    if not hits and len(words) > 1:
        works = {WORK + ("text-to-image" if known.own.isdisjoint(spoken) else "image-edit"): 1.0}
        nameless = dict.fromkeys(catalog.cards.values(), (0.0, 0.0))
        hits = [hit for card in nameless if (hit := _hit(card, nameless, works, named=False))]
    return Found(tuple(sorted(hits, key=lambda hit: hit.rank)))


def _off_sale(catalog: Catalog, said: str) -> Iterator[Model]:
    """Yield the models that are called what was said, but are off sale."""
    words = set(words_of(said))
    off = (model for model in catalog.known.values() if model.id not in catalog.models)
    return (model for model in off if set(words_of(model.title)) <= words)


def _hit(card: Card, names: Mapping[Card, tuple[float, float]], works: Mapping[str, float], named: bool) -> Hit | None:
    """Return how a product fits: by its name if any name was said (`named`), and by the best of its works."""
    if card not in names:
        return None
    scores = [(_best(card, model, works), -place, model) for place, model in enumerate(card.models)]
    (score, work), _place, _model = max(scores, key=lambda one: (one[0][0], one[1]))
    if not named and not score:
        return None
    fits = tuple(model for (own, _work), _place, model in scores if own == score)
    count, share = names[card]
    return Hit(card, fits, work, (-count, -score, -share))


def _best(card: Card, model: Model, works: Mapping[str, float]) -> tuple[float, str | None]:
    """Return (the best score of what a model does, and its work if it is one)."""
    best: tuple[float, str | None] = (0.0, None)
    for work, share in _works_of(model).items():
        score = share * max(works.get(WORK + work, 0.0), ADDED * works.get(INSTEAD + work, 0.0))
        if score > best[0]:
            best = (score, work)
    mode = works.get(MODE + model.mode_title.partition(".")[2], 0.0)
    own = max((score for key, score in works.items() if key.startswith(CARD) and _is_of(card, key)), default=0.0)
    return (max(best[0], mode) + ABOUT_IT * own, best[1])


def _works_of(model: Model) -> dict[str, float]:
    """Return {work: how much it counts} of a model: what it is made for, and what a file that its form accepts adds.

    One that wants an earlier result comes after others, and makes nothing of words alone.
    """
    if model.wants_result:
        return {work: OF_A_RESULT for work in (model.type, *model.modes) if work not in model.works("text")}
    return dict.fromkeys(model.added_works, ADDED) | dict.fromkeys((model.type, *model.modes), 1.0)


def _is_of(card: Card, key: str) -> bool:
    name = key.removeprefix(CARD)
    return card.id == name or card.id.startswith(f"{name}-")


def _lines_about(texts: Texts, card: Card) -> Iterator[str]:
    yield from card.abouts.values()
    key = f"about.{card.id}"
    yield from (texts.plain(lang, key) for lang in texts.languages if texts.has(key) and texts.has_in(lang, key))


# the words of all languages


@dataclass(frozen=True, slots=True)
class Words:
    """All that the texts say: works and names by their phrases, words of one meaning, and words that say little."""

    works: Index
    names: Index
    same: Index
    ignored: frozenset[str]
    about: frozenset[str]
    order: frozenset[str]
    own: frozenset[str]


def _words(texts: Texts) -> Words:
    """Return the words as they are now: an owner may have changed some in the chat."""
    keys = sorted(key for key in texts.keys(texts.default) if key.startswith("search."))
    pairs = ((key, texts.plain(lang, key)) for key in keys for lang in texts.languages if texts.has_in(lang, key))
    return _read(tuple(pairs))


@lru_cache(maxsize=4)
def _read(pairs: tuple[tuple[str, str], ...]) -> Words:
    same = index((key, text) for key, text in pairs if key.startswith(SAME))
    works = ((key, text) for key, text in pairs if not key.startswith((SAME, NAME)) and key not in PLAIN)
    return Words(
        index(works, same),
        index((key, text) for key, text in pairs if key.startswith(NAME)),
        same,
        *(frozenset(word for key, text in pairs if key == one for word in words_of(text)) for one in PLAIN),
    )


def _begins_alike(one: str, other: str) -> bool:
    """Tell whether two words may be forms of one: they begin alike, but for their endings."""
    short = min(len(one), len(other))
    return short > SHORTEST_PART and one[: max(4, short - 2)] == other[: max(4, short - 2)]


class _Asked:
    """What was said, word by word, and what each word fits."""

    def __init__(self, words: Words, catalog: Catalog, said: str) -> None:
        self.works, self._same, self._ignored, self._about = words.works, words.same, words.ignored, words.about
        self._order = words.about | words.order
        self._told = {word for card in catalog.cards.values() for name in _names(card) for word in name}
        plain = words_of(said)[:MOST_WORDS]
        self._words = _respelt(plain, words, self._told)
        self._fits = [self._fitting(word) for word in self._words]
        self._named = [self._name_words(word) for word in self._words]
        self._weights = [self._weight(*pair) for pair in zip(self._words, self._fits, strict=True)]
        after = next((at for at, word in enumerate(self._words) if word in self._about), len(plain))
        self._weights[after:] = [SUBJECT * weight for weight in self._weights[after:]]
        self._media = {at: medium for at, fit in enumerate(self._fits[:after]) for medium in fit if medium in MEDIA}

    def _fitting(self, word: str) -> dict[str, float]:
        """Return {word of a phrase: how much it counts} for one word that was said."""
        meaning = self._same.meaning(word)
        found = self.works.exact(word) | ({meaning: ALIKE} if meaning != word else {})
        if found or word in self._told | self._ignored:
            return found
        return (unfinished(word, self.works.keys) if len(self._words) == 1 else {}) or similar(word, self.works.keys)

    def _name_words(self, word: str) -> dict[str, float]:
        """Return {word of a product's name: how much it counts} for one word that was said."""
        told = self._told
        if word[0].isdigit():
            later = {name: UNFINISHED for name in told if name.startswith(f"{word}.")}
            return later | {name: 1.0 for name in (word, f"{word}.0") if name in told}
        if word in told:
            return {word: 1.0}
        if word in self._ignored or self.works.exact(word):
            return {}
        return (unfinished(word, told) if len(self._words) == 1 else {}) or similar(word, told)

    def _weight(self, word: str, fit: Mapping[str, float]) -> float:
        """Return the weight of a word: one that many works share says little."""
        if word in self._ignored:
            return SAYS_LITTLE
        keys = {key for word in fit for key in self.works.keys.get(word, ())}
        most = MOST_OF_TYPO if TYPO in fit.values() else 1.0
        return min(most, len(keys) ** -0.5) if keys else 0.0

    def score(self, key: str) -> float:
        """Return the sum of the words that the phrases of a key cover, each phrase being said whole; 0 if none fits."""
        covered = dict[int, float]()
        for phrase in self.works.phrases[key]:
            places = places_of(phrase, self._fits)
            in_order = list(places) == sorted(places)
            if not in_order and not self._order.isdisjoint(phrase):
                continue  # "music for a video" is no "video for music", and "text to voice" no "voice to text"
            bonus = IN_ORDER if len(places) > 1 and in_order else 1.0
            for at, counts in places.items():
                covered[at] = max(counts * bonus, covered.get(at, 0.0))
        share = self._of_media(key, covered) if covered else 0.0
        return share * sum(self._weights[at] * counts for at, counts in covered.items())

    def _of_media(self, key: str, covered: dict[int, float]) -> float:
        """Cover the media that a work has a part in, as people say them beside it; return what the others leave of it."""
        share, work = 1.0, key.rpartition(".")[2]
        for at, medium in self._media.items():
            works, less = MEDIA[medium]
            if at in covered or work in works:
                covered.setdefault(at, ALIKE)
            else:
                share *= less
        return share

    def name(self, card: Card) -> tuple[float, float] | None:
        """Return (words of a product's name that were said, which share of it), or None without its first one.

        A first word that is also one for a work, as in Spanish *imagen*, is no name alone.
        """
        best = None
        for name in _names(card):
            said = [max((found.get(word, 0.0) for found in self._named), default=0.0) for word in name]
            if said[0] and (all(said[1:]) and len(said) > 1 or not self._is_common(name[0])):
                best = max(best or (0.0, 0.0), (sum(said), sum(said) / len(name)))
        return best

    def begins(self, card: Card) -> float:
        """Return 1 if the first word of a product's name was said, else 0."""
        return float(any(name[0] in self._words for name in _names(card)))

    def _is_common(self, word: str) -> bool:
        return any(
            key != CHAT and not found.isdisjoint(self.works.exact(word)) for key, found in self.works.alone.items()
        )


def _respelt(said: list[str], words: Words, told: set[str]) -> list[str]:
    """Return the words with names in another spelling, or another alphabet, replaced by how products spell them."""
    names, known = words.names, told | words.ignored
    fits = [
        names.exact(word) or ({} if word in known or words.works.exact(word) else similar(word, names.keys))
        for word in said
    ]
    fitting = ((key, phrase, places_of(phrase, fits)) for key, found in names.phrases.items() for phrase in found)
    respelt, taken = list[str](), set[int]()
    for key, _phrase, places in sorted((one for one in fitting if one[2]), key=lambda one: -len(one[1])):
        if not taken & set(places):
            respelt += words_of(key.removeprefix(NAME))
            taken |= set(places)
    return respelt + [word for at, word in enumerate(said) if at not in taken]


def _names(card: Card) -> list[list[str]]:
    return [words_of(name) for name in (card.title, *card.aliases)]
