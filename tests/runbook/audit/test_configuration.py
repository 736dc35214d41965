"""The policy configuration of the Pulumi CLI: the audit takes the same file and says the same as the pack."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pytest
from google.protobuf import empty_pb2, json_format, struct_pb2
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from pulumi.runtime.proto import analyzer_pb2
from pulumi_policy import EnforcementLevel
from pulumi_policy.policy import _PolicyAnalyzerServicer

from policies.rulebook import RULES
from policies.rulebook.remedies import REMEDIES, RETENTIONS
from policies.rulebook.resource import Context
from policies.rulebook.rule import Level
from policies.rulebook.serve import policies
from runbook import cli
from runbook.audit.configuration import Configuration, read
from runbook.audit.evaluate import audit
from runbook.errors import UserError
from tests.runbook.graphs import graph, resource

ROOT = Path(__file__).parents[3]
STAGING = Context(environment="staging")
BY_ID = {rule.id: rule for rule in RULES}
#: One of each kind: mended, mended by a policy of its own, and never mended.
FEW = [
    BY_ID[name] for name in ("ec2-imdsv2", "rds-copy-tags", "mon-log-retention", "net-sg-described", "net-flow-logs")
]
NAMES = ["all", *(rule.id for rule in FEW), "mon-log-retention-remedy"]
LEVELS = {
    "advisory": analyzer_pb2.ADVISORY,
    "mandatory": analyzer_pb2.MANDATORY,
    "remediate": analyzer_pb2.REMEDIATE,
    "disabled": analyzer_pb2.DISABLED,
}


def declared(token, name, inputs):
    return resource(token, name, None, inputs=inputs, outputs=inputs, protect=True)


CAPTURED = graph(
    declared("aws:ec2/instance:Instance", "host", {"ami": "x"}),
    declared("aws:ec2/instance:Instance", "loose", {"metadataOptions": {"httpTokens": "optional"}}),
    declared("aws:rds/instance:Instance", "database", {"engine": "postgres"}),
    declared("aws:cloudwatch/logGroup:LogGroup", "log", {"name": "x"}),
    declared("aws:ec2/securityGroup:SecurityGroup", "group", {"name": "x"}),
    declared("aws:ec2/vpc:Vpc", "vpc", {"cidrBlock": "10.0.0.0/16"}),
)


def read_from(tmp_path, entries):
    file = tmp_path / "policies.json"
    file.write_text(entries if isinstance(entries, str) else json.dumps(entries), encoding="utf-8")
    return read(file, RULES)


def in_process(configured: Configuration):
    audited = audit(configured.mended(CAPTURED, STAGING), STAGING, configured.rules(FEW), configured.disabled(FEW))
    return sorted((f.rule.id, f.sentence, f.resource.name, f.mandatory) for f in audited.findings)


def in_the_pack(entries):
    """What the CLI tells: it fills in what its file leaves out, lets the pack mend, then judge."""
    served = _PolicyAnalyzerServicer("pack", "0.0.1", policies(FEW, STAGING), EnforcementLevel.ADVISORY)
    config = {}
    for info in served.GetAnalyzerInfo(empty_pb2.Empty(), None).policies:
        told = {"enforcementLevel": entries[info.name]} if isinstance(entries.get(info.name), str) else {}
        told = told or dict(entries.get(info.name, {}))
        level = told.pop("enforcementLevel", entries.get("all"))
        schema = json_format.MessageToDict(info.configSchema.properties)
        options = struct_pb2.Struct()
        options.update({name: one["default"] for name, one in schema.items() if "default" in one} | told)
        config[info.name] = analyzer_pb2.PolicyConfig(
            enforcementLevel=LEVELS[level] if level else info.enforcementLevel, properties=options
        )
    served.Configure(analyzer_pb2.ConfigureAnalyzerRequest(policyConfig=config), None)
    said, registered = [], []
    for one in CAPTURED.resources:
        fields = {"urn": one.urn, "type": one.type, "name": one.name}
        request = analyzer_pb2.AnalyzeRequest(
            **fields, options=analyzer_pb2.AnalyzerResourceOptions(protect=one.protect)
        )
        json_format.ParseDict(one.inputs, request.properties)
        for mended in served.Remediate(request, None).remediations:
            request.properties.CopyFrom(mended.properties)
        said += [(diagnostic, one.urn) for diagnostic in served.Analyze(request, None).diagnostics]
        registered.append(analyzer_pb2.AnalyzerResource(**fields, properties=request.properties))
    whole = served.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=registered), None).diagnostics
    said += [(diagnostic, diagnostic.urn) for diagnostic in whole]
    return sorted(
        (
            diagnostic.policyName,
            diagnostic.message.partition("\n")[2],
            urn.rpartition("::")[2],
            diagnostic.enforcementLevel == analyzer_pb2.MANDATORY,
        )
        for diagnostic, urn in said
    )


entries_of_the_file = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(list(LEVELS)))


@given(entries_of_the_file, st.none() | st.sampled_from(RETENTIONS))
@hypothesis(max_examples=60)
def test_the_audit_says_what_the_pack_says(tmp_path_factory, entries, days):
    if days:
        level = entries.get("mon-log-retention-remedy")
        told = {"enforcementLevel": level} if level else {}
        entries = {**entries, "mon-log-retention-remedy": {**told, "retentionInDays": days}}
    assert in_process(read_from(tmp_path_factory.mktemp("config"), entries)) == in_the_pack(entries)


def test_without_a_file_nothing_is_different():
    assert in_process(Configuration()) == in_the_pack({})
    assert {name for name, *_ in in_process(Configuration())} == {rule.id for rule in FEW}


@pytest.mark.parametrize("text", ["", " \n", "{}"])
def test_an_empty_file_configures_nothing(tmp_path, text):
    assert read_from(tmp_path, text) == Configuration()


def test_a_level_is_that_of_the_rule_in_every_environment(tmp_path):
    configured = read_from(tmp_path, {"ec2-imdsv2": "advisory", "net-sg-described": {"enforcementLevel": "mandatory"}})
    levels = {rule.id: rule.level for rule in configured.rules(FEW)}
    assert (levels["ec2-imdsv2"], levels["net-sg-described"]) == (Level.ADVISORY, Level.MANDATORY)
    assert levels["rds-copy-tags"] is BY_ID["rds-copy-tags"].level


def test_a_rule_that_is_named_goes_by_its_own_level_and_not_by_that_of_all(tmp_path):
    configured = read_from(tmp_path, {"all": "disabled", "ec2-imdsv2": "advisory"})
    assert [rule.id for rule in configured.rules(RULES)] == ["ec2-imdsv2"]
    assert len(configured.disabled(RULES)) == len(RULES) - 1


@pytest.mark.parametrize(("level", "refuses"), [("mandatory", True), ("advisory", False)])
def test_what_is_waived_refuses_only_where_the_file_says_so(tmp_path, level, refuses):
    configured = read_from(tmp_path, {"gov-waived": level})
    assert ("gov-waived" in {rule.id for rule in configured.rules(RULES)}) is refuses


DAYS = ", ".join(map(str, RETENTIONS))


@pytest.mark.parametrize(
    ("entries", "mistakes"),
    [
        ({"net-sg-describd": "disabled"},
         ["net-sg-describd: there is no such policy; did you mean 'net-sg-described'?"]),
        ({"xyz": "disabled", "ec2-imdsv2": "mandatry"},
         ["xyz: there is no such policy.",
          "ec2-imdsv2: 'mandatry' is no level; advisory, mandatory, remediate, disabled are."]),
        ({"gov-tags": 3}, ["gov-tags: a level or an object is expected, a number stands there."]),
        ({"gov-tags": None}, ["gov-tags: a level or an object is expected, null stands there."]),
        ({"gov-tags": {"enforcementLevel": []}},
         ["gov-tags: a list is no level; advisory, mandatory, remediate, disabled are."]),
        ({"rds-encrypted": {"days": 1}}, ["rds-encrypted: there is no setting 'days'."]),
        ({"gov-tags": {"enforcmentLevel": "disabled"}},
         ["gov-tags: there is no setting 'enforcmentLevel'; did you mean 'enforcementLevel'?"]),
        ({"mon-log-retention-remedy": {"retentionInDays": 91}},
         [f"mon-log-retention-remedy: retentionInDays: 91 is none of {DAYS}."]),
        ({"mon-log-retention-remedy": {"retentionInDays": True}},
         [f"mon-log-retention-remedy: retentionInDays: true is none of {DAYS}."]),
    ],
)  # fmt: skip
def test_every_mistake_is_told_with_the_way_out(tmp_path, entries, mistakes):
    with pytest.raises(UserError) as raised:
        read_from(tmp_path, entries)
    assert list(raised.value.lines) == [f"{tmp_path / 'policies.json'}: {mistake}" for mistake in mistakes]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read as JSON: Expecting property name"),
        ("[]", 'holds no object such as {"net-sg-described": "disabled"}.'),
    ],
)
def test_what_is_no_object_is_a_mistake(tmp_path, text, said):
    with pytest.raises(UserError, match=re.escape(f"{tmp_path / 'policies.json'} {said}")):
        read_from(tmp_path, text)


def test_a_file_that_is_not_there_is_a_mistake(tmp_path):
    with pytest.raises(UserError, match=r"cannot be read as JSON: .*No such file or directory"):
        read(tmp_path / "absent.json", RULES)


def test_a_remedy_changes_nothing_of_what_was_captured():
    before = json.dumps([one.inputs for one in CAPTURED.resources])
    Configuration({"all": "remediate"}).mended(CAPTURED, STAGING, REMEDIES)
    assert json.dumps([one.inputs for one in CAPTURED.resources]) == before


def test_a_wrong_file_ends_the_audit_before_anything_is_run(tmp_path, capsys):
    (tmp_path / "policies.json").write_text('{"ec2-imdsv2": "off"}')
    arguments = ["audit", "dev", "-C", str(ROOT), "--policy-pack-config", str(tmp_path / "policies.json")]
    assert cli.main(arguments) == 2
    assert "ec2-imdsv2: 'off' is no level; advisory, mandatory, remediate, disabled are." in capsys.readouterr().err


def test_what_nothing_exercises_is_told_as_not_applicable_in_every_form(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    (tmp_path / "policies.json").write_text('{"gov-tags": "disabled"}')
    reports = ["--report", "json", "--report", "html", "-o", str(tmp_path)]
    config = ["--policy-pack-config", str(tmp_path / "policies.json")]
    assert cli.main(["audit", "dev", "-C", str(ROOT), *reports, *config]) == 0
    text = capsys.readouterr().out
    (told,) = json.loads((tmp_path / "audit.json").read_text())["stacks"]
    assert told["idle"]
    assert told["notApplicable"].keys() == {*told["idle"], "gov-tags"}
    assert told["notApplicable"]["gov-tags"] == "The policy configuration switches it off."
    assert told["counts"]["not applicable"] == len(told["notApplicable"])
    page = unescape((tmp_path / "audit.html").read_text())
    for rule, why in told["notApplicable"].items():
        assert f"    {rule}  {why}\n" in text
        assert why in page
        assert rule in page
