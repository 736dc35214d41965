"""Which class of the SDK stands behind a type token, and what it says of a resource's properties."""

from __future__ import annotations

import importlib
import keyword
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pulumi import _types


@dataclass(frozen=True, slots=True)
class ResourceType:
    """Property names are the wire's; the values are their Python types."""

    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]


@cache
def resource_type(token: str) -> ResourceType | None:
    """The properties of ``package:module/file:Class``; None where the SDK has no such class."""
    package, _, rest = token.partition(":")
    module, _, name = rest.partition(":")
    module = module.partition("/")[0]
    if keyword.iskeyword(module):
        module += "_"
    try:
        found = importlib.import_module(f"pulumi_{package}.{module}")
        cls = getattr(found, name)
        # Where a nested type has the usual name, as ``BucketVersioningArgs`` has, the generator takes the other.
        args = getattr(found, f"{name}InitArgs", None) or getattr(found, f"{name}Args")
    except (ImportError, AttributeError):
        return None
    return ResourceType(inputs=_types.input_type_types(args), outputs=_types.resource_types(cls))
