"""Formatted text: HTML, MarkdownV2 and Markdown parsed into plain text and entities, as Telegram does.

Offsets and lengths of entities count UTF-16 units; offsets in error texts count bytes. The grammar is the documented
one (core.telegram.org/bots/api#formatting-options); the error texts are those of tdlib (td/telegram/MessageEntity.cpp).
Parsers return `(text, entities)` or raise ApiError.
"""

import re
from dataclasses import dataclass

from demo.rules import ENTITIES_MAX, bad, is_link, utf16

HTML_TAGS = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline",
    "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough", "code": "code", "pre": "pre",
    "tg-spoiler": "spoiler", "span": "spoiler", "a": "text_link", "tg-emoji": "custom_emoji", "tg-time": "date_time",
    "blockquote": "blockquote",
}  # fmt: skip
QUOTE_END = re.compile(r"\|\|(?:\n|$)")  # of an expandable quotation
NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
RESERVED = frozenset("_*[]()~`>#+-=|{}.!")
TD_NAMES = {
    "bold": "Bold", "italic": "Italic", "underline": "Underline", "strikethrough": "Strikethrough",
    "spoiler": "Spoiler", "text_link": "TextUrl", "custom_emoji": "CustomEmoji", "code": "Code", "pre": "Pre",
}  # fmt: skip
GIVEN = (*TD_NAMES, "blockquote", "expandable_blockquote", "text_mention", "date_time")

_HTML_SPECIAL = re.compile(r"[<&]")
_HTML_ENTITY = re.compile(r"&(?:#x([0-9a-fA-F]+)|#([0-9]+)|([A-Za-z]+));?")
_FOUND = re.compile(
    r"(?P<url>\bhttps?://[^\s<>\"']+)"
    r"|(?P<email>\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+)"
    r"|(?P<bot_command>(?<![\w/<>&@.])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/<>]))"
    r"|(?P<mention>(?<![\w/@.])@[A-Za-z0-9_]{3,32}\b)"
    r"|(?P<hashtag>(?<![\w/@#&])#(?!\d+\b)\w{1,256})"
    r"|(?P<link>(?<![\w@./-])(?:[A-Za-z0-9-]+\.)+(?:com|org|net|io|ai|me|ru|dev|app|xyz|info)\b(?:/[^\s<>\"']*)?)"
)


def formatted(text, parse_mode, given=None):
    """Return plain text and entities of what a bot sends: by `parse_mode`, or with the `given` entities.

    White space around the text is removed, as Telegram does. Links, commands, mentions and hashtags are found
    automatically.
    """
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise bad("strings must be encoded in UTF-8") from None
    mode = (parse_mode or "").lower()
    if mode not in PARSERS:
        raise bad("unsupported parse_mode")
    if PARSERS[mode]:
        text, entities = PARSERS[mode](text)
    else:
        entities = [read_given(entity) for entity in given or () if entity.get("type") in GIVEN]
    text, entities = trim(text, entities)
    return text, tidy(entities + found(text, entities))


def read_given(entity):
    """Return an entity that was given ready-made, or raise if it is not valid."""
    if not isinstance(entity.get("offset"), int) or not isinstance(entity.get("length"), int) or entity["length"] <= 0:
        raise bad('can\'t parse MessageEntity: Field "length" must be a positive Number')
    if entity["type"] == "text_link" and not is_link(str(entity.get("url"))):
        raise bad(f"entity URL '{entity.get('url')}' is invalid: Wrong HTTP URL")
    return dict(entity)


def trim(text, entities):
    """Return text without the white space around it, and the entities moved and cut accordingly."""
    bare = text.strip()
    if bare == text:
        return text, entities
    ahead, end = len(text) - len(text.lstrip()), utf16(bare)
    kept = []
    for entity in entities:
        start = max(entity["offset"] - ahead, 0)  # every kind of white space is one UTF-16 unit
        stop = min(entity["offset"] - ahead + entity["length"], end)
        if stop > start:
            kept.append(entity | {"offset": start, "length": stop - start})
    return bare, kept


def tidy(entities):
    """Return entities in Telegram's order, without those inside code, at most 100."""
    if not entities:
        return entities
    code = [(e["offset"], e["offset"] + e["length"]) for e in entities if e["type"] in ("code", "pre")]
    if code:
        entities = [e for e in entities if e["type"] in ("code", "pre") or not _inside(e, code)]
    return sorted(entities, key=lambda e: (e["offset"], -e["length"]))[:ENTITIES_MAX]


def _inside(entity, spans):
    start, stop = entity["offset"], entity["offset"] + entity["length"]
    return any(begin <= start and stop <= end for begin, end in spans)


def found(text, entities):
    """Return the entities that Telegram finds by itself: commands, links, mentions, hashtags, addresses."""
    if not any(sign in text for sign in "/@#."):
        return []
    taken = [(e["offset"], e["offset"] + e["length"]) for e in entities if e["type"] in ("code", "pre", "text_link")]
    result = []
    for match in _FOUND.finditer(text):
        kind = "url" if match.lastgroup == "link" else match.lastgroup
        words = match.group().rstrip(".,;:!?)") if kind == "url" else match.group()
        entity = {"type": kind, "offset": utf16(text[: match.start()]), "length": utf16(words)}
        if not taken or not _inside(entity, taken):
            result.append(entity)
    return result


@dataclass
class Open:
    """A tag or sign that has opened an entity: its type, its place in the result and in the source."""

    type: str
    offset: int  # UTF-16 units of the result
    at: int  # characters of the source
    name: str = ""
    value: str = ""
    chunk: int = 0  # index into the pieces of the result


class Parser:
    """What all three parsers share: a position in the source, the result so far and the entities still open."""

    def __init__(self, source):
        self.source, self.i = source, 0
        self.pieces, self.units = [], 0
        self.open, self.entities = [], []

    def put(self, text):
        """Add plain text to the result."""
        self.pieces.append(text)
        self.units += utf16(text)

    def begin(self, type, at, **more):
        """Open an entity that begins at character `at` of the source."""
        self.open.append(Open(type, self.units, at, chunk=len(self.pieces), **more))

    def fail(self, text, at=None):
        """Return Telegram's error, followed by the byte offset of `at` if given."""
        place = "" if at is None else f" at byte offset {len(self.source[:at].encode())}"
        return bad(f"can't parse entities: {text}{place}")

    def add(self, opened, **more):
        """Keep the entity `opened`, ending here, unless it is empty."""
        if self.units > opened.offset:
            entity = {"type": opened.type, "offset": opened.offset, "length": self.units - opened.offset}
            self.entities.append(entity | more)

    def add_link(self, opened, url):
        """Keep a link; one with an invalid address leaves only its text, and tg://user names a person."""
        url = url or "".join(self.pieces[opened.chunk :])
        user = re.fullmatch(r"tg://user\?id=(\d+)", url)
        if user:
            opened.type = "text_mention"
            self.add(opened, user={"id": int(user[1]), "is_bot": False, "first_name": ""})
        elif is_link(url):
            self.add(opened, url=url if "://" in url else f"http://{url}")

    def result(self):
        """Return the plain text and the entities."""
        return "".join(self.pieces), self.entities


def parse_html(source):
    """Parse Telegram's HTML."""
    if "<" not in source and "&" not in source:
        return source, []
    return Html(source).parse()


class Html(Parser):
    """The HTML parse mode."""

    def parse(self):
        """Return text and entities of the whole source."""
        while special := _HTML_SPECIAL.search(self.source, self.i):
            self.put(self.source[self.i : special.start()])
            self.i = special.start()
            if special.group() == "&":
                self.put(self.character())
            elif self.source.startswith("</", self.i):
                self.end_tag()
            else:
                self.start_tag()
        self.put(self.source[self.i :])
        if self.open:
            raise self.fail(f'Can\'t find end tag corresponding to start tag "{self.open[-1].name}"')
        return self.result()

    def character(self):
        """Read `&…;` here and return the character it stands for, or the ampersand itself."""
        match = _HTML_ENTITY.match(self.source, self.i)
        meant = _decode(match) if match else ""
        self.i = match.end() if meant else self.i + 1
        return meant or "&"

    def start_tag(self):
        """Read a start tag with its attributes."""
        at = self.i
        match = re.compile(r"<([^\s>]*)").match(self.source, at)
        self.i, name = match.end(), match[1].lower()
        if self.i == len(self.source):
            raise self.fail("Unclosed start tag", at)
        if name not in HTML_TAGS:
            raise self.fail(f'Unsupported start tag "{name}"', at)
        attributes = dict(self.attributes(name, at))
        if name == "span" and attributes.get("class") != "tg-spoiler":
            raise self.fail('Tag "span" must have class "tg-spoiler"', at)
        kind = "expandable_blockquote" if name == "blockquote" and "expandable" in attributes else HTML_TAGS[name]
        key = {"a": "href", "code": "class", "tg-emoji": "emoji-id", "tg-time": "unix"}.get(name)
        self.begin(kind, at, name=name, value=attributes.get(key, ""))

    def attributes(self, name, at):
        """Yield the attributes of the tag that began `at`, and move past its `>`."""
        while True:
            self.skip_space(at)
            if self.source[self.i] == ">":
                self.i += 1
                return
            yield self.attribute(name, at)

    def attribute(self, name, at):
        """Read one attribute; return its name and value."""
        match = re.compile(r"[^\s=>]*").match(self.source, self.i)
        self.i, key = match.end(), match.group()
        if not key:
            raise self.fail(f'Empty attribute name in the tag "{name}"', at)
        self.skip_space(at)
        if name == "blockquote" and key == "expandable" and self.source[self.i] == ">":
            return key, ""
        if self.source[self.i] != "=":
            raise self.fail(f'Expected equal sign in declaration of an attribute of the tag "{name}"', at)
        self.i += 1
        self.skip_space(at)
        return key, self.value(at)

    def value(self, at):
        """Read an attribute's value: quoted, or a bare word of letters, digits, full stops and hyphens."""
        quote = self.source[self.i]
        if quote not in "\"'":
            match = re.compile(r"[A-Za-z0-9.-]*").match(self.source, self.i)
            if not re.match(r"[\s>]", self.source[match.end() :]):
                raise self.fail("Unexpected end of name token", self.i)
            self.i = match.end()
            return match.group().lower()
        end = self.source.find(quote, self.i + 1)
        if end < 0 or end + 1 == len(self.source):
            raise self.fail("Unclosed start tag", at)
        raw, self.i = self.source[self.i + 1 : end], end + 1
        return _HTML_ENTITY.sub(lambda match: _decode(match) or match.group(), raw)

    def skip_space(self, at):
        """Move past white space; the source must not end inside the tag that began `at`."""
        while self.i < len(self.source) and self.source[self.i].isspace():
            self.i += 1
        if self.i == len(self.source):
            raise self.fail("Unclosed start tag", at)

    def end_tag(self):
        """Read an end tag and keep the entity it closes."""
        at = self.i
        if not self.open:
            raise self.fail("Unexpected end tag", at)
        match = re.compile(r"</([^\s>]*)\s*").match(self.source, at)
        if self.source[match.end() : match.end() + 1] != ">":
            raise self.fail("Unclosed end tag", at)
        self.i, name = match.end() + 1, match[1].lower()
        opened = self.open.pop()
        if name and name != opened.name:
            place = f"Unmatched end tag at byte offset {len(self.source[:at].encode())}"
            raise self.fail(f'{place}, expected "</{opened.name}>", found "</{name}>"')
        self.close(opened)

    def close(self, opened):
        """Keep the entity of a closed tag."""
        if opened.type == "text_link":
            self.add_link(opened, opened.value)
        elif opened.type == "custom_emoji":
            if not opened.value.isdigit():
                raise self.fail("Invalid custom emoji identifier specified")
            self.add(opened, custom_emoji_id=opened.value)
        elif opened.type == "date_time":
            self.add(opened, unix_time=int(opened.value) if opened.value.isdigit() else 0)
        elif opened.type == "code" and opened.value.startswith("language-"):
            self.add(opened, language=opened.value.removeprefix("language-"))
        elif opened.type == "pre":
            self.close_pre(opened)
        else:
            self.add(opened)

    def close_pre(self, opened):
        """Keep a block of code; `<pre><code class="language-…">` names its language."""
        inner = self.entities[-1] if self.entities else {}
        same = (inner.get("offset"), inner.get("length")) == (opened.offset, self.units - opened.offset)
        if same and inner["type"] == "code":
            self.entities[-1] = inner | {"type": "pre"}
        else:
            self.add(opened)

    def result(self):
        """Return text and entities; a language belongs to blocks of code only."""
        text, entities = super().result()
        return text, [
            {key: value for key, value in entity.items() if key != "language" or entity["type"] == "pre"}
            for entity in entities
        ]


def _decode(match):
    """Return the character that a match of `_HTML_ENTITY` stands for, or "" if there is none."""
    if match[3]:
        return NAMED.get(match[3], "")
    code = int(match[1], 16) if match[1] else int(match[2])
    return "" if not 0 < code < 0x10FFFF or 0xD800 <= code <= 0xDFFF else chr(code)


class MarkdownV2(Parser):
    """The MarkdownV2 parse mode."""

    SIGNS = (
        ("__", "underline"),
        ("||", "spoiler"),
        ("```", "pre"),
        ("![", "custom_emoji"),
        ("_", "italic"),
        ("*", "bold"),
        ("~", "strikethrough"),
        ("`", "code"),
        ("[", "text_link"),
    )
    ENDS = {"text_link": "]", "custom_emoji": "]"} | {
        kind: sign for sign, kind in SIGNS if kind not in ("text_link", "custom_emoji")
    }

    def parse(self):
        """Return text and entities of the whole source."""
        self.quote = None
        while self.i < len(self.source):
            if not (self.line_start() or self.escaped() or self.plain() or self.end()):
                self.start()
        if self.open:
            top = self.open[-1]
            name = "PreCode" if top.value and top.type == "pre" else TD_NAMES[top.type]
            raise self.fail(f"Can't find end of {name} entity", top.at)
        self.end_quote()
        return self.result()

    def line_start(self):
        """Begin, continue or end a block quotation at the beginning of a line."""
        if (self.i and self.source[self.i - 1] != "\n") or (self.open and self.open[-1].type in ("code", "pre")):
            return False
        if self.source.startswith("**>", self.i) and not self.open:
            self.end_quote()
            self.quote, self.i = Open("expandable_blockquote", self.units, self.i), self.i + 3
            return True
        if self.source[self.i] == ">":
            self.quote, self.i = self.quote or Open("blockquote", self.units, self.i), self.i + 1
            return True
        self.end_quote()
        return False

    def end_quote(self):
        """Keep the quotation that ends with the last line."""
        quote, self.quote = self.quote, None
        if quote:
            self.add(quote)

    def escaped(self):
        """Take a character after a backslash literally."""
        following = self.source[self.i + 1 : self.i + 2]
        if self.source[self.i] != "\\" or not following or ord(following) > 126:
            return False
        self.put(following)
        self.i += 2
        return True

    def plain(self):
        """Take a character without a meaning here."""
        char = self.source[self.i]
        in_code = self.open and self.open[-1].type in ("code", "pre")
        if char in RESERVED and not (in_code and not self.source.startswith(self.ENDS[self.open[-1].type], self.i)):
            return False
        self.put(char)
        self.i += 1
        return True

    def end(self):
        """Close the innermost entity if its sign is here."""
        if not self.open or not self.source.startswith(self.ENDS[self.open[-1].type], self.i):
            return False
        top = self.open[-1]
        if top.type == "italic" and self.source.startswith("__", self.i):
            return False
        self.open.pop()
        self.i += len(self.ENDS[top.type])
        if top.type in ("text_link", "custom_emoji"):
            self.end_link(top)
        else:
            self.add(top, **({"language": top.value} if top.value else {}))
        return True

    def end_link(self, opened):
        """Read the `(address)` after a link's text."""
        url = ""
        if self.source.startswith("(", self.i):
            match = re.compile(r"\(((?:\\.|[^)\\])*)\)", re.DOTALL).match(self.source, self.i)
            if not match:
                raise self.fail("Can't find end of a URL", self.i + 1)
            url, self.i = re.sub(r"\\(.)", r"\1", match[1]), match.end()
        if opened.type == "text_link":
            self.add_link(opened, url)
            return
        emoji = re.fullmatch(r"tg://emoji\?id=(\d+)", url)
        if not emoji:
            raise self.fail("Custom emoji entity must contain a tg://emoji URL")
        self.add(opened, custom_emoji_id=emoji[1])

    def start(self):
        """Open an entity, or complain about a reserved character."""
        if self.quote and self.quote.type == "expandable_blockquote" and QUOTE_END.match(self.source, self.i):
            self.i += 2
            return
        for sign, kind in self.SIGNS:
            if self.source.startswith(sign, self.i):
                at, self.i = self.i, self.i + len(sign)
                self.begin(kind, at, value=self.language() if kind == "pre" else "")
                return
        raise self.fail(f"Character '{self.source[self.i]}' is reserved and must be escaped with the preceding '\\'")

    def language(self):
        """Read the language after three backticks, and the line break after it."""
        match = re.compile(r"([^\s`]+)(?=\s)").match(self.source, self.i)
        if match:
            self.i = match.end()
        line = re.compile(r"\r?\n").match(self.source, self.i)
        if line:
            self.i = line.end()
        return match[1] if match else ""


class Markdown(Parser):
    """The old Markdown parse mode: no nesting, and no errors except an entity without an end."""

    PLACES = re.compile(r"\\([_*`\[])|(```|[*_`])|\[", re.DOTALL)

    def parse(self):
        """Return text and entities of the whole source."""
        while place := self.PLACES.search(self.source, self.i):
            self.put(self.source[self.i : place.start()])
            self.i = place.end()
            if place[1]:
                self.put(place[1])
            elif place[2]:
                self.block(place[2], place.start())
            else:
                self.link(place.start())
        self.put(self.source[self.i :])
        return self.result()

    def block(self, sign, at):
        """Read up to the same sign again."""
        end = self.source.find(sign, self.i)
        if end < 0:
            raise self.fail(f"Can't find end of the entity starting at byte offset {len(self.source[:at].encode())}")
        opened = Open({"*": "bold", "_": "italic", "`": "code", "```": "pre"}[sign], self.units, at)
        inner, self.i = self.source[self.i : end], end + len(sign)
        language = re.match(r"([^\s`]+)\n", inner) if sign == "```" else None
        self.put(inner[language.end() :] if language else inner.removeprefix("\n") if sign == "```" else inner)
        self.add(opened, **({"language": language[1]} if language else {}))

    def link(self, at):
        """Read `[text](address)`."""
        match = re.compile(r"([^\]]*)\](?:\(([^)]*)\))?").match(self.source, self.i)
        if not match:
            raise self.fail(f"Can't find end of the entity starting at byte offset {len(self.source[:at].encode())}")
        opened, self.i = Open("text_link", self.units, at, chunk=len(self.pieces)), match.end()
        self.put(match[1])
        self.add_link(opened, match[2])


def _has_sign(source, signs):
    return any(sign in source for sign in signs)


def parse_markdown_v2(source):
    """Parse MarkdownV2."""
    return MarkdownV2(source).parse() if _has_sign(source, "\\_*[]()~`>#+-=|{}.!") else (source, [])


def parse_markdown(source):
    """Parse the old Markdown."""
    return Markdown(source).parse()


PARSERS = {"": None, "none": None, "html": parse_html, "markdownv2": parse_markdown_v2, "markdown": parse_markdown}
