"""The comment: below the limit, safe whatever is in it, the gravest first."""

import html.parser
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from runbook.diff import comment, document
from runbook.diff.document import VERSION, Change, Document, DocumentError, Entry, Finding, StackDiff, Widening

ROOT = Path(__file__).parents[3]

NASTY = [
    "@everyone",
    "#1 owner/repo#2",
    "</details></summary><script>alert(1)</script>",
    "<!-- runbook-diff -->",
    "`code` ``more``",
    "``` \n# heading\n- list",
    "[click](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "https://evil.example www.evil.example a@b.example",
    "| a | b |",
    "\u202egnp.exe",
    "\\`",
    "&lt;b&gt;",
]


def full(text: str, number: int = 1) -> Document:
    """A document with ``text`` wherever a text of the change can be."""
    change = Change(path=text, before=text, after=text, replaces=True)
    entries = tuple(
        Entry(op=op, urn=text, type=text, name=text, was=text, stateful=stateful, because=(text,), changes=(change,))
        for op in ("removed", "replaced", "added", "changed", "moved")
        for stateful in (True, False)
    )
    widening = Widening(type=text, name=text, path=text, sentence=text, fresh=False)
    fresh = Widening(type=text, name=text, path=text, sentence=text, fresh=True)
    finding = Finding(
        rule=text, severity=text, mandatory=True, sentence=text, resource=text, file=text, line=1, waiver=text, was=text
    )
    return Document(
        version=VERSION,
        stacks=(
            StackDiff(stack="broken", refused=True, fault=(text,)),
            StackDiff(
                stack="dev",
                refused=False,
                note=text,
                resources=(1, 2),
                rules=(2, 1),
                entries=entries * number,
                grants=(widening, fresh) * number,
                openings=(widening,) * number,
                new=(finding,) * number,
                fixed=(finding,) * number,
                waived=(finding,) * number,
                unjudged=(text,) * number,
            ),
        ),
    )


def without_code(line: str) -> str:
    """The line as Markdown sees it: code spans, which begin and end with as many backticks, are taken out."""
    return re.sub(r"(?<!`)(`+)(?!`)(.*?)(?<!`)\1(?!`)", "", line)


@pytest.mark.parametrize("text", NASTY)
def test_nothing_of_the_change_stands_outside_of_a_code_span(text):
    told, harmless = (comment.text(full(each)).splitlines() for each in (text, "harmless"))
    assert list(map(without_code, told)) == list(map(without_code, harmless))


@pytest.mark.parametrize("text", NASTY)
def test_a_markdown_parser_sees_the_same_page_whatever_is_in_it(text):
    def kinds(tokens):
        return [(token.type, token.tag, kinds(token.children or ())) for token in tokens]

    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    assert kinds(parser.parse(comment.text(full(text)))) == kinds(parser.parse(comment.text(full("harmless"))))


def test_a_stack_of_an_odd_name_stays_a_word():
    text = comment.text(Document(version=VERSION, stacks=(StackDiff(stack="a|b @c <i>`", refused=False, note="new"),)))
    assert "| a?b??c??i?? | 0 → 0 |" in text
    assert "### a?b??c??i??\n" in text


@given(st.text(max_size=60))
def test_a_code_span_ends_where_it_should(text):
    span = comment.code(text)
    assert without_code(span) == ""
    assert "\n" not in span
    assert without_code(f"before {span} after") == "before  after"


class _Balance(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, _attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("number", [1, 30, 3000])
def test_it_is_below_the_limit_and_whole_whatever_the_size(number):
    text = comment.text(full("ü`" * 300, number), link="https://github.com/o/r/actions/runs/1")
    assert len(text.encode()) < 65_536
    balance = _Balance()
    balance.feed("\n".join(map(without_code, text.splitlines())))
    assert balance.open == []
    end = "Cut to what a comment can hold; all of it is in" if number > 1 else "The same as data is in"
    assert text.endswith(f"\n{end} [the artefact of this run](https://github.com/o/r/actions/runs/1).\n")


def test_what_is_left_out_is_counted():
    text = comment.text(full("x", 3000))
    assert re.search(r"^- and [\d,]+ more lines$", text, re.MULTILINE)


def test_the_marker_comes_first_and_the_verdict_next():
    lines = comment.text(full("x")).splitlines()
    assert lines[:2] == [comment.MARKER, "## ❌ A stack cannot be previewed"]


@pytest.mark.parametrize(
    ("stack", "verdict"),
    [
        (StackDiff(stack="dev", refused=False), "✅ Nothing changes"),
        (StackDiff(stack="dev", refused=False, note="new"), "✅ Clean"),
        (StackDiff(stack="dev", refused=True), "❌ Refused: a mandatory rule is broken"),
        (
            StackDiff(
                stack="dev", refused=False, openings=(Widening(type="t", name="n", path="", sentence="s", fresh=True),)
            ),
            "⚠️ Clean, but look closely",
        ),
    ],
)
def test_the_verdict_is_the_worst_that_is_true(stack, verdict):
    assert comment.text(Document(version=VERSION, stacks=(stack,))).splitlines()[1] == f"## {verdict}"


def test_losses_come_before_findings_and_those_before_the_folded_rest():
    text = comment.text(full("x"))
    order = [
        text.index(part)
        for part in ("deleted or replaced", "is allowed", "open to the world", "new finding", "<details>")
    ]
    assert order == sorted(order)


def test_the_counts_are_in_the_table():
    lines = comment.text(full("dev", 2)).splitlines()
    assert "| dev | 1 → 2 | 4 | 4 | 4 | 4 | 4 | 2 | 2 | 2 |" in lines


class TestDocument:
    def test_it_is_read_as_it_was_written(self):
        whole = full("x")
        assert document.read(document.text(whole)) == whole

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda text: text.replace('"version": 1', '"version": 2'), "Its version is not 1"),
            (
                lambda text: text.replace('"refused": true', '"refused": "no"'),
                "document.stacks[0].refused is not a bool.",
            ),
            (lambda text: text.replace('"op": "added"', '"op": "<b>"'), "document.stacks[1].entries[4].op is not a"),
            (lambda text: text.replace('"fresh"', '"stale"'), "lacks or has no use for 'fresh'."),
            (lambda text: text.replace('"stacks"', '"more": 1, "stacks"'), "document lacks or has no use for 'more'."),
            (lambda text: text[:-9], "It is not JSON"),
            (lambda _text: "[" * 100_000, "It is not JSON"),
            (lambda _text: "[]", "Its version is not 1"),
        ],
    )
    def test_anything_else_is_refused(self, change, message):
        with pytest.raises(DocumentError) as refusal:
            document.read(change(document.text(full("x"))))
        assert message in str(refusal.value)


class TestTheJobThatMayWrite:
    """It has no packages installed: ``-S`` and ``-I`` leave nothing but the standard library."""

    def run(self, path, *arguments):
        start = f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv[0] = 'x'; import runpy; "
        code = f"{start}runpy.run_module('runbook.diff', run_name='__main__')"
        return subprocess.run(
            [sys.executable, "-I", "-S", "-c", code, str(path), *arguments],
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    def test_it_writes_the_comment_with_the_standard_library_alone(self, tmp_path):
        (tmp_path / "diff.json").write_text(document.text(full("x")), encoding="utf-8")
        done = self.run(tmp_path / "diff.json", "--commit", "a" * 40, "--link", "https://github.com/o/r")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == comment.text(full("x"), commit="a" * 40, link="https://github.com/o/r")

    def test_what_is_no_difference_is_refused_without_a_traceback(self, tmp_path):
        (tmp_path / "diff.json").write_bytes(b"\xff\xfe")
        done = self.run(tmp_path / "diff.json")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"{tmp_path / 'diff.json'} is no difference. ")
        assert "Traceback" not in done.stderr
