"""The document of an audit."""

import json

from policies.rulebook.rule import Level, Severity
from runbook.audit import document
from runbook.audit.evaluate import Finding, Judged, NotEvaluated
from runbook.preview.graph import Fidelity, SourcePosition
from tests.runbook.graphs import audit, graph, resource, rule

SUBNET = resource("aws:ec2/subnet:Subnet", "data-a", source=SourcePosition("components/net.py", 42))
OPEN = rule("net-open", Severity.CRITICAL)
TAGS = rule("gov-tags", Severity.LOW, Level.ADVISORY)
SWITCHED_OFF = "The policy configuration switches it off."


def test_the_document_holds_findings_what_was_not_evaluated_fidelity_and_verdict():
    captured = graph(SUBNET, fidelity=Fidelity(9, 10, ("u#p",)))
    found = audit(
        [Finding(OPEN, "Open.", SUBNET, True)],
        [NotEvaluated(TAGS, None, "unknown")],
        idle=("rds-zones",),
        judged=(Judged(OPEN, (SUBNET.urn,)), Judged(rule("rds-zones"), ()), Judged(TAGS, (), disabled=True)),
    )
    assert json.loads(document.text([(captured, found)])) == {
        "version": 1,
        "refused": True,
        "stacks": [
            {
                "stack": "staging",
                "environment": "staging",
                "verdict": "refused",
                "resources": 1,
                "rules": 42,
                "judgements": 1204,
                "idle": ["rds-zones"],
                "notApplicable": {"rds-zones": "The stack declares no ec2.Subnet.", "gov-tags": SWITCHED_OFF},
                "findings": [
                    {
                        "rule": "net-open",
                        "severity": "critical",
                        "mandatory": True,
                        "sentence": "Open.",
                        "urn": SUBNET.urn,
                        "resource": "data-a",
                        "type": "aws:ec2/subnet:Subnet",
                        "file": "components/net.py",
                        "line": 42,
                        "title": "The title of net-open.",
                        "why": "Otherwise it is open.",
                        "remedy": "Close it.",
                        "source": "000_b5883a9168e66709.txt 6: restrict access to necessary ports",
                        "controls": ["CIS 5.3", "NIST SC-7"],
                        "waiver": None,
                    }
                ],
                "notEvaluated": [{"rule": "gov-tags", "urn": None, "reason": "unknown"}],
                "fidelity": {"known": 9, "total": 10, "unknown": ["u#p"]},
            }
        ],
    }


def test_advice_alone_refuses_nothing():
    found = audit([Finding(TAGS, "No tags.", None, False)])
    data = json.loads(document.text([(graph(), found)]))
    (stack,) = data["stacks"]
    assert (data["refused"], stack["verdict"]) == (False, "clean")
    (finding,) = stack["findings"]
    assert {finding[key] for key in ("urn", "resource", "type", "file", "line")} == {None}


def test_keys_are_sorted_and_nothing_depends_on_the_clock():
    text = document.text([(graph(SUBNET, seconds=1.0), audit())])
    assert text == document.text([(graph(SUBNET, seconds=2.0), audit())])
    assert text == json.dumps(json.loads(text), indent=4, sort_keys=True) + "\n"
