"""The formats that other programs read, held against their published schemas."""

import csv
import io
import json
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import regress
import xmlschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook.audit import document
from runbook.audit.evaluate import Finding
from runbook.audit.report import as_csv, as_json, as_junit, as_markdown, as_oscal, as_sarif
from runbook.audit.report.header import Source
from runbook.audit.report.model import StackAudit

from . import examples
from .examples import HOSTILE, OPEN, TAGS

SCHEMAS = Path(__file__).parent / "schemas"


def _pattern(_validator, pattern, instance, _schema):
    """A pattern as ECMA-262 has it, which ``re`` has not: OSCAL asks for letters of every script."""
    if isinstance(instance, str) and not regress.Regex(pattern, "u").find(instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern}")


@cache
def validator(name):
    kind = jsonschema.validators.extend(jsonschema.Draft7Validator, {"pattern": _pattern})
    schema = json.loads((SCHEMAS / name).read_text(encoding="utf-8"))
    return kind(schema, format_checker=jsonschema.FormatChecker())


def faults(name, text):
    return [jsonschema.exceptions.best_match([each]).message for each in validator(name).iter_errors(json.loads(text))]


REPORTS = [
    pytest.param(examples.report(), id="broken"),
    pytest.param(examples.report(changes=examples.CHANGES), id="changed"),
    pytest.param(examples.report(examples.clean()), id="clean"),
    pytest.param(examples.report(StackAudit(examples.graphs.graph(), examples.graphs.audit())), id="empty"),
]


# SARIF


@pytest.mark.parametrize("report", REPORTS)
def test_sarif_fits_the_schema_of_oasis(report):
    assert faults("sarif-schema-2.1.0.json", as_sarif.text(report)) == []


def sarif(report=None):
    return {
        run["automationDetails"]["id"]: run for run in json.loads(as_sarif.text(report or examples.report()))["runs"]
    }


def test_sarif_has_a_run_a_stack_and_a_result_a_finding():
    runs = sarif()
    assert {name: len(run["results"]) for name, run in runs.items()} == {
        "runbook-audit/staging/": 5,
        "runbook-audit/prod/": 0,
    }


def test_a_result_is_placed_by_line_from_the_root_of_the_repository_and_by_urn():
    run = sarif()["runbook-audit/staging/"]
    result = run["results"][0]
    (place,) = result["locations"]
    assert place["physicalLocation"] == {
        "artifactLocation": {"uri": "infra/components/net%20work.py", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 42},
    }
    assert [each["name"] for each in place["logicalLocations"]] == ["a"]
    assert place["logicalLocations"][0]["fullyQualifiedName"].endswith("Subnet::a")
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "net-open"


def test_a_result_outside_the_project_keeps_its_own_address_and_one_about_the_stack_stands_in_its_file():
    stack_wide = StackAudit(examples.graph("prod"), examples.audit("prod", [Finding(TAGS, "None.", None, False)]))
    (result,) = sarif(examples.report(stack_wide))["runbook-audit/prod/"]["results"]
    (place,) = result["locations"]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == "infra/Pulumi.prod.yaml"
    waived = sarif()["runbook-audit/staging/"]["results"][4]
    assert waived["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "file:///elsewhere/db.py"}


def test_a_waived_finding_is_suppressed_and_one_whose_waiver_expired_is_not():
    results = sarif()["runbook-audit/staging/"]["results"]
    suppressed = {result["message"]["text"]: result["suppressions"] for result in results if "suppressions" in result}
    assert list(suppressed) == ["There is one zone."]
    ((suppression,),) = suppressed.values()
    assert (suppression["kind"], suppression["status"]) == ("external", "accepted")
    assert suppression["justification"] == (
        "Waived until 2027-01-31: platform-team (OPS-123): The migration <b>comes</b> first."
    )
    assert suppression["location"]["physicalLocation"]["artifactLocation"]["uri"] == "infra/policies/waivers.yaml"
    assert results[2]["message"]["text"].startswith("It is open & <i>wide</i>. Waiver expired on 2026-11-01")


def test_what_was_not_evaluated_is_a_notification_and_no_result():
    (invocation,) = sarif()["runbook-audit/staging/"]["invocations"]
    told = [
        (each["associatedRule"]["id"], each["message"]["text"]) for each in invocation["toolExecutionNotifications"]
    ]
    assert told == [
        ("net-open", "Not evaluated: cidrBlock can't be known"),
        ("mon-seen", "Not evaluated: it is unknown"),
    ]


def test_a_rule_of_sarif_has_help_a_score_and_its_controls():
    (rule,) = [each for each in sarif()["runbook-audit/prod/"]["tool"]["driver"]["rules"] if each["id"] == "net-open"]
    assert rule["help"]["text"] == (
        "Why: Otherwise it is open.\nRemedy: Close it.\n"
        "Run book: 000_b5883a9168e66709.txt 6: restrict access to necessary ports\nControls: CIS 5.3, NIST SC-7"
    )
    assert rule["properties"]["security-severity"] == "9.5"
    assert rule["properties"]["tags"] == ["security", "CIS 5.3", "NIST SC-7"]


def test_a_fingerprint_outlasts_the_line_and_one_of_them_the_wording():
    def prints(sentence):
        (a, *_others) = examples.graph("prod").of(examples.SUBNET)
        moved = examples.replace(a, source=examples.SourcePosition("elsewhere.py", 1))
        audited = StackAudit(examples.graph("prod"), examples.audit("prod", [Finding(OPEN, sentence, moved, True)]))
        (result,) = sarif(examples.report(audited))["runbook-audit/prod/"]["results"]
        return result["partialFingerprints"]

    assert prints("One.")["judgement/v1"] == prints("Two.")["judgement/v1"]
    assert prints("One.")["finding/v1"] == prints("One.")["finding/v1"] != prints("Two.")["finding/v1"]


# JUnit


def _parsed(text):
    return ET.fromstring(text)  # noqa: S314 - written by the test itself


@pytest.mark.parametrize("report", REPORTS)
def test_junit_fits_the_schema_of_jenkins(report):
    schema = xmlschema.XMLSchema(SCHEMAS / "junit-10.xsd")
    assert [each.reason for each in schema.iter_errors(_parsed(as_junit.text(report)))] == []


def test_junit_fails_what_refuses_and_skips_what_was_not_judged():
    staging, prod = _parsed(as_junit.text(examples.report()))
    assert {key: staging.get(key) for key in ("name", "tests", "failures", "skipped", "timestamp")} == {
        "name": "staging",
        "tests": "9",
        "failures": "2",
        "skipped": "4",
        "timestamp": "2026-11-21T12:00:00",
    }
    assert (prod.get("failures"), prod.get("skipped")) == ("0", "1")
    failed = {
        case.get("name"): case.find("failure").get("message")
        for case in staging.iter("testcase")
        if case.find("failure") is not None
    }
    assert failed == {
        "a (ec2.Subnet)": "Port 22 is open. Port 3389 is open.",
        f"{HOSTILE} (ec2.Subnet)": "It is open & <i>wide</i>.",
    }
    skipped = [
        case.find("skipped").get("message") for case in staging.iter("testcase") if case.find("skipped") is not None
    ]
    assert [message.partition(":")[0] for message in skipped] == [
        "Not evaluated",
        "Waived",
        "Not evaluated",
        "Not applicable",
    ]


def test_advice_is_the_output_of_a_test_that_passes():
    (staging, _prod) = _parsed(as_junit.text(examples.report()))
    (advised,) = [case for case in staging.iter("testcase") if case.find("system-out") is not None]
    assert advised.get("classname") == "staging.gov-tags"
    assert advised.find("system-out").text.startswith(
        "Advised: There are no tags.\nDeclared at: components/net work.py:42\n"
    )
    assert advised.find("failure") is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text())
def test_no_name_breaks_the_xml(text):
    header = examples.header("prod", project=text)
    assert _parsed(as_junit.text(examples.Report(header=header, stacks=(examples.clean(),)))).tag == "testsuites"


# CSV


def rows(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv_has_one_row_a_judgement():
    found = rows(as_csv.judgements(examples.report()))
    assert len(found) == sum(len(stack.judgements) for stack in examples.report().stacks)
    first = found[0]
    assert {
        key: first[key]
        for key in ("stack", "rule", "status", "outcome", "component", "resource", "file", "line", "said")
    } == {
        "stack": "staging",
        "rule": "net-open",
        "status": "fail",
        "outcome": "refused",
        "component": "network",
        "resource": "a",
        "file": "components/net work.py",
        "line": "42",
        "said": "Port 22 is open. Port 3389 is open.",
    }


@pytest.mark.parametrize("sentence", ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(sentence):
    audited = StackAudit(examples.graph("prod"), examples.audit("prod", [Finding(TAGS, sentence, None, False)]))
    cells = [cell for row in rows(as_csv.judgements(examples.report(audited))) for cell in row.values()]
    assert f"'{sentence}" in cells
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == []


def test_the_matrix_has_one_row_for_each_control_and_rule_and_one_column_a_stack():
    found = rows(as_csv.matrix(examples.report()))
    assert list(found[0]) == ["framework", "control", "rule", "title", "staging", "prod"]
    assert [(row["rule"], row["staging"], row["prod"]) for row in found if row["control"] == "CM-8"] == [
        ("gov-tags", "fail", "pass")
    ]
    assert {row["framework"] for row in found} == {
        "CIS AWS Foundations Benchmark 5.0",
        "AWS Foundational Security Best Practices",
        "NIST SP 800-53 Rev. 5",
        "Other sources",
    }


# Markdown


def test_markdown_gives_the_verdict_the_numbers_and_what_refuses():
    told = as_markdown.text(examples.report(changes=examples.CHANGES)).splitlines()
    assert told[2] == "**Refused**: staging by 2 judgements."
    assert "| staging | **refused** | 2 | 1 | 2 | 1 | 2 | 1 |" in told
    assert "1 new, 1 fixed, 1 still there, 0 waived, 0 not judged any more." in told
    assert (
        "- **critical** net-open in staging: Port 22 is open. Port 3389 is open. (a, components/net work.py:42)" in told
    )
    assert [line for line in told if line.startswith("## ")] == [
        "## Since 2026-11-20T12:00:00Z at commit 0ddba11",
        "## Refused: 2 judgements",
        "## Advised: 1 judgement",
        "## Waived: 1 judgement",
        "## Not evaluated: 2 judgements",
    ]


def test_markdown_is_short_whatever_was_found():
    captured = examples.graph("prod")
    many = [Finding(OPEN, f"Fault {number}.", captured.resources[number % 4], True) for number in range(4)]
    wide = [Finding(examples.replace(OPEN, id=f"rule-{n}"), "It is open.", None, True) for n in range(500)]
    told = as_markdown.text(examples.report(StackAudit(captured, examples.audit("prod", many + wide))))
    assert len(told.splitlines()) < 60
    assert "- and 484 more" in told


def test_markdown_shows_names_as_text():
    told = as_markdown.text(examples.report(changes=examples.CHANGES))
    assert "<script>" not in told
    assert "<i>" not in told
    assert r"&lt;script&gt;alert('x')&lt;/script&gt;\|\`\*\_\[a\](b)\_\*\`" in told


# OSCAL


@pytest.mark.parametrize("report", REPORTS)
def test_oscal_fits_the_schema_of_nist(report):
    assert faults("oscal_complete_schema-1-1-3.json", as_oscal.text(report)) == []


def oscal(stack, report=None):
    results = json.loads(as_oscal.text(report or examples.report()))["assessment-results"]["results"]
    (found,) = [each for each in results if each["title"] == f"Stack {stack}"]
    return found


def states(stack):
    return {
        each["target"]["target-id"]: (each["target"]["status"]["state"], each["target"]["status"]["reason"])
        for each in oscal(stack)["findings"]
    }


def test_a_control_is_satisfied_only_where_all_its_rules_pass():
    assert states("staging") == {
        "cis-5.0-2.2.4_smt": ("not-satisfied", "other"),
        "fsbp-rds.5_smt": ("not-satisfied", "other"),
        "ac-6.2_smt": ("not-satisfied", "other"),
        "cm-8_smt": ("not-satisfied", "fail"),
        "cp-10_smt": ("not-satisfied", "other"),
        "sc-7_smt": ("not-satisfied", "fail"),
        "si-4_smt": ("not-satisfied", "other"),
    }
    assert set(states("prod").values()) == {("satisfied", "pass")}


def test_a_control_whose_rules_had_nothing_to_judge_is_not_called_reviewed():
    (selection,) = oscal("prod")["reviewed-controls"]["control-selections"]
    reviewed = [each["control-id"] for each in selection["include-controls"]]
    assert reviewed == ["cis-5.0-2.2.4", "fsbp-rds.5", "ac-6.2", "cm-8", "cp-10", "sc-7", "si-4"]


def test_a_waiver_is_a_risk_with_an_approved_deviation_and_a_deadline():
    risks = {each["title"]: (each["status"], each.get("deadline")) for each in oscal("staging")["risks"]}
    assert risks == {
        "net-open: a": ("open", None),
        f"net-open: {HOSTILE}": ("open", "2026-11-01T23:59:59Z"),
        "gov-tags: b": ("open", None),
        "rds-zones: database": ("deviation-approved", "2027-01-31T23:59:59Z"),
    }


def test_every_reference_in_oscal_leads_somewhere_and_no_uuid_is_given_twice():
    text = as_oscal.text(examples.report())
    made, used = [], set()

    def walk(value):
        for key, each in value.items() if isinstance(value, dict) else ():
            if key == "uuid":
                made.append(each)
            elif key.endswith("-uuid"):
                used.add(each)
        for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            walk(each)

    walk(json.loads(text))
    assert len(made) == len(set(made))
    assert used <= set(made)


# JSON


def test_the_json_report_is_what_json_prints_and_more():
    report = examples.report()
    told = json.loads(as_json.text(report))
    plain = json.loads(document.text((stack.graph, stack.audit) for stack in report.stacks))
    assert told["version"] == plain["version"] == 1
    assert set(told) - set(plain) == {"header", "changes", "rules", "controls", "statuses"}
    for more, less in zip(told["stacks"], plain["stacks"], strict=True):
        assert {key: value for key, value in more.items() if key in less and key != "findings"} == {
            key: value for key, value in less.items() if key != "findings"
        }
        assert [
            {key: value for key, value in each.items() if key not in ("status", "expired")} for each in more["findings"]
        ] == less["findings"]


def test_the_json_report_tells_what_passed_what_did_not_apply_and_the_status_of_each_finding():
    staging, prod = json.loads(as_json.text(examples.report()))["stacks"]
    assert [each["status"] for each in staging["findings"]] == ["fail", "fail", "waiver expired", "fail", "waived"]
    assert [each["expired"] for each in staging["findings"]] == [None, None, "2026-11-01", None, None]
    assert [urn.rpartition("::")[2] for urn in staging["passed"]["gov-tags"]] == ["a", HOSTILE]
    assert prod["passed"]["mon-seen"] == [None]
    assert list(prod["notApplicable"]) == ["ecs-idle"]
    assert prod["counts"] == {
        "fail": 0,
        "waiver expired": 0,
        "not evaluated": 0,
        "waived": 0,
        "pass": 8,
        "not applicable": 1,
    }


def test_a_report_of_no_commit_says_so():
    header = examples.header("prod", source=Source(commit=None, dirty=True))
    report = examples.Report(header=header, stacks=(examples.clean(),))
    assert json.loads(as_json.text(report))["header"]["commit"] is None
    assert "no commit" in as_markdown.text(report)
    assert faults("sarif-schema-2.1.0.json", as_sarif.text(report)) == []
    assert faults("oscal_complete_schema-1-1-3.json", as_oscal.text(report)) == []
