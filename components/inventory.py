"""The inventory: where a command finds what a stack made, with an AWS session and an environment's name alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pulumi
import pulumi_aws as aws

from settings.naming import Labels

from ._base import Component

#: What a parameter of the standard tier holds, which costs nothing.
LIMIT = 4096


def render(component: str, entry: Mapping[str, Any]) -> str:
    """An entry as JSON with sorted keys, so that a second run changes nothing.

    Raises ValueError when it is longer than a standard parameter holds.
    """
    text = json.dumps(entry, sort_keys=True)
    if len(text.encode()) > LIMIT:
        raise ValueError(
            f"The inventory of {component!r} takes {len(text.encode())} bytes; a parameter holds {LIMIT}. "
            "Split it into two entries."
        )
    return text


@dataclass(frozen=True, kw_only=True, slots=True)
class InventoryArgs:
    """``entries``: component -> what commands need of it: names, ARNs, endpoints, thresholds; never a secret."""

    entries: Mapping[str, Mapping[str, pulumi.Input[Any]]]


class Inventory(Component):
    """One SSM parameter ``/project/environment/inventory/component`` per component, with what commands need of it."""

    TYPE = "learning-platform:inventory:Inventory"
    SERVICE = "inventory"
    RUNBOOK = "004_5ca73e3508d74ec8.txt Quick Reference"

    #: component -> the parameter's name
    parameter_names: Mapping[str, pulumi.Output[str]]

    def __init__(
        self, name: str, args: InventoryArgs, *, labels: Labels, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, labels, opts)
        self.parameter_names = {
            component: self._create_parameter(component, entry).name
            for component, entry in sorted(args.entries.items())
        }
        self.register_outputs({"parameterNames": self.parameter_names})

    def _create_parameter(self, component: str, entry: Mapping[str, pulumi.Input[Any]]) -> aws.ssm.Parameter:
        name = f"{self.name}-{component}"
        return aws.ssm.Parameter(
            name,
            name=self.labels.path("inventory", component),
            description=f"What commands need to know of {component}",
            type="String",
            tier="Standard",
            # Plain, so that previews and reports show it.
            insecure_value=pulumi.Output.from_input(dict(entry)).apply(partial(render, component)),
            tags=self.tags(name),
            opts=self.child(),
        )
