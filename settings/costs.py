"""What the platform may cost, and when a surprise is told (``004_… Cost Review``, ``003_… Cost Management``)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .kinds import between, text
from .section import Section

MONITOR_ARN = text(
    "ARN of an anomaly monitor",
    r"arn:aws(?:-us-gov|-cn)?:ce::[0-9]{12}:anomalymonitor/[a-f0-9-]{36}",
    "The ARN of a monitor in Cost Anomaly Detection.",
    "arn:aws:ce::704193685527:anomalymonitor/11111111-2222-3333-4444-555555555555",
)


class CostSettings(Section):
    """The budget of the account, and what counts as an anomaly (``004_… Daily Checklist``)."""

    monthly_usd: Annotated[int, between(10, 1_000_000, "US dollars")] = Field(
        default=500, description="What the account may cost in a month, US dollars (004_… Cost Review)."
    )
    warn_percent: Annotated[int, between(10, 99, "Percent")] = Field(
        default=80, description="Share of the budget at which somebody is told, percent."
    )
    anomaly_usd: Annotated[int, between(1, 100_000, "US dollars")] = Field(
        default=20, description="What a surprise costs, US dollars in all, before it is told."
    )
    anomaly_percent: Annotated[int, between(1, 1000, "Percent")] = Field(
        default=40, description="How far above the expected cost a surprise is, percent."
    )
    anomaly_monitor: Annotated[str, MONITOR_ARN] | None = Field(
        default=None,
        description="Monitor of the services that the account has already: AWS makes one when Cost Explorer is first "
        "used and allows no second; absent, one is made.",
        examples=["arn:aws:ce::704193685527:anomalymonitor/11111111-2222-3333-4444-555555555555"],
    )
