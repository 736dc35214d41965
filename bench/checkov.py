"""The same stack judged by our rules and by Checkov, side by side: processor seconds and number of findings.

    python bench/checkov.py [--stack prod] [--checkov FOLDER/bin/checkov] [--findings]

Checkov reads the stack as a Terraform plan that is written from the captured graph. Each tool starts in a process of
its own. Our time includes the preview; Checkov is given the finished plan.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from runbook.preview.graph import Graph, Resource  # noqa: E402 - the folder of the project comes first
from runbook.preview.project import preview  # noqa: E402

#: Where Terraform's name for a type is not ``aws_<module>_<class>``.
PREFIXES = {"amp": "prometheus_", "costexplorer": "ce_", "ec2": "", "rds": "db_"}
TYPES = {
    "aws:cloudtrail/trail:Trail": "aws_cloudtrail",
    "aws:lb/loadBalancer:LoadBalancer": "aws_lb",
    "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy": "aws_sqs_queue_redrive_allow_policy",
}

#: Mappings whose keys are the program's own: no blocks.
MAPS = {"tags", "tagsAll", "variables", "dimensions", "parameters"}

#: Names that Pulumi changed, with Terraform's own.
RENAMED = {
    ("aws_cloudwatch_metric_alarm", "name"): "alarm_name",
    ("aws_lambda_function", "name"): "function_name",
    ("aws_lambda_permission", "function"): "function_name",
    ("aws_sns_topic_subscription", "topic"): "topic_arn",
}

HOW_TO_INSTALL = """Checkov is not installed. In an environment of its own:
  python3 -m venv build/checkov && build/checkov/bin/pip install checkov
  python bench/checkov.py --checkov build/checkov/bin/checkov"""

OURS = """
from pathlib import Path
from policies.rulebook.context import of_project
from runbook.audit.evaluate import audit
from runbook.preview.project import preview
said = audit(preview({stack!r}, Path.cwd()), of_project(Path.cwd(), {stack!r}))
print(len(said.findings), said.rules, said.judgements)
"""


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def type_of(token: str) -> str:
    module, name = token.split(":")[1].partition("/")[0], token.rpartition(":")[2]
    return TYPES.get(token) or f"aws_{PREFIXES.get(module, f'{module}_')}{snake(name)}"


def singular(name: str) -> str:
    for ending, one in (("ies", "y"), ("sses", "ss"), ("s", "")):
        if name.endswith(ending) and not name.endswith("ss"):
            return name.removesuffix(ending) + one
    return name


def body(properties: dict[str, Any]) -> dict[str, Any]:
    """A block of Terraform: inner objects become lists of blocks, whose names are singular."""
    found: dict[str, Any] = {}
    for key, value in properties.items():
        name = snake(key)
        if isinstance(value, dict) and key not in MAPS:
            found[name] = [body(value)]
        elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            found[singular(name)] = [body(item) for item in value]
        else:
            found[name] = value
    return found


def plan(graph: Graph) -> dict[str, Any]:
    """``terraform show -json`` of a plan that creates the graph's resources, as far as Checkov reads it."""
    judged = [r for r in graph.resources if r.custom and r.type.startswith("aws:")]
    address = {r.urn: f"{type_of(r.type)}.{r.name}" for r in judged}

    def entry(r: Resource) -> dict[str, Any]:
        return {"address": address[r.urn], "mode": "managed", "type": type_of(r.type), "name": r.name}

    def values(r: Resource) -> dict[str, Any]:
        type_ = type_of(r.type)
        return {RENAMED.get((type_, name), name): value for name, value in body(dict(r.inputs)).items()}

    def references(r: Resource) -> dict[str, Any]:
        return {
            snake(key): {"references": [text for urn in urns if urn in address for text in _both(address[urn])]}
            for key, urns in r.property_dependencies.items()
            if any(urn in address for urn in urns)
        }

    return {
        "format_version": "1.2",
        "terraform_version": "1.9.0",
        "planned_values": {"root_module": {"resources": [entry(r) | {"values": values(r)} for r in judged]}},
        "resource_changes": [
            entry(r) | {"change": {"actions": ["create"], "before": None, "after": values(r), "after_unknown": {}}}
            for r in judged
        ],
        "configuration": {
            "root_module": {"resources": [entry(r) | {"expressions": references(r)} for r in judged]},
        },
    }


def _both(address: str) -> tuple[str, str]:
    """A reference is told with its attribute and without."""
    return f"{address}.id", address


def timed(command: Sequence[str], folder: Path, **environ: str) -> tuple[float, str]:
    """Processor seconds of a command, and what it prints. Checkov ends with 1 where it finds something."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = subprocess.run(command, cwd=folder, env=os.environ | environ, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if said.returncode not in (0, 1):
        raise SystemExit(f"{command[0]} ended with {said.returncode}:\n{said.stderr[-2000:]}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, said.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack", default="prod")
    parser.add_argument("--checkov", default="checkov", help="the command, where it is not on the PATH")
    parser.add_argument("--findings", action="store_true", help="list what Checkov finds")
    given = parser.parse_args()

    ours, said = timed([sys.executable, "-c", OURS.format(stack=given.stack)], ROOT, PYTHONPATH=str(ROOT))
    findings, rules, judgements = said.split()
    print(f"ours     {ours:6.2f} s  {findings:>4} findings  {rules} rules, {judgements} judgements")
    command = shutil.which(given.checkov)
    if command is None:
        print(HOW_TO_INSTALL)
        return

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "plan.json").write_text(json.dumps(plan(preview(given.stack, ROOT))), encoding="utf-8")
        options = ["-f", "plan.json", "--framework", "terraform_plan", "-o", "json", "--compact", "--quiet"]
        theirs, said = timed([str(Path(command).resolve()), *options], Path(folder))
    report = json.loads(said)
    failed = report["results"]["failed_checks"]
    passed = report["summary"]["passed"]
    print(f"Checkov  {theirs:6.2f} s  {len(failed):>4} findings  {passed + len(failed)} judgements")
    print(f"Checkov takes {theirs / ours:.1f} times as long.")
    if given.findings:
        for (check, name), count in sorted(Counter((c["check_id"], c["check_name"]) for c in failed).items()):
            print(f"\n{check} {name} ({count})")
            for finding in failed:
                if finding["check_id"] == check:
                    print(f"  {finding['resource']}")


if __name__ == "__main__":
    main()
