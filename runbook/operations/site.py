"""Which stack an operation works on, whose account that is, and where the stack's things are found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from settings.naming import Labels

from ..errors import UserError
from .aws import error_code, spoken

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

    from settings.model import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A stack as an operation sees it: its settings, and from them its account, regions and names."""

    project: str
    settings: Settings

    @property
    def environment(self) -> str:
        return self.settings.environment

    @property
    def account_id(self) -> str:
        return self.settings.account.id

    @property
    def partition(self) -> str:
        return self.settings.account.partition

    @property
    def region(self) -> str:
        return self.settings.region

    @property
    def labels(self) -> Labels:
        ownership = self.settings.ownership
        return Labels(
            project=self.project,
            environment=self.environment,
            owner=ownership.owner,
            cost_center=ownership.cost_center,
        )

    def arn(self, service: str, resource: str, *, region: str | None = None) -> str:
        """``arn:partition:service:region:account:resource``; the region is the primary one unless another is given."""
        return f"arn:{self.partition}:{service}:{region or self.region}:{self.account_id}:{resource}"

    def parameter(self, component: str) -> str:
        """The name of the SSM parameter that tells where a component's things are."""
        return self.labels.path("inventory", component)


def caller(sts: STSClient, *, environment: str, account_id: str) -> str:
    """The ARN of who is asking. Raises UserError where the credentials are for another account than the stack's."""
    with spoken("sts:GetCallerIdentity"):
        identity = sts.get_caller_identity()
    if identity["Account"] != account_id:
        raise UserError(
            f"These credentials are for account {identity['Account']}, but {environment} belongs to account "
            f"{account_id} (account.id in Pulumi.{environment}.yaml).",
            "Use the credentials of that account, or correct the settings. Nothing was changed.",
        )
    return identity["Arn"]


def inventory(ssm: Any, site: Site, component: str) -> Mapping[str, Any]:
    """What the stack wrote down of ``component``: names, ARNs, endpoints.

    Raises UserError where the stack was not deployed, or deployed before it had that component.
    """
    from botocore.exceptions import ClientError

    name = site.parameter(component)
    with spoken("ssm:GetParameter"):
        try:
            value = ssm.get_parameter(Name=name)["Parameter"]["Value"]
        except ClientError as error:
            if error_code(error) != "ParameterNotFound":
                raise
            raise UserError(
                f"{site.environment} has no inventory of {component}: there is no parameter {name} in {site.region}.",
                f"`make up STACK={site.environment}` writes it, where the stack's settings ask for {component}.",
            ) from error
    entry: Mapping[str, Any] = json.loads(value)
    return entry
