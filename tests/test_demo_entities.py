"""Formatted text as Telegram parses it: entities in UTF-16 units, errors in Telegram's wording."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.entities import formatted
from demo.rules import ApiError, utf16


def spans(text, mode, **given):
    """Return the plain text and `(type, what it covers)` of each entity."""
    plain, entities = formatted(text, mode, **given)
    units = plain.encode("utf-16-le")
    return plain, [
        (entity["type"], units[2 * entity["offset"] : 2 * (entity["offset"] + entity["length"])].decode("utf-16-le"))
        for entity in entities
    ]


def why(text, mode):
    """Return what the parser complains about."""
    with pytest.raises(ApiError) as failure:
        formatted(text, mode)
    return failure.value.description.removeprefix("Bad Request: can't parse entities: ")


@pytest.mark.parametrize(
    ("source", "plain", "found"),
    [
        ("Alice &lt;3 &amp; &quot;x&quot; &#128512; &nbsp;", 'Alice <3 & "x" 😀 &nbsp;', []),
        ("<b>a<i>b</i></b>", "ab", [("bold", "ab"), ("italic", "b")]),
        ("😀<b>é</b>", "😀é", [("bold", "é")]),
        ("<u>a</u><ins>b</ins><s>c</s>", "abc", [("underline", "a"), ("underline", "b"), ("strikethrough", "c")]),
        ("<tg-spoiler>a</tg-spoiler><span class='tg-spoiler'>b</span>", "ab", [("spoiler", "a"), ("spoiler", "b")]),
        ("<code>a &lt; b</code>", "a < b", [("code", "a < b")]),
        ("<a href='https://a.b/?x=1&amp;y'>link</a>", "link", [("text_link", "link")]),
        ("<a href='nonsense'>link</a>", "link", []),
        ("<A href='https://a.b'>x</A >", "x", [("text_link", "x")]),
        ("<blockquote expandable>a</blockquote>", "a", [("expandable_blockquote", "a")]),
        ("<code>/start a@b.com</code>", "/start a@b.com", [("code", "/start a@b.com")]),
        ("  <b> x </b>  ", "x", [("bold", "x")]),
        ("<b></b>x", "x", []),
    ],
)
def test_html(source, plain, found):
    assert spans(source, "HTML") == (plain, found)


def test_html_links_names_emoji_and_languages_carry_their_values():
    text = '<a href="tg://user?id=7">a</a><tg-emoji emoji-id="5">😀</tg-emoji>'
    text += '<pre><code class="language-py">x</code></pre>'
    mention, emoji, code = formatted(text, "HTML")[1]
    assert (mention["type"], mention["user"]["id"]) == ("text_mention", 7)
    assert emoji["custom_emoji_id"] == "5"
    assert (code["type"], code["language"]) == ("pre", "py")


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("Alice <3", "Unclosed start tag at byte offset 6"),
        ("ё<3 >", 'Unsupported start tag "3" at byte offset 2'),
        ("<b>x", 'Can\'t find end tag corresponding to start tag "b"'),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("<b>x</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("<b>x</b", "Unclosed end tag at byte offset 4"),
        ("<div>x</div>", 'Unsupported start tag "div" at byte offset 0'),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("<a href>x</a>", 'Expected equal sign in declaration of an attribute of the tag "a" at byte offset 0'),
        ('<a ="x">x</a>', 'Empty attribute name in the tag "a" at byte offset 0'),
        ('<a href="x', "Unclosed start tag at byte offset 0"),
        ("<a href=a/b>x</a>", "Unexpected end of name token at byte offset 8"),
    ],
)
def test_html_errors(source, complaint):
    assert why(source, "HTML") == complaint


@pytest.mark.parametrize(
    ("source", "plain", "found"),
    [
        (r"1\.0 \*", "1.0 *", []),
        ("*a _b_ __c__ ~d~ ||e||*", "a b c d e", "bold italic underline strikethrough spoiler"),
        ("`a*b`", "a*b", "code"),
        ("```py\nx = 1```", "x = 1", "pre"),
        (r"[a](https://a.b/c_\))", "a", "text_link"),
        ("![😀](tg://emoji?id=5)", "😀", "custom_emoji"),
        (">a\n>b\nc", "a\nb\nc", "blockquote"),
        ("**>a\n>b||\nc", "a\nb\nc", "expandable_blockquote"),
    ],
)
def test_markdown_v2(source, plain, found):
    text, entities = spans(source, "MarkdownV2")
    assert text == plain
    assert [kind for kind, _ in entities] == (found.split() if found else [])


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("1.0", "Character '.' is reserved and must be escaped with the preceding '\\'"),
        ("🏟 🏟_abacaba", "Can't find end of Italic entity at byte offset 9"),
        ("🏟 🏟_abac * asd _", "Can't find end of Italic entity at byte offset 21"),
        ("🏟 🏟```a ", "Can't find end of PreCode entity at byte offset 9"),
        ("🏟 🏟_🏟 🏟__", "Can't find end of Underline entity at byte offset 19"),
        ("[a](b", "Can't find end of a URL at byte offset 4"),
        ("![a](https://a.b)", "Custom emoji entity must contain a tg://emoji URL"),
    ],
)
def test_markdown_v2_errors(source, complaint):
    assert why(source, "MarkdownV2") == complaint


def test_old_markdown():
    plain, found = spans("*a* _b_ `c` [d](https://x.y) \\* ```\ncode```", "markdown")
    assert plain == "a b c d * code"
    assert [kind for kind, _ in found] == ["bold", "italic", "code", "text_link", "pre"]
    assert why("*a", "Markdown") == "Can't find end of the entity starting at byte offset 0"


def test_what_telegram_finds_by_itself():
    text = "/go@demo_bot @bob_1 #tag https://a.b/c?d. t.me/x a@b.com 5/6 #1"
    assert spans(text, "")[1] == [
        ("bot_command", "/go@demo_bot"),
        ("mention", "@bob_1"),
        ("hashtag", "#tag"),
        ("url", "https://a.b/c?d"),
        ("url", "t.me/x"),
        ("email", "a@b.com"),
    ]


def test_entities_that_come_ready_made_are_moved_with_the_trimmed_text():
    given = [{"type": "bold", "offset": 0, "length": 4}, {"type": "bot_command", "offset": 0, "length": 4}]
    assert spans("  ab", "", given=given) == ("ab", [("bold", "ab")])
    assert len(formatted("x" * 200, "", [{"type": "bold", "offset": n, "length": 1} for n in range(200)])[1]) == 100


def test_half_a_surrogate_pair_is_no_text():
    with pytest.raises(ApiError, match="strings must be encoded in UTF-8"):
        formatted("\ud800", "")


@given(
    st.text("<>&/;a ='\"!-_*[]()~`|>#+.{}\\\n😀ё", max_size=30), st.sampled_from(["HTML", "MarkdownV2", "Markdown", ""])
)
def test_any_text_parses_or_is_refused(source, mode):
    try:
        plain, entities = formatted(source, mode)
    except ApiError as error:
        assert error.code == 400
        return
    for entity in entities:
        assert entity["length"] > 0
        assert 0 <= entity["offset"] <= entity["offset"] + entity["length"] <= utf16(plain)
