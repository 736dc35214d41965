"""How resources and numbers are called in front of a person."""

from __future__ import annotations

_PROVIDERS = "pulumi:providers:"


def short_type(token: str) -> str:
    """As the program writes it: ``ec2.Subnet``, ``random.RandomPet``, ``provider aws``, the class of a component."""
    if token.startswith(_PROVIDERS):
        return f"provider {token.removeprefix(_PROVIDERS)}"
    package, _, rest = token.partition(":")
    module, _, name = rest.rpartition(":")
    module, provided, _ = module.partition("/")
    if not provided:  # a component
        return name
    where = [part for part in (package, module) if part not in ("aws", "index")]
    return ".".join([*where, name])


def is_default_provider(type_: str, name: str) -> bool:
    """Whether the engine makes this provider by itself; it shows no such provider to anybody."""
    return type_.startswith(_PROVIDERS) and name.startswith("default")


def count(number: int, one: str, many: str | None = None) -> str:
    """``1 resource``, ``1,842 values``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def percent(part: int, whole: int) -> str:
    """With one decimal, rounded down: only the whole is 100 %."""
    if part >= whole:
        return "100 %"
    tenths = part * 1000 // whole
    return f"{tenths // 10}.{tenths % 10} %"
