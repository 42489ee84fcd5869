"""A chat model's Markdown as Telegram's HTML, in pages that Telegram takes, each with its tags closed.

Whatever a model writes comes out as balanced HTML: what is no markup is escaped, and a mark without its twin stays a
character. A page is made of whole lines where it can be; a block of code that is cut goes on in the next page.
"""

import re
from collections.abc import Iterator

from markupsafe import Markup, escape

FENCE = re.compile(r"\s*(```+|~~~+)\s*([\w+#-]*)[^`]*")
CLOSING = re.compile(r"\s*(```+|~~~+)\s*")
HEADER = re.compile(r"\s{0,3}#{1,6}\s+(.*?)\s*#*\s*")
RULE = re.compile(r"\s*([-*_])(\s*\1){2,}\s*")
BULLET = re.compile(r"(\s*)[-*+]\s+(.*)")
QUOTE = re.compile(r"\s{0,3}>\s?(.*)")
TABLE = re.compile(r"\s*\|.*\|\s*")
TABLE_RULE = re.compile(r"[\s|:-]+")
SPAN = 400  # characters that marks may be apart
INLINE = re.compile(
    rf"(?P<code>(?P<ticks>`+)(?P<raw>.{{1,{SPAN}}}?)(?P=ticks)(?!`))"
    rf"|\[(?P<label>[^\[\]]{{1,300}})\]\((?P<url>https?://[^\s()<>\"]{{1,1000}})\)"
    rf"|(?P<b>\*\*|__)(?=\S)(?P<bold>.{{1,{SPAN}}}?)(?<=\S)(?P=b)"
    rf"|~~(?=\S)(?P<gone>.{{1,{SPAN}}}?)(?<=\S)~~"
    rf"|(?<![\w*])\*(?=[^\s*])(?P<star>[^*]{{1,{SPAN}}}?)(?<=\S)\*(?![\w*])"
    rf"|(?<!\w)_(?=[^\s_])(?P<line>[^_]{{1,{SPAN}}}?)(?<=\S)_(?!\w)"
)
TAG_OF = {"bold": "b", "gone": "s", "star": "i", "line": "i"}
DEEPEST = 4  # marks within marks


def pages(text: str, size: int) -> list[str]:
    """Return a text as Markdown in pages, each of which shows at most `size` UTF-16 units."""
    return ["\n".join(page) for page in _cut(text.replace("\r\n", "\n").strip(), size)]


def html(page: str) -> Markup:
    """Return a page as Telegram's HTML; as it was written where nothing is left of it but marks."""
    made = _html(page.split("\n"))
    return made if made.striptags().strip() else escape(page)


def length(text: str) -> int:
    """Return the UTF-16 units of a text, in which Telegram counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _cut(text: str, size: int) -> Iterator[list[str]]:
    """Yield the lines of each page; a fence that is open at its end is closed there and opened again."""
    page, used, fence = [], 0, ""
    for line in (part for whole in text.split("\n") for part in _short(whole, size // 2)):
        units, turns = length(line) + 1, (CLOSING if fence else FENCE).fullmatch(line)
        if page and used + units > size - len("```"):
            yield [*page, "```"] if fence else page
            page, used = ([fence], length(fence) + 1) if fence else ([], 0)
        page.append(line)
        used += units
        if turns:
            fence = "" if fence else line[:40]
    if any(line.strip() for line in page):
        yield page


def _short(line: str, size: int) -> Iterator[str]:
    """Yield a line in parts of at most `size` units, cut at spaces where there are any."""
    while length(line) > size:
        head = line.encode("utf-16-le", "surrogatepass")[: 2 * size].decode("utf-16-le", "ignore")
        cut = head.rfind(" ") + 1 or len(head)
        yield line[:cut]
        line = line[cut:]
    yield line


def _html(lines: list[str]) -> Markup:
    """Return the HTML of a page's lines."""
    made, waiting = [], list(lines)
    while waiting:
        line = waiting.pop(0)
        if fence := FENCE.fullmatch(line):
            made.append(_code(fence[2], _taken(waiting, lambda other: not CLOSING.fullmatch(other))))
            waiting[:1] = []  # the closing fence
        elif TABLE.fullmatch(line):
            rows = [line, *_taken(waiting, TABLE.fullmatch)]
            made.append(_code("", [row.strip() for row in rows if not TABLE_RULE.fullmatch(row)]))
        elif quote := QUOTE.fullmatch(line):
            said = [quote[1], *(QUOTE.fullmatch(other)[1] for other in _taken(waiting, QUOTE.fullmatch))]
            made.append(Markup("<blockquote>{}</blockquote>").format(Markup("\n").join(map(_line, said))))
        else:
            made.append(_line(line))
    return Markup("\n").join(made)


def _taken(waiting, fits):
    """Take lines away from the front as long as they fit, and return them."""
    count = next((place for place, line in enumerate(waiting) if not fits(line)), len(waiting))
    taken, waiting[:count] = waiting[:count], []
    return taken


def _code(language, lines):
    if not any(line.strip() for line in lines):
        return Markup("")
    named = Markup(' class="language-{}"').format(language) if language else Markup("")
    return Markup("<pre><code{}>{}</code></pre>").format(named, "\n".join(lines))


def _line(line):
    if RULE.fullmatch(line):
        return Markup("———")
    if header := HEADER.fullmatch(line):
        return Markup("<b>{}</b>").format(re.sub(r"\*\*|__", "", header[1])) if header[1] else Markup("")
    if bullet := BULLET.fullmatch(line):
        return Markup("{}• {}").format(bullet[1], _inline(bullet[2]))
    return _inline(line)


def _inline(text, depth=0):
    """Return the HTML of a line's marks, each with the marks inside it."""
    made, at = [], 0
    for found in INLINE.finditer(text) if depth < DEEPEST else ():
        made += [escape(text[at : found.start()]), _marked(found, depth)]
        at = found.end()
    return Markup("").join([*made, escape(text[at:])])


def _marked(found, depth):
    if found["code"]:
        return Markup("<code>{}</code>").format(found["raw"].strip() or found["raw"])
    if found["url"]:
        return Markup('<a href="{}">{}</a>').format(found["url"], found["label"])
    name = next(name for name in TAG_OF if found[name])
    return Markup("<{0}>{1}</{0}>").format(Markup(TAG_OF[name]), _inline(found[name], depth + 1))
