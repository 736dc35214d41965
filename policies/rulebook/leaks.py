"""What gives a secret away in a text. A finding says what kind it is and in which line, never what it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

#: Forms that are secrets wherever they stand: kind -> pattern. A public certificate or key is not one.
_UNMISTAKABLE: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("an AWS access key", re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])")),
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----")),
    ("a GitHub token", re.compile(r"(?<![A-Za-z0-9])(?:gh[opsur]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22})")),
    ("a GitLab token", re.compile(r"(?<![A-Za-z0-9])glpat-[A-Za-z0-9_-]{20}")),
    ("a Slack token", re.compile(r"(?<![A-Za-z0-9])xox[abeoprs]-[A-Za-z0-9-]{10}")),
    ("a Slack webhook", re.compile(r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9]+/[A-Za-z0-9]+/[A-Za-z0-9]+")),
    ("a Stripe key", re.compile(r"(?<![A-Za-z0-9])[rs]k_live_[A-Za-z0-9]{16}")),
    ("a Google API key", re.compile(r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{35}")),
    ("a JSON web token", re.compile(r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8}")),
)

#: What every unmistakable form begins with: most texts hold none of it and need no closer look.
_HINT = re.compile(r"AKIA|ASIA|-----BEGIN|gh[opsur]_|github_pat_|glpat-|xox|hooks\.slack|k_live_|AIza|eyJ|://")

_CONNECTION = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,30}://[^\s/:@\"'<>]{0,128}:(?P<value>[^\s/@\"'<>]{1,256})@")

_WORD = (
    r"(?:password|passwd|passphrase|secret|token|api[_-]?key|secret[_-]?key|access[_-]?key|private[_-]?key"
    r"|(?<=[_-])pwd|(?<=[_-])pass)"
)
_VALUE = r"""(?P<value>"[^"\n]*"|'[^'\n]*'|[^\s"',;&|<>()\[\]{}]+(?:\{[^\s{}]*\}\}?)?|\{\{?[^\n{}]*\}\}?)"""
#: ``DB_PASSWORD=…``, ``"token": "…"``, ``secret := …``: the name has to end with the word, so that
#: ``password_file=``, ``token-ttl-seconds:`` and ``--password-stdin`` are none.
_ASSIGNED = re.compile(rf"{_WORD}(?P<quote>[\"'])?\s*(?P<sign>=>|:=|=|:)[ \t]*{_VALUE}", re.IGNORECASE)
_FLAGGED = re.compile(rf"--[a-z0-9-]{{0,30}}?{_WORD}[ \t]+{_VALUE}", re.IGNORECASE)
_SPOKEN = re.compile(r"\b(?:password|identified\s+by)\s+(?P<value>'[^'\n]+')", re.IGNORECASE)
_BEARER = re.compile(
    r"authorization[\"']?\s*[:=]\s*[\"']?(?:bearer|basic|token)\s+(?P<value>[^\s\"']{8,})", re.IGNORECASE
)
_CURL_USER = re.compile(r"\bcurl\b[^\n]*?\s(?:-u|--user)[ =]?[\"']?[^\s:\"'$]+:(?P<value>[^\s\"']+)")

#: Words that stand where a value is described, and databases of ``nsswitch.conf``.
_NO_VALUES = frozenset(
    [
        "true",
        "false",
        "yes",
        "no",
        "none",
        "null",
        "nil",
        "undefined",
        "required",
        "optional",
        "enabled",
        "disabled",
        "string",
        "files",
        "compat",
        "sss",
        "systemd",
        "[secret]",
        "redacted",
    ]
)
_REFERENCE = re.compile(
    r"""[$%!`<{|>]              # $VAR, %s, !Ref, `command`, <placeholder>, {{template}}, YAML blocks
    |arn:|resolve:|ssm:|secretsmanager:|vault:|file:|env:
    |/[\w.@-]+(?:/[\w.@-]+)+/?$ # a path
    |(?:var|local|data|module|os|self|args|config|settings|env|process|event|request|params)\.
    |[*xX.]+$""",
    re.VERBOSE,
)
_EXPANDED = re.compile(r"\$(?:[A-Za-z_{(]|\d)|`|\{\{")


@dataclass(frozen=True, slots=True)
class Leak:
    """``kind`` with its article (``a GitHub token``), and the 1-based line it stands in."""

    kind: str
    line: int


def unmistakable(text: str) -> tuple[Leak, ...]:
    """Keys, tokens, private keys and connection strings with a password, each kind once with its first line."""
    return _first_of_each(text, _clear(text))


def all_leaks(text: str) -> tuple[Leak, ...]:
    """As ``unmistakable``, and literal values given to what is called a password, token or secret."""
    return _first_of_each(text, [*_clear(text), *_assigned(text)])


def _first_of_each(text: str, hits: Iterator[tuple[str, int]] | list[tuple[str, int]]) -> tuple[Leak, ...]:
    first: dict[str, int] = {}
    for kind, at in hits:
        first[kind] = min(at, first.get(kind, at))
    return tuple(Leak(kind, text.count("\n", 0, at) + 1) for kind, at in sorted(first.items(), key=lambda hit: hit[1]))


def _clear(text: str) -> Iterator[tuple[str, int]]:
    if _HINT.search(text) is None:
        return
    for kind, pattern in _UNMISTAKABLE:
        if match := pattern.search(text):
            yield kind, match.start()
    for match in _CONNECTION.finditer(text):
        if _is_literal(match["value"]):
            yield "a connection string with a password", match.start()


def _assigned(text: str) -> Iterator[tuple[str, int]]:
    for match in _ASSIGNED.finditer(text):
        bare = match["value"][0] not in "\"'"
        follows = text[match.end() : match.end() + 2]
        # An unquoted value after a quoted name, a call or an index is code; words after a colon are prose.
        code = bare and (match["quote"] or follows[:1] in ("(", "["))
        prose = bare and match["sign"] == ":" and re.match(r" [A-Za-z]", follows)
        if not code and not prose and _is_literal(match["value"]):
            yield "a password, token or secret with its value", match.start()
    for pattern in (_FLAGGED, _SPOKEN, _BEARER, _CURL_USER):
        for match in pattern.finditer(text):
            if _is_literal(match["value"]):
                yield "a password, token or secret with its value", match.start()


def _is_literal(value: str) -> bool:
    """Whether ``value`` is the secret itself, and no variable, template, path, ARN or placeholder."""
    quote = value[0] if value[:1] in ("'", '"') else ""
    bare = value.strip(quote) if quote else value
    if len(bare) < 3 or bare[0].isspace() or bare.lower() in _NO_VALUES or _REFERENCE.match(bare):
        return False
    # A shell expands nothing between single quotes, but a template that writes the file may.
    return quote == "'" or _EXPANDED.search(bare) is None


#: The words that end the name of a secret. What follows one (``…-arn``, ``…-rotation-days``) names something else.
_SECRET_ENDINGS = (
    ("password",),
    ("passwords",),
    ("passwd",),
    ("passphrase",),
    ("secret",),
    ("secrets",),
    ("token",),
    ("tokens",),
    ("credential",),
    ("credentials",),
    ("api", "key"),
    ("access", "key"),
    ("private", "key"),
    ("apikey",),
)
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


def is_secret_name(name: str) -> bool:
    """Whether what is called ``name`` holds a secret: the last part of a path ends with a word for one."""
    words = tuple(word.lower() for word in _WORDS.findall(name.rpartition("/")[2]))
    return any(words[-len(ending) :] == ending for ending in _SECRET_ENDINGS)
