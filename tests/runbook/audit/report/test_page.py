"""The page for people."""

import base64
import hashlib
import re
import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from runbook.audit.report import as_html

from . import examples
from .examples import HOSTILE

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


class Page(HTMLParser):
    """Elements with their attributes, and the text of the page."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.words = []
        self.open = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.words.append(data)

    def of(self, *tags):
        return [attributes for tag, attributes in self.elements if tag in tags]

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def html():
    return as_html.text(examples.report(changes=examples.CHANGES))


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_the_verdict_comes_first(page):
    assert "Audit of staging, prod ✗ Refused: staging by 2 judgements." in page.text
    assert (
        "Audit of prod ✓ Clean: no mandatory rule is broken."
        in Page(as_html.text(examples.report(examples.clean()))).text
    )


def test_a_finding_has_its_line_sentence_run_book_reason_and_remedy(page):
    assert (
        "✗ fail, refused in staging Port 22 is open. Port 3389 is open. components/net work.py:42 a (ec2.Subnet)"
        in page.text
    )
    for part in ("Why Otherwise it is open.", "Remedy Close it.", "000_b5883a9168e66709.txt 6 : restrict access to"):
        assert part in page.text
    assert "Waived until 2027-01-31: platform-team (OPS-123): The migration <b>comes</b> first." in page.text
    assert "Waiver expired on 2026-11-01: platform-team" in page.text
    assert "cidrBlock can't be known" in page.text


def test_a_demand_leads_to_its_rules_their_status_and_the_resources_they_look_at(page):
    told = page.text[page.text.index("What the run books ask for") :]
    assert (
        "Run book 002 002_3d1abe7e242e6afd.txt §7.1 Resource naming conventions ✗ fail in staging ✓ pass in prod"
        in told
    )
    assert "judges 3 resources in network Why Otherwise it is open. Remedy Close it." in told
    assert f"components/net work.py:42 ec2.Subnet {HOSTILE}, a, b" in told
    assert "\u2013 not applicable The title of ecs-idle. ecs-idle The stack declares no ecs.Cluster" in told


TRACED = (
    examples.trace(["net-open"], ["ec2.Subnet"], ["backup run"]),
    examples.trace(section="§2", quote="Ask somebody", manual="Only they know."),
    examples.trace(section="§2", quote="Fly", missing="wings"),
)


def test_a_demand_that_was_traced_leads_to_whatever_meets_it():
    page = Page(as_html.text(examples.report(traced=TRACED)))
    told = page.text[page.text.index("What the run books ask for") :]
    assert f"Run book 009 009_abc.txt §1 Water it {HOSTILE} in code Declared ec2.Subnet (in staging)" in told
    assert "Done by runbook backup run ✗ fail in staging ✓ pass in prod The title of net-open." in told
    assert "§2 Ask somebody for people For people Only they know. Fly not in code Missing wings" in told


def test_a_rule_that_no_trace_names_stands_below_what_it_cites():
    page = Page(as_html.text(examples.report(traced=TRACED)))
    assert "Run book 002 002_3d1abe7e242e6afd.txt §7.1 Resource naming conventions ✗ fail" in page.text
    assert page.text.count("The title of net-open. net-open") == 2  # its finding, and its demand


def test_what_is_different_from_the_last_time_is_told(page):
    assert (
        "Since 2026-11-20T12:00:00Z at commit 0ddba11 1 new not found before 1 fixed judged again and not found"
        in page.text
    )
    assert "Not audited before: prod. Audited before and not now: dev." in page.text


def test_the_page_says_where_it_comes_from(page):
    assert "21 November 2026, 12:00 UTC · commit c0ffeec0ffee with changes that are not committed" in page.text
    assert f"settings sha256:{'5' * 64} graph sha256:{'6' * 64}" in page.text
    assert "python 3.11.7, runbook 0.1.0" in page.text


def test_whatever_is_named_is_text(html):
    assert "<script>alert" not in html
    assert "<i>" not in html
    assert "<b>" not in html
    assert html.count("<script>") == 1


def test_the_page_needs_nothing_else_and_allows_only_its_own_style_and_script(html, page):
    addresses = [a[key] for _tag, a in page.elements for key in ("src", "href", "action") if key in a]
    assert [address for address in addresses if not address.startswith("#")] == []
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest", html)
    assert [a for _tag, a in page.elements if any(name.startswith("on") or name == "style" for name in a)] == []
    (policy,) = [a["content"] for a in page.of("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    for tag in ("style", "script"):
        (inline,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")


def test_every_id_is_given_once_and_every_link_leads_to_one(page):
    ids = Counter(a["id"] for _tag, a in page.elements if "id" in a)
    assert [name for name, times in ids.items() if times > 1] == []
    links = {a["href"] for a in page.of("a")}
    assert {link for link in links if link.removeprefix("#") not in ids} == set()
    labels = {a["aria-labelledby"] for _tag, a in page.elements if "aria-labelledby" in a}
    assert labels <= set(ids)


def test_a_screen_reader_finds_its_way(page):
    tags = Counter(tag for tag, _attributes in page.elements)
    assert {tag: tags[tag] for tag in ("h1", "main", "nav", "header", "footer", "search")} == dict.fromkeys(
        ("h1", "main", "nav", "header", "footer", "search"), 1
    )
    levels = [int(tag[1]) for tag, _attributes in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert [pair for pair in pairwise(levels) if pair[1] > pair[0] + 1] == []
    assert page.of("html")[0]["lang"] == "en"
    (shown,) = page.of("output")
    assert (shown["role"], shown["aria-live"]) == ("status", "polite")
    assert all("scope" in a for a in page.of("th"))
    assert all({"role", "aria-label", "tabindex"} <= set(a) for a in page.of("div") if a.get("class") == "scroll")
    assert tags["label"] == tags["input"] + tags["select"]


def test_without_a_script_everything_is_shown_but_the_filter(page):
    hidden = [a.get("id") or a.get("data-none") for _tag, a in page.elements if "hidden" in a]
    assert hidden == ["filter", "finding", "rule"]


def _luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1, 2], ids=["light", "dark", "print"])
def test_every_text_has_the_contrast_of_wcag_aa(html, theme):
    colours = dict(re.findall(r"--([\w-]+): (#\w{6})", re.findall(r":root \{(.*?)\}", html, flags=re.DOTALL)[theme]))
    pairs = [(text, on) for text in ("text", "dim", "link") for on in ("page", "panel")]
    pairs += [(text, "page") for text in ("bad", "warn", "ask", "good")]
    pairs += [(text, f"{text}-soft") for text in ("bad", "warn", "ask", "good")]
    pairs += [("text", "bad-soft"), ("text", "good-soft")]
    assert {pair: ratio for pair in pairs if (ratio := contrast(colours[pair[0]], colours[pair[1]])) < 4.5} == {}


@pytest.mark.skipif(CHROMIUM is None, reason="there is no browser")
class TestInABrowser:
    @pytest.fixture
    def shown(self, html, tmp_path):
        path = tmp_path / "audit.html"
        path.write_text(html, encoding="utf-8")

        def dom(fragment, text=None):
            if text is not None:
                path.write_text(text, encoding="utf-8")
            flags = [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
            ]  # fmt: skip
            ran = subprocess.run(
                [
                    CHROMIUM,
                    *flags,
                    f"--user-data-dir={tmp_path / 'profile'}",
                    "--dump-dom",
                    f"{path.as_uri()}#{fragment}",
                ],
                check=True,
                capture_output=True,
                text=True,
                timeout=120,
            )
            return Page(ran.stdout)

        return dom

    def visible(self, page):
        return [a["data-severity"] for _tag, a in page.elements if "data-rule" in a and "hidden" not in a]

    def test_the_filter_in_the_address_shows_what_fits_and_says_how_much(self, shown):
        page = shown("status=waiver+expired&stack=staging&component=network")
        assert "Shown: 1 of 6 findings, 1 of 6 rules." in page.text
        assert self.visible(page) == ["critical", "critical"]
        assert "Shown: 0 of 6 findings, 0 of 6 rules." in shown("status=waived&component=network").text

    def test_the_search_looks_into_findings_and_rules_and_hides_what_is_empty(self, shown):
        page = shown("q=no+tags")
        assert "Shown: 1 of 6 findings, 0 of 6 rules." in page.text
        assert "hidden" not in next(a for a in page.of("p") if a.get("data-none") == "rule")
        assert all("hidden" in a for a in page.of("section") if "data-group" in a)

    def test_a_severity_and_a_control_choose_rules(self, shown):
        page = shown("severity=high&control=NIST+CP-10")
        assert "Shown: 1 of 6 findings, 2 of 6 rules." in page.text

    def test_a_demand_without_a_rule_is_found_by_its_words_and_by_no_status(self, shown):
        traced = as_html.text(examples.report(traced=TRACED))
        assert "Shown: 0 of 6 findings, 0 of 6 rules, 1 of 3 measures." in shown("q=wings", traced).text
        assert "0 of 3 measures." in shown("status=pass", traced).text
        assert "Shown: 6 of 6 findings, 6 of 6 rules, 3 of 3 measures." in shown("", traced).text

    def test_a_place_in_the_address_is_no_filter(self, shown):
        page = shown("rule-net-open")
        assert "Shown: 6 of 6 findings, 6 of 6 rules." in page.text
