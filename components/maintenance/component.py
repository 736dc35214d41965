"""The maintenance component: the machine, the switch to it, and its server's certificate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from settings.naming import Labels

from .. import iam
from .._base import Component
from . import plan
from .args import MaintenanceArgs
from .certificates import Certificates
from .host import Host
from .switch import Switch


class Maintenance(Component):
    """A small machine that answers with a page while the platform is worked on (``003_… Patching & Updates``).

    It stands ready at all times. A command switches requests over to it and makes a schedule that leads them back; what
    the way back is, this component declares, and it works without the command. ``server``, where there is one, is a
    machine outside of this stack with a Let's Encrypt certificate of its own, which the page needs as well.
    """

    TYPE = "learning-platform:maintenance:Maintenance"
    SERVICE = "maintenance"
    RUNBOOK = "003_720b7a256857bf84.txt Scheduled Maintenance"

    instance_id: pulumi.Output[str]
    security_group_id: pulumi.Output[str]
    role_name: pulumi.Output[str]
    #: What monitoring knows them by.
    schedule_group: pulumi.Output[str]
    dead_letters_name: pulumi.Output[str]
    #: What the role of the server has to be allowed, where the settings do not name that role.
    server_statements: tuple[iam.Statement, ...]
    #: Where ``CertificateDaysLeft`` is counted, by ``Host`` and ``Machine`` (``maintenance``, ``server``).
    metric_namespace: str
    #: What the command that switches needs to know: its entry of the inventory.
    entry: Mapping[str, pulumi.Input[Any]]

    def __init__(
        self, name: str, args: MaintenanceArgs, *, labels: Labels, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, labels, opts)
        server = args.settings.server
        self._host = Host(self, args)
        self._switch = Switch(self, args, self._host)
        self._certificates = Certificates(self, args, server, self._host) if server is not None else None
        self.instance_id = self._host.instance.id
        self.security_group_id = self._host.group.id
        self.role_name = self._host.role.name
        self.schedule_group = self._switch.group.name
        self.dead_letters_name = self._switch.dead_letters.name
        self.server_statements = self._certificates.server_statements if self._certificates else ()
        self.metric_namespace = labels.physical(name)
        self.entry = self._make_entry(args)
        self.register_outputs({"instanceId": self.instance_id, "securityGroupId": self.security_group_id})

    def _make_entry(self, args: MaintenanceArgs) -> dict[str, pulumi.Input[Any]]:
        settings, switch, certificates = args.settings, self._switch, self._certificates
        host = plan.host_of(settings, args.host)
        return {
            "mode": settings.mode,
            "instanceId": self.instance_id,
            "host": host,
            "url": plan.url_of(host),
            "healthPath": plan.HEALTH_PATH,
            "priority": plan.SWITCH_PRIORITY,
            "muteRule": self.labels.physical(self.name, limit=255),
            "offDocument": switch.off_document.name,
            "untilDocument": self._host.until_document.name,
            "deadLetterArn": switch.dead_letters.arn,
            "scheduleGroup": switch.group.name,
            "scheduleRoleArn": switch.scheduler_role.arn,
            "bucket": certificates.bucket if certificates else None,
            "documents": certificates.documents if certificates else {},
            "serverInstanceId": settings.server.instance_id if settings.server else None,
            **switch.places,
        }
