"""What a preview with audit costs, as ratios within one run. All times are processor seconds.

    python bench/preview.py [--runs 7] [--json]

1. The preview and audit of a stack, in a process of its own, against a process that only imports the SDK modules
   which that stack uses. Runs alternate, so that a busy machine slows both.
2. What each further resource costs: graphs of 100 to 5,000 resources captured and audited with every rule, and how
   straight the line through them is.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

SIZES = (100, 500, 1000, 2500, 5000)

PREVIEW_AND_AUDIT = """
from pathlib import Path
from runbook.audit.evaluate import audit
from runbook.preview.project import preview
from policies.rulebook.context import of_project
graph = preview({stack!r}, Path({root!r}))
audit(graph, of_project(Path({root!r}), {stack!r}))
"""

MODULES_OF_A_PREVIEW = (
    PREVIEW_AND_AUDIT
    + """
import sys, json
sdk = [name for name, module in list(sys.modules.items())
       if name.split('.')[0] in ('pulumi', 'pulumi_aws', 'pulumi_policy') and getattr(module, '__file__', None)]
print(json.dumps(sdk))
"""
)

BARE_IMPORT = "import importlib\nfor name in {modules!r}: importlib.import_module(name)"


def seconds(code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def against_import(stack: str, runs: int) -> dict[str, float]:
    """Medians in seconds, and their ratio."""
    found = subprocess.run(
        [sys.executable, "-c", MODULES_OF_A_PREVIEW.format(stack=stack, root=str(ROOT))],
        check=True, capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    modules = json.loads(found.stdout.splitlines()[-1])
    whole, bare = [], []
    for _ in range(runs):
        bare.append(seconds(BARE_IMPORT.format(modules=modules)))
        whole.append(seconds(PREVIEW_AND_AUDIT.format(stack=stack, root=str(ROOT))))
    ratio = statistics.median(a / b for a, b in zip(whole, bare, strict=True))
    return {"import": statistics.median(bare), "preview_and_audit": statistics.median(whole), "ratio": ratio}


def program(size: int) -> Callable[[], None]:
    """``size`` resources that refer to each other, of types that many rules judge."""

    def run() -> None:
        import pulumi_aws as aws

        tags = dict.fromkeys(("Environment", "Owner", "Service", "CostCenter", "Backup", "RunbookRef"), "x")
        for block in range(size // 10):
            name = f"b{block}"
            vpc = aws.ec2.Vpc(name, cidr_block="10.0.0.0/16", tags=tags)
            group = aws.ec2.SecurityGroup(name, vpc_id=vpc.id, description="members", tags=tags)
            subnet = aws.ec2.Subnet(name, vpc_id=vpc.id, cidr_block="10.0.0.0/24", tags=tags)
            table = aws.ec2.RouteTable(name, vpc_id=vpc.id, tags=tags)
            aws.ec2.RouteTableAssociation(name, route_table_id=table.id, subnet_id=subnet.id)
            aws.vpc.SecurityGroupIngressRule(
                name, security_group_id=group.id, ip_protocol="tcp", from_port=443, to_port=443, cidr_ipv4="10.0.0.0/8"
            )
            role = aws.iam.Role(name, assume_role_policy='{"Statement": []}', tags=tags)
            aws.iam.RolePolicy(name, role=role.name, policy='{"Statement": []}')
            bucket = aws.s3.Bucket(name, tags=tags)
            aws.s3.BucketVersioning(name, bucket=bucket.id, versioning_configuration={"status": "Enabled"})

    return run


def per_resource() -> dict[str, object]:
    """Milliseconds a resource, by least squares over the sizes, and how well a straight line explains them."""
    from policies.rulebook.resource import Context
    from runbook.audit.evaluate import audit
    from runbook.preview.capture import capture

    capture(program(10))
    points, rows = [], []
    for size in SIZES:
        started = time.process_time()
        graph = capture(program(size))
        captured = time.process_time()
        audit(graph, Context())
        ended = time.process_time()
        points.append((size, ended - started))
        rows.append({"resources": size, "capture": captured - started, "audit": ended - captured})
    sizes, times = zip(*points, strict=True)
    slope, _ = statistics.linear_regression(sizes, times)
    return {"rows": rows, "ms_per_resource": slope * 1000, "straightness": statistics.correlation(sizes, times) ** 2}


def machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7, help="how often each process is started")
    parser.add_argument("--stack", default="prod")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    first, second = against_import(given.stack, given.runs), per_resource()
    if given.json:
        print(json.dumps({"machine": machine(), "against_import": first, "per_resource": second}, indent=2))
        return
    print(f"Machine: {machine()}\n")
    print(f"Import of the SDK modules   {first['import']:6.2f} s")
    print(f"Preview and audit of {given.stack:<6} {first['preview_and_audit']:6.2f} s")
    print(f"Ratio                       {first['ratio']:6.2f}  (aim: at most 1.5)\n")
    print("resources  capture s  audit s")
    for row in second["rows"]:
        print(f"{row['resources']:9d}  {row['capture']:9.2f}  {row['audit']:7.2f}")
    print(
        f"\n{second['ms_per_resource']:.2f} ms a resource (aim: at most 1.5), straightness {second['straightness']:.4f}"
    )


if __name__ == "__main__":
    main()
