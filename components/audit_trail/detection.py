"""What finds more than the filters look for: GuardDuty, Access Analyzer and Security Hub, in every region used."""

from __future__ import annotations

import pulumi_aws as aws

from .._base import Component


class Detection:
    """They belong to an account and region, so one stack alone can hold them there. Children of ``owner``."""

    def __init__(self, owner: Component, regions: tuple[str, ...]) -> None:
        for region in regions:
            name = f"{owner.name}-{region}"
            aws.guardduty.Detector(
                name,
                enable=True,
                finding_publishing_frequency="FIFTEEN_MINUTES",
                region=region,
                tags=owner.tags(name),
                opts=owner.child(),
            )
            aws.accessanalyzer.Analyzer(
                name,
                analyzer_name=owner.labels.physical("outside-access"),
                type="ACCOUNT",
                region=region,
                tags=owner.tags(name),
                opts=owner.child(),
            )
            aws.securityhub.Account(
                name,
                # The standards need AWS Config, which an organisation records once for all accounts.
                enable_default_standards=False,
                control_finding_generator="SECURITY_CONTROL",
                auto_enable_controls=True,
                region=region,
                opts=owner.child(),
            )
