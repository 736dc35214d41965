"""A stack file as the CLI would hand it over, and where each of its values stands."""

from __future__ import annotations

import json

import pytest

from settings.load import PLACEHOLDER, SettingsError, read_stack_file

from .stacks import project


def read(tmp_path, text):
    return read_stack_file("test", project(tmp_path, test=text))


def refused(tmp_path, text):
    with pytest.raises(SettingsError) as error:
        read(tmp_path, text)
    return [(problem.line, problem.key, problem.wrong) for problem in error.value.problems]


@pytest.mark.parametrize(
    ("written", "handed_over"),
    [
        ("text", "text"),
        ('"17"', "17"),
        ("17", "17"),
        ("0x1F", "31"),
        ("0o17", "15"),
        ("017", "15"),
        ("089", "89"),
        ("1_000", "1000"),
        ("-7", "-7"),
        ("1.0", "1"),
        ("2.50", "2.5"),
        ("1e3", "1000"),
        ("1e21", "1e+21"),
        ("0.0000001", "1e-7"),
        ("0.00001", "0.00001"),
        ("true", "true"),
        ("True", "true"),
        ("FALSE", "false"),
        ("tRUE", "tRUE"),
        ("yes", "yes"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("22:00", "22:00"),
        ("~", ""),
        ("null", ""),
        ('"null"', "null"),
        ("", ""),
        ('""', ""),
        (".inf", ".inf"),
        ("[]", "[]"),
        ("{}", "{}"),
        ("[1, 2.0, yes, true, null, '3', 22:00]", '[1,2,"yes",true,null,"3","22:00"]'),
        ("{b: 1, a: {d: x, c: [y]}}", '{"a":{"c":["y"],"d":"x"},"b":1}'),
        ("['<a & b>', 'ü']", '["\\u003ca \\u0026 b\\u003e","ü"]'),
        ("|\n      two\n      lines", "two\nlines\n"),
    ],
)
def test_a_value_is_handed_over_as_the_cli_does(tmp_path, written, handed_over):
    assert read(tmp_path, f"config:\n  aws:profile: {written}\n").config == {"aws:profile": handed_over}


@pytest.mark.parametrize(
    ("key", "full"),
    [
        ("network", "learning-platform:network"),
        ("learning-platform:network", "learning-platform:network"),
        ("learning-platform:config:network", "learning-platform:network"),
        ("aws:region", "aws:region"),
    ],
)
def test_a_key_has_a_namespace(tmp_path, key, full):
    assert list(read(tmp_path, f"config:\n  {key}: x\n").config) == [full]


@pytest.mark.parametrize("text", ["", "# nothing\n", "config:\n", "config: {}\n", "secretsprovider: passphrase\n"])
def test_a_file_may_say_nothing(tmp_path, text):
    assert read(tmp_path, text).config == {}


def test_an_alias_stands_for_its_value(tmp_path):
    config = read(tmp_path, "config:\n  a: &ranges [x, y]\n  b: {list: *ranges}\n").config
    assert config["learning-platform:b"] == '{"list":["x","y"]}'


def test_each_value_knows_its_line(tmp_path):
    file = read(
        tmp_path,
        "\ufeff# comment\n"
        "encryptionsalt: v1:x\n"
        "config:\n"
        "  network:\n"
        "    cidr: 10.0.0.0/16\n"
        "\n"
        "    zones:\n"
        "      - a\n"
        "      # comment\n"
        "      - b\n"
        "  aws:region: us-east-1\n",
    )
    network = "learning-platform:network"
    assert [
        file.line(path)
        for path in [
            (network,),
            (network, "cidr"),
            (network, "zones"),
            (network, "zones", 0),
            (network, "zones", 1),
            ("aws:region",),
            (network, "missing"),
            (network, "cidr", "deeper"),
            ("aws:missing",),
        ]
    ] == [4, 5, 7, 8, 10, 11, 4, 5, 3]


def test_secure_values_become_placeholders_wherever_they_stand(tmp_path):
    file = read(
        tmp_path,
        "config:\n"
        "  aws:token: {secure: v1:aaa}\n"
        "  web:\n"
        "    domain:\n"
        "      host: {secure: v1:bbb}\n"
        "    list: [plain, {secure: v1:ccc}]\n"
        "  open: {secure: [not, text]}\n"
        "  both: {secure: v1:ddd, other: x}\n",
    )
    assert file.config == {
        "aws:token": PLACEHOLDER,
        "learning-platform:web": json.dumps(
            {"domain": {"host": PLACEHOLDER}, "list": ["plain", PLACEHOLDER]}, separators=(",", ":")
        ),
        "learning-platform:open": '{"secure":["not","text"]}',
        "learning-platform:both": '{"other":"x","secure":"v1:ddd"}',
    }
    assert file.secret_keys == {"aws:token", "learning-platform:web"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a\n", (1, "", "is not made of keys")),
        ("config: [a]\n", (1, "config", "is not made of keys")),
        ("config: text\n", (1, "config", "is not made of keys")),
        ("config:\n  a: 1\n  a: 2\n", (3, "config.a", "stands twice, first in line 2")),
        ("config:\n  a: 1\n\n  'a': 2\n", (4, "config.a", "stands twice, first in line 2")),
        ("config: {}\nconfig: {}\n", (2, "config", "stands twice, first in line 1")),
        (
            "config:\n  a:\n    b: [{c: 1, c: 2}]\n",
            (3, "learning-platform:a.b[0].c", "stands twice, first in line 3"),
        ),
        ("config:\n  true: 1\n", (2, "config", "has a key that is not text")),
        ("config:\n  [a]: 1\n", (2, "config", "has a key that is not text")),
        ("config:\n  a: &x {b: *x}\n", (2, "learning-platform:a.b", "contains itself")),
        ("config:\n  a:\n    <<: {b: c}\n", (3, "learning-platform:a", "merges keys with <<")),
        ("config: {}\nsettings: {}\n", (2, "settings", "is an unknown key")),
        ("config:\n\ta: 1\n", (2, "", "has a tab")),
        ("config:\n  a: 'x\n", (3, "", "is not YAML: found unexpected end of stream")),
        ("config:\n  a: *x\n", (2, "", "is not YAML: found undefined alias 'x'")),
        ("a: 1\n---\nb: 2\n", (2, "", "is not YAML: but found another document")),
        ("config:\n  a: \x01\n", (None, "", "is not YAML")),
    ],
)
def test_a_mistake_of_form_is_told_with_its_line(tmp_path, text, problem):
    assert refused(tmp_path, text) == [problem]


def test_all_mistakes_of_form_are_told_at_once(tmp_path):
    text = "config:\n  a: 1\n  a: 2\n  b: {1: x}\nconf: x\n"
    assert [line for line, _, _ in refused(tmp_path, text)] == [3, 4, 5]


def test_a_file_in_another_encoding_is_told_with_its_line(tmp_path):
    folder = project(tmp_path, test="")
    (folder / "Pulumi.test.yaml").write_bytes(b"config:\n  a: b\n  owner: Andr\xe9\n")
    with pytest.raises(SettingsError, match=r"^Pulumi\.test\.yaml:3: is not UTF-8\."):
        read_stack_file("test", folder)
