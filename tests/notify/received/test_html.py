"""HTML of e-mails: as lines of text, and made safe to show."""

from __future__ import annotations

import lxml.html  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.notify.received.html_events import MAX_HTML_CHARACTERS
from services.notify.received.html_lines import words_of
from services.notify.received.html_shown import MAX_SHOWN_CHARACTERS, sanitised


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<div>one</div><div><br></div><div>two</div>", "one\n\ntwo"),
        ("one<br>two<br><br>three", "one\ntwo\n\nthree"),
        ("<p class=MsoNormal>one<o:p></o:p></p><p class=MsoNormal><o:p>&nbsp;</o:p></p>two", "one\n\ntwo"),
        ("<ul><li>one<ol><li>a<li>b</ol><li>two</ul>", "- one\n  1. a\n  2. b\n- two"),
        ('<a href="https://a.example/x?y=1">here</a>', "here <https://a.example/x?y=1>"),
        ('<a href="https://www.a.example/">a.example</a>', "a.example"),
        ('<a href="mailto:a@b.example">a@b.example</a>', "a@b.example"),
        ('<a href="javascript:alert(1)">here</a>', "here"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td> </td><td>c</td></tr></table>", "a | b\nc"),
        ("<table><tr><td><p>a</p><p>b</p></td></tr></table>", "a\n\nb"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("<blockquote type=cite>a<blockquote>b</blockquote></blockquote>c", "> a\n> > b\nc"),
        ('<blockquote style="margin:0 0 0 40px;border:none;padding:0px">indented</blockquote>', "indented"),
        ('a<span style="display: none">b</span><style>c</style><script>d</script><title>e</title>f', "af"),
        ('<img src="cid:1" alt="Logo"><img src=x width=1 height=1 alt=t><img src="cid:2">', "[Logo][image]"),
        ('<img src=x alt="🙂">', "🙂"),
        ("", ""),
        ("a &lt;b&gt; &amp; c", "a <b> & c"),
    ],
)  # fmt: skip
def test_html_becomes_lines(html: str, text: str) -> None:
    assert words_of(html) == text


def test_nothing_is_loaded_or_run_by_what_is_shown() -> None:
    shown = sanitised(
        '<p onclick="x()" style="background:url(https://t.example)">Hi <b>you</b><script>x()</script></p>'
        '<img src="https://t.example/p.png" alt="Logo"><img src="cid:1" alt="Plan" onerror="x()">'
        '<form action="https://t.example"><input name=a><button>Send</button></form>'
        '<iframe src="//t.example"></iframe><svg><script>x()</script></svg>'
        '<a href="javascript:x()">no</a><a href="https://ok.example" target=_blank>yes</a>'
        '<link rel=stylesheet href="https://t.example/s.css"><base href="https://t.example">'
    )
    assert "Hi <b>you</b>" in shown
    assert '<img alt="Logo">' in shown
    assert '<img alt="Plan">' in shown
    assert 'href="https://ok.example"' in shown
    assert "t.example" not in shown
    tree = lxml.html.fragment_fromstring(shown, create_parent=True)
    assert {name for element in tree.iter() for name in element.attrib} <= {"alt", "href", "rel"}
    assert {element.tag for element in tree.iter()} <= {"div", "p", "b", "img", "a"}
    assert "x()" not in shown


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 100_000 + "end",
        "<blockquote>" * 50_000 + "end",
        "<table><tr><td>" * 20_000 + "end",
        "<b><i>" * 50_000 + "end",
        "<p " + " ".join(f"a{i}=1" for i in range(50_000)) + ">end",
        "<ul><li>" * 30_000 + "end",
    ],
)
def test_hostile_nesting_is_read_and_shown(html: str) -> None:
    assert words_of(html).endswith("end")
    assert "end" in sanitised(html)


def test_after_a_million_characters_only_the_words_are_kept() -> None:
    text = words_of("<p>word</p>" * (MAX_HTML_CHARACTERS // 10) + "<p>last</p>")
    assert text.count("word") == MAX_HTML_CHARACTERS // 10
    assert text.rstrip().endswith("last")
    assert sanitised("x" * 2 * MAX_SHOWN_CHARACTERS).endswith("x…")


def test_pictures_within_the_html_do_not_count() -> None:
    assert (
        words_of(f'<p>one</p><img alt="" src="data:image/png;base64,{"A" * 3_000_000}"><p>two</p>')
        == "one\n\ntwo"
    )


@given(st.text(st.sampled_from("<>/=\"' abdiqv&;!-\x00"), max_size=80))
@settings(max_examples=200, deadline=None)
def test_any_html_is_read_and_shown(html: str) -> None:
    words_of(f"<div {html}<blockquote {html}")
    assert "<script" not in sanitised(html)
