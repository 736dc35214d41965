"""Which log events a filter pattern counts; the examples are those of the CloudWatch Logs User Guide."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.rulebook.filter_pattern import (
    MAX_LENGTH,
    Comparison,
    FilterPatternError,
    Is,
    JsonPattern,
    LinePattern,
    NotExists,
    TermPattern,
    parse,
)

EVENT = {
    "eventType": "UpdateTrail",
    "sourceIPAddress": "111.111.111.111",
    "arrayKey": ["value", "another value"],
    "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
    "SomeObject": None,
    "ThisFlag": True,
    "ThatFlag": False,
    "cluster.name": "c",
    "count": 3,
    "share": "0.5",
    "empty": "",
    "starred": "Ev*ent",
    "quoted": 'say "no"',
}

PEOPLE = {
    "user": {"id": 1, "email": "John.Stiles@example.com"},
    "users": [{"id": 2, "email": "John.Doe@example.com"}, {"id": 3, "email": "Jane.Doe@example.com"}],
    "actions": ["GET", "PUT", "DELETE"],
    "coordinates": [[0, 1, 2], [4, 5, 6], [7, 8, 9]],
}

ACCESS = '127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'


@pytest.mark.parametrize(
    "pattern",
    [
        '{ $.eventType = "UpdateTrail" }',
        "{ $.eventType = UpdateTrail }",
        '{$.eventType="UpdateTrail"}',
        "{ $.sourceIPAddress != 123.123.* }",
        '{ $.eventType = "*Trail" }',
        '{ $.eventType = "Update*" }',
        '{ $.eventType = "*date*" }',
        "{ $.eventType = * }",
        '{ $.empty = "" }',
        "{ $.empty = * }",
        '{ $.starred = "Ev*ent" }',
        r'{ $.quoted = "say \"no\"" }',
        '{ $.arrayKey[0] = "value" }',
        '{ $.arrayKey[*] = "another value" }',
        "{ $.arrayKey[*] = %val.{2}% }",
        "{ $.objectList[1].id = 2 }",
        "{ $.objectList[*].id = 2 }",
        r"{ $.* = %111\.111\.111\.1[0-9]{1,2}% }",
        "{ $.eventType = %Trail% }",
        "{ $.['cluster.name'] = c }",
        "{ $['cluster.name'] = c }",
        "{ $.SomeObject IS NULL }",
        "{ $.SomeOtherObject NOT EXISTS }",
        "{ $.SomeObject.inner NOT EXISTS }",
        "{ $.ThisFlag IS TRUE }",
        "{ $.ThatFlag IS FALSE }",
        "{ $.count = 3 }",
        "{ $.count = 3.0 }",
        '{ $.count = "3" }',
        "{ $.count = 3* }",
        "{ $.count >= 3 && $.count <= 3 }",
        "{ $.count > +2 && $.count < 4e0 }",
        "{ $.share = 0.5 }",
        "{ $.share < 1 }",
        "{ $.count != 4 }",
        "{ $.eventType != 4 }",
        '{ $.eventType = "x" || $.eventType = "UpdateTrail" && $.count = 3 }',
        "{ ( ( $.count = 3 ) ) }",
    ],
)
def test_counts(pattern):
    assert parse(pattern).matches(EVENT)
    assert parse(pattern).matches(json.dumps(EVENT))


@pytest.mark.parametrize(
    "pattern",
    [
        '{ $.eventType = "updateTrail" }',
        '{ $.eventType = "Trail" }',
        '{ $.eventType = "Trail*" }',
        '{ $.eventType = "*Update" }',
        '{ $.eventType = "Up*ail" }',
        "{ $.sourceIPAddress != 111.111.* }",
        '{ $.arrayKey[0] = "another value" }',
        '{ $.arrayKey[2] = "value" }',
        "{ $.objectList[1].id = 1 }",
        "{ $.cluster.name = c }",
        "{ $.eventType IS NULL }",
        "{ $.SomeObject NOT EXISTS }",
        "{ $.ThisFlag IS FALSE }",
        "{ $.count > 3 }",
        "{ $.count = 3 && $.count = 4 }",
        '{ ($.eventType = "UpdateTrail" || $.count = 3) && $.count = 4 }',
        "{ $.empty = x* }",
    ],
)
def test_counts_not(pattern):
    assert not parse(pattern).matches(EVENT)


@pytest.mark.parametrize("name", ["missing", "SomeObject", "ThisFlag", "arrayKey", "objectList"])
@pytest.mark.parametrize("condition", ['= "x"', '!= "x"', "= *", "!= 1", "> 1", "<= 1", "= true", "= null", "!= %x%"])
def test_nothing_but_texts_and_numbers_can_be_compared(name, condition):
    assert not parse(f"{{ $.{name} {condition} }}").matches(EVENT)


def test_absent_or_other_is_written_out():
    pattern = parse('{ $.a NOT EXISTS || $.a != "b" }')
    assert [pattern.matches(event) for event in ({}, {"a": "c"}, {"a": "b"}, {"a": None})] == [True, True, False, False]


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ('{ ($.user.id = 1) && ($.users[0].email = "John.Doe@example.com") }', True),
        ('{ $.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch && $.actions[2] = no }', True),
        (
            '{ ($.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch) && $.actions[2] = no }',
            False,
        ),
        ('{ ($.user.id = 2 && $.users[0].email = "nonmatch") || $.actions[2] = "GET" }', False),
        ("{ $.coordinates[1][2] = 6 }", True),
        ("{ $.users = 1 }", False),
        ("{ $.users != 1 }", False),
    ],
)
def test_parentheses_bind_before_and_before_or(pattern, matches):
    assert parse(pattern).matches(PEOPLE) is matches


@pytest.mark.parametrize("event", ["", "not JSON", "[1]", '"text"', "2024-01-01 INFO {}", "null", "{broken"])
def test_a_pattern_for_objects_counts_nothing_else(event):
    assert not parse("{ $.a NOT EXISTS }").matches(event)


@pytest.mark.parametrize(
    ("pattern", "fields"),
    [
        (
            "[ip, user, name, at, request, status, bytes]",
            {
                "ip": "127.0.0.1",
                "user": "Prod",
                "name": "frank",
                "at": "10/Oct/2000:13:25:15 -0700",
                "request": "GET /index.html HTTP/1.0",
                "status": "404",
                "bytes": "1534",
            },
        ),
        ("[..., status, bytes]", {"status": "404", "bytes": "1534"}),
        ("[ip, ..., bytes]", {"ip": "127.0.0.1", "bytes": "1534"}),
        ("[ip, user, ...]", {"ip": "127.0.0.1", "user": "Prod"}),
        (
            "[ip, user, rest]",
            {
                "ip": "127.0.0.1",
                "user": "Prod",
                "rest": 'frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534',
            },
        ),
        ("[..., request=*.html*, status=4*,]", {"request": "GET /index.html HTTP/1.0", "status": "404"}),
        ("[ip,,,,,status,]", {"ip": "127.0.0.1", "status": "404"}),
        ("[]", {}),
        ("[...]", {}),
        (r"[ip=%127\.0\.0\.[1-9]%, ..., status = 404 || status = 410, bytes > 1000]", None),
        ("[..., status >= 400 && status < 500 && status != 403, bytes]", None),
        ('[..., request="GET /index.html HTTP/1.0", status, bytes = 1534]', None),
    ],
)
def test_a_line_is_words_quotations_and_brackets(pattern, fields):
    found = parse(pattern).fields(ACCESS)
    assert found is not None
    assert fields is None or found == fields


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        ("[a, b, c, d, e, f, g, h]", ACCESS),
        ("[a, b, c, d, e, f, g, h, ...]", ACCESS),
        ("[w1=ERROR]", "ERROR something"),
        ("[w1=ERROR, w2]", "ERROR"),
        ("[w1=ERROR, w2]", "INFO GET /"),
        ("[w1!=ERROR && w1!=WARNING, w2]", "WARNING late"),
        ("[..., bytes > 100]", "a b text"),
        ("[..., status = 404 || status = 410, bytes]", ACCESS.replace("404", "200")),
        ("[a]", ""),
    ],
)
def test_a_line_that_does_not_fit(pattern, line):
    assert not parse(pattern).matches(line)


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        ("ERROR", {"[ERROR 400] BAD REQUEST", "[ERROR 419] MISSING ARGUMENTS"}),
        ("ERROR ARGUMENTS", {"[ERROR 419] MISSING ARGUMENTS"}),
        ("ERROR -ARGUMENTS", {"[ERROR 400] BAD REQUEST"}),
        ("-ERROR", {"[INFO] REQUEST FAILED"}),
        ("?ARGUMENTS ?FAILED", {"[ERROR 419] MISSING ARGUMENTS", "[INFO] REQUEST FAILED"}),
        ("?ARGUMENTS ?FAILED REQUEST", {"[ERROR 400] BAD REQUEST", "[INFO] REQUEST FAILED"}),
        ("?ARGUMENTS -ERROR", {"[INFO] REQUEST FAILED"}),
        ('"BAD REQUEST"', {"[ERROR 400] BAD REQUEST"}),
        ('-"BAD REQUEST"', {"[ERROR 419] MISSING ARGUMENTS", "[INFO] REQUEST FAILED"}),
        (r"%4\d\d%", {"[ERROR 400] BAD REQUEST", "[ERROR 419] MISSING ARGUMENTS"}),
        ("%^.ERROR|FAILED$%", {"[ERROR 400] BAD REQUEST", "[ERROR 419] MISSING ARGUMENTS", "[INFO] REQUEST FAILED"}),
        (r"%\x5BINFO%", {"[INFO] REQUEST FAILED"}),
        ("", {"[ERROR 400] BAD REQUEST", "[ERROR 419] MISSING ARGUMENTS", "[INFO] REQUEST FAILED"}),
        ('" "', {"[ERROR 400] BAD REQUEST", "[ERROR 419] MISSING ARGUMENTS", "[INFO] REQUEST FAILED"}),
        ("error", set()),
    ],
)
def test_terms(pattern, matching):
    lines = ("[ERROR 400] BAD REQUEST", "[ERROR 419] MISSING ARGUMENTS", "[INFO] REQUEST FAILED")
    assert {line for line in lines if parse(pattern).matches(line)} == matching


def test_the_three_languages_are_told_apart():
    kinds = {text: type(parse(text)) for text in ("", "ERROR", "%a%", " { $.a = 1 } ", " [a, b] ")}
    assert kinds == {
        "": TermPattern,
        "ERROR": TermPattern,
        "%a%": TermPattern,
        " { $.a = 1 } ": JsonPattern,
        " [a, b] ": LinePattern,
    }


@pytest.mark.parametrize(
    ("pattern", "position", "wrong"),
    [
        ("{ $.a == 1 }", 6, "an operator is expected"),
        ("{ $.a EXISTS }", 6, "an operator is expected"),
        ("{ $.a IS NOT NULL }", 6, "an operator is expected"),
        ("{ $.a }", 6, "an operator is expected"),
        ("{ $.a not exists }", 6, "an operator is expected"),
        ("{ $.a = }", 8, "a value is expected"),
        ("{ $.a = a@b }", 9, "&&, || or the closing } is expected"),
        ("{ $.a = 1", 9, "&&, || or the closing } is expected"),
        ("{ $.a = 1 AND $.b = 2 }", 10, "&&, || or the closing } is expected"),
        ("{ $.a = 1 } more", 12, "there is something behind the closing bracket"),
        ("{ a = 1 }", 2, "a property such as $.eventName is expected"),
        ("{ $.a = 1 && }", 13, "a property such as $.eventName is expected"),
        ("{ !($.a = 1) }", 2, "a property such as $.eventName is expected"),
        ("{}", 1, "a property such as $.eventName is expected"),
        ("{ ($.a = 1 }", 11, "&&, || or the closing ) is expected"),
        ("{ $.a[x] = 1 }", 5, "the property has a step that is none"),
        ("{ $..a = 1 }", 3, "the property has a step that is none"),
        ("{ $.a[-1] = 1 }", 5, "the property has a step that is none"),
        ("{ $.* . = 1 }", 6, "an operator is expected"),
        ("{ $.a[*].* = 1 }", 2, "there are too many wildcards"),
        ("{ $.a[*]=1 || $.b[*]=1 || $.c[*]=1 || $.d[*]=1 }", 38, "there are too many wildcards"),
        ('{ $.a = "b }', 8, "the quotation marks are not closed"),
        ('{ $.a > "b" }', 8, "> compares numbers alone"),
        ("{ $.a >= b* }", 9, ">= compares numbers alone"),
        ("{ $.a = %b }", 8, "the regular expression is empty or not closed"),
        ("{ $.a = %(b)% }", 9, "the regular expression has a sign that is not taken"),
        ("{ $.a = %b!% }", 10, "the regular expression has a sign that is not taken"),
        ("{ $.a = %é% }", 9, "the regular expression has a sign that is not taken"),
        ("{ $.a = %[b% }", 9, "the regular expression is none"),
        ("{ $.a = %*b% }", 9, "the regular expression is none"),
        ("{ $.a=%a% || $.a=%b% || $.a=%c% }", 28, "there are more than 2 regular expressions"),
        ("[a, a]", 4, "two fields are called a"),
        ("[a, ..., b, ...]", 12, "there are two ellipses"),
        ("[a = ]", 5, "a value is expected"),
        ("[a, b=1 || c=2]", 11, "b is expected"),
        ("[a b]", 3, "an operator is expected"),
        ("[a, 1b]", 4, "the name of a field is expected"),
        ("[a, b", 5, "an operator is expected"),
        ("[a=1", 4, "a comma or the closing ] is expected"),
        ("ERR*", 0, "a term has signs other than letters, digits and _"),
        ('ERROR "x', 6, "the quotation marks are not closed"),
        ("%%", 0, "the regular expression is empty or not closed"),
        ("{" + "(" * 60, 52, "parentheses are nested more than 50 deep"),
        ("x" * (MAX_LENGTH + 1), MAX_LENGTH, "it is 1025 characters long and CloudWatch Logs takes 1024"),
    ],
)
def test_an_error_tells_where_what_and_the_way_out(pattern, position, wrong):
    with pytest.raises(FilterPatternError) as caught:
        parse(pattern)
    assert caught.value.position == position
    told = re.fullmatch(r"The filter pattern is wrong (.*?): (.*?)\. (.+)", str(caught.value), re.DOTALL)
    assert told is not None
    assert told[2] == wrong
    assert told[3].endswith(".")


def test_the_conditions_of_a_pattern_can_be_read():
    pattern = parse('{ $.a = 1 && ($.b.c NOT EXISTS || $.b.c != "x*") && $.d IS TRUE }')
    found = [(type(condition), condition.selector.text) for condition in pattern.conditions()]
    assert found == [(Comparison, "$.a"), (NotExists, "$.b.c"), (Comparison, "$.b.c"), (Is, "$.d")]


names = st.text("abcXYZ019_-", min_size=1, max_size=8)
scalars = st.one_of(st.none(), st.booleans(), st.integers(-(10**6), 10**6), st.text(max_size=12))
events = st.recursive(
    st.dictionaries(names, scalars, max_size=5),
    lambda inner: st.dictionaries(names, inner | scalars | st.lists(scalars, max_size=3), max_size=4),
    max_leaves=12,
)


def outcome(text, *events):
    """What each event is to the pattern, or where the pattern is wrong."""
    try:
        pattern = parse(text)
    except FilterPatternError as error:
        return error.position
    return [pattern.matches(event) for event in events]


@given(st.text(st.characters(max_codepoint=0x250), max_size=60), events)
def test_any_text_is_a_pattern_or_told_to_be_none(text, event):
    found = outcome(text, event, json.dumps(event))
    assert 0 <= found <= len(text) if isinstance(found, int) else set(found) <= {True, False}


@given(st.text('{}[]()$.=!<>|&"%*,?- abEXISTNOUL01\\', max_size=60))
def test_texts_made_of_the_languages_own_signs_never_crash(text):
    found = outcome(text, "a b")
    assert 0 <= found <= len(text) if isinstance(found, int) else set(found) <= {True, False}


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


texts = st.text(max_size=12).filter(lambda text: not text.startswith("*") and not text.endswith("*"))


@given(names, texts, texts)
def test_equal_and_unequal_part_all_texts(name, value, operand):
    event = {name: value}
    equal = parse(f"{{ $.{name} = {quoted(operand)} }}").matches(event)
    unequal = parse(f"{{ $.{name} != {quoted(operand)} }}").matches(event)
    assert (equal, unequal) == (value == operand, value != operand)


@given(names, st.text(max_size=12), texts)
def test_a_star_stands_for_any_beginning_and_end(name, value, operand):
    event = {name: value}
    found = [
        parse(f"{{ $.{name} = {quoted(text)} }}").matches(event)
        for text in (f"{operand}*", f"*{operand}", f"*{operand}*")
    ]
    assert found == [value.startswith(operand), value.endswith(operand), operand in value]


@given(names, st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_numbers_are_ordered(name, value, limit):
    found = {sign: parse(f"{{ $.{name} {sign} {limit} }}").matches({name: value}) for sign in ("<", "<=", ">", ">=")}
    assert found == {"<": value < limit, "<=": value <= limit, ">": value > limit, ">=": value >= limit}


conditions = st.sampled_from(["$.a = 1", '$.b != "x"', "$.c NOT EXISTS", "$.d IS TRUE", "$.a > 0"])
small_events = st.fixed_dictionaries(
    {},
    optional={
        "a": st.sampled_from([0, 1, "1"]),
        "b": st.sampled_from(["x", "y", None]),
        "c": st.just(0),
        "d": st.booleans(),
    },
)


@given(conditions, conditions, conditions, small_events)
def test_conditions_join_as_logic_has_it(one, two, three, event):
    a, b, c = (parse(f"{{ {text} }}").matches(event) for text in (one, two, three))
    assert parse(f"{{ {one} || {two} && {three} }}").matches(event) == (a or (b and c))
    assert parse(f"{{ ({one} || {two}) && {three} }}").matches(event) == ((a or b) and c)
    assert parse(f"{{{one}&&({two})&&({three})}}").matches(event) == (a and b and c)


@given(st.lists(texts, min_size=2, max_size=5), st.one_of(texts, st.integers(0, 9), st.booleans(), st.none()))
def test_a_list_of_values_is_each_of_them(operands, value):
    one_by_one = [parse(f"{{ $.a = {quoted(operand)} }}").matches({"a": value}) for operand in operands]
    together = " || ".join(f"$.a = {quoted(operand)}" for operand in operands)
    assert parse(f"{{ {together} }}").matches({"a": value}) == any(one_by_one)


words = st.text("abcz019./:", min_size=1, max_size=6)


@given(st.lists(words, min_size=1, max_size=8), st.data())
def test_an_ellipsis_takes_what_is_left(line, data):
    head = data.draw(st.integers(0, len(line)))
    tail = data.draw(st.integers(0, len(line) - head))
    fields = [f"h{index}" for index in range(head)], [f"t{index}" for index in range(tail)]
    pattern = "[" + ", ".join([*fields[0], "...", *fields[1]]) + "]"
    found = parse(pattern).fields(" ".join(line))
    assert found == dict(zip(fields[0] + fields[1], [*line[:head], *line[len(line) - tail :]], strict=True))
