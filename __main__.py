"""The stack, top to bottom: settings, then one component per system of the run books."""

from __future__ import annotations

from functools import partial

import pulumi

from components._keys import Home
from components.alerts import Alerts, AlertsArgs
from components.archive import Archive, ArchiveArgs
from components.audit_trail import AuditTrail, AuditTrailArgs, Exclusions
from components.backup import Backup, BackupArgs
from components.bastion import Bastion, BastionArgs
from components.change_calendar import ChangeCalendar, ChangeCalendarArgs
from components.costs import CostGuards, CostGuardsArgs
from components.database import Database, DatabaseArgs
from components.encryption import Encryption, EncryptionArgs
from components.escalation import Escalation, EscalationArgs, chain
from components.inventory import Inventory, InventoryArgs
from components.log_queries import LogQueries, LogQueriesArgs
from components.maintenance import Balancer, Maintenance, MaintenanceArgs
from components.monitoring import Links, Monitoring, MonitoringArgs, description, facts
from components.network import FLOW_FIELDS, Network, NetworkArgs, Traffic
from components.patching import HOSTS, SERVERS, Patching, PatchingArgs, instance_statements, patch_group
from components.prometheus import (
    Alerting,
    AlertingArgs,
    Grafana,
    GrafanaArgs,
    Prometheus,
    PrometheusArgs,
    intervals,
    panels_of,
    rules_of,
    topic_name,
)
from components.schedule import Mutes, MutesArgs, Schedule, ScheduleArgs, alarms_of
from components.web import WebTier, WebTierArgs
from settings.instance_classes import RDS_MEMORY_GIB
from settings.load import guarded, load
from settings.naming import Labels
from settings.severity import Severity

settings = load()
access, audit, db, net, site = settings.access, settings.audit, settings.database, settings.network, settings.web

labels = Labels(
    project=pulumi.get_project(),
    environment=settings.environment,
    owner=settings.ownership.owner,
    cost_center=settings.ownership.cost_center,
)
home = Home(partition=settings.account.partition, account_id=settings.account.id, region=settings.region)

encryption = Encryption(
    "encryption",
    EncryptionArgs(home=home, recovery_region=settings.recovery_region, protect=settings.protect),
    labels=labels,
)

alerts = Alerts(
    "alerts",
    AlertsArgs(home=home, email=guarded("alerts_email", settings.alerts_email), protect=settings.protect),
    labels=labels,
)

calendar = ChangeCalendar("changes", ChangeCalendarArgs(changes=settings.changes), labels=labels)

CostGuards("costs", CostGuardsArgs(home=home, costs=settings.costs, topic_arns=alerts.topic_arns), labels=labels)

network = Network(
    "network",
    NetworkArgs(
        home=home,
        cidr=net.cidr,
        zones=net.zones,
        nat=net.nat,
        traffic=Traffic(
            app_port=site.app_port,
            database_port=db.port,
            admin_cidrs=access.admin_cidrs,
            bastion_tier="app" if access.mode == "ssm" else "public",
            public_machine=settings.maintenance.enabled,
        ),
        flow_log_retention_days=net.flow_log_retention_days,
        logs_key_arn=encryption.logs_key_arn,
    ),
    labels=labels,
)

patch_statements = instance_statements(home, labels)

bastion = Bastion(
    "bastion",
    BastionArgs(
        home=home,
        mode=access.mode,
        admin_cidrs=access.admin_cidrs,
        key_name=access.key_name,
        instance_class=access.instance_class,
        vpc_id=network.vpc_id,
        public_subnet_id=network.subnet_ids["public"][0],
        app_subnet_id=network.subnet_ids["app"][0],
        logs_key_arn=encryption.logs_key_arn,
        session_log_retention_days=access.session_log_retention_days,
        schedule=settings.schedules.of("bastion"),
        patch_group=patch_group(labels, HOSTS),
        instance_statements=patch_statements,
        protect=settings.protect,
    ),
    labels=labels,
)

prom = settings.prometheus
prometheus = (
    Prometheus(
        "prometheus",
        PrometheusArgs(
            home=home,
            server_tags={
                "Environment": labels.environment,
                "Project": labels.project,
                "Service": WebTier.SERVICE,
            },
            probe_url=f"https://{site.domain.host}{site.health_path}",
            scrape_seconds=prom.scrape_seconds,
            probe_timeout_seconds=prom.probe_timeout_seconds,
            agent_schedule=prom.agent_schedule,
            retention_days=prom.retention_days,
            log_retention_days=prom.log_retention_days,
            logs_key_arn=encryption.logs_key_arn,
            protect=settings.protect,
        ),
        labels=labels,
    )
    if prom.enabled
    else None
)

archive = Archive(
    "archive",
    ArchiveArgs(
        home=home,
        records=settings.records,
        server_tags={"Environment": labels.environment, "Project": labels.project, "Service": WebTier.SERVICE},
        topic_arns=alerts.topic_arns,
        backup_class="weekly" if settings.protect else "none",
        servers_sleep=settings.schedules.of("web") is not None,
        protect=settings.protect,
    ),
    labels=labels,
)

web = WebTier(
    "web",
    WebTierArgs(
        home=home,
        vpc_id=network.vpc_id,
        public_subnet_ids=network.subnet_ids["public"],
        app_subnet_ids=network.subnet_ids["app"],
        zone_id=site.domain.zone_id,
        host=site.domain.host,
        schedule=settings.schedules.of("web"),
        patch_group=patch_group(labels, SERVERS),
        instance_class=site.instance_class,
        image_id=site.image_id,
        min_instances=site.min_instances,
        max_instances=site.max_instances,
        cpu_target_percent=site.cpu_target_percent,
        memory_target_percent=site.memory_target_percent,
        cooldown_seconds=site.cooldown_seconds,
        app_port=site.app_port,
        health_path=site.health_path,
        requests_per_5_minutes=site.requests_per_5_minutes,
        log_retention_days=site.log_retention_days,
        agent_schedule=site.agent_schedule,
        logs_key_arn=encryption.logs_key_arn,
        clients={"bastion": bastion.security_group_id},
        instance_statements=(
            *bastion.session_statements,
            *patch_statements,
            *archive.instance_statements,
            *(prometheus.instance_statements if prometheus else ()),
        ),
        protect=settings.protect,
    ),
    labels=labels,
)

database = Database(
    "database",
    DatabaseArgs(
        home=home,
        vpc_id=network.vpc_id,
        subnet_ids=network.subnet_ids["data"],
        clients={"app": web.app_security_group_id, "bastion": bastion.security_group_id},
        logs_key_arn=encryption.logs_key_arn,
        alerts_topic_arn=alerts.topic_arns["high"],
        db_name=db.name,
        username=db.username,
        port=db.port,
        engine_version=db.engine_version,
        instance_class=db.instance_class,
        memory_gib=RDS_MEMORY_GIB[db.instance_class],
        storage_gib=db.storage_gib,
        max_storage_gib=db.max_storage_gib,
        multi_az=db.multi_az,
        backup_retention_days=db.backup_retention_days,
        backup_window=db.backup_window,
        maintenance_window=db.maintenance_window,
        insights=db.insights,
        monitoring_interval_seconds=db.monitoring_interval_seconds,
        slow_query_ms=db.slow_query_ms,
        password_rotation_days=db.password_rotation_days,
        schedule=settings.schedules.of("database"),
        backed_up_continuously=settings.backups.continuous_days is not None,
        log_retention_days=db.log_retention_days,
        apply_immediately=settings.environment == "dev",
        protect=settings.protect,
    ),
    labels=labels,
)

both_regions = (settings.region, settings.recovery_region)

escalation = Escalation(
    "escalation",
    EscalationArgs(
        home=home,
        chain=chain(settings.escalation),
        topic_arns=alerts.topic_arns,
        logs_key_arn=encryption.logs_key_arn,
        protect=settings.protect,
    ),
    labels=labels,
)

answers = settings.escalation.responses
responses: dict[Severity, int | None] = {
    "critical": answers.critical_minutes,
    "high": answers.high_minutes,
    "medium": answers.medium_minutes,
}

topics: dict[str, pulumi.Input[str]] = {
    **({"escalation-replies": escalation.replies_topic_name} if escalation.replies_topic_name else {}),
    **({"grafana": topic_name(labels)} if prometheus and prom.grafana.enabled else {}),
}

hours = settings.schedules
schedule = (
    Schedule(
        "schedule",
        ScheduleArgs(
            home=home,
            regions=both_regions,
            periods=hours.followed(),
            alarm_topic_arn=alerts.topic_arns["medium"],
            logs_key_arn=encryption.logs_key_arn,
            log_retention_days=hours.log_retention_days,
            reserved_concurrency=hours.reserved_concurrency,
        ),
        labels=labels,
    )
    if hours.resources
    else None
)

maintenance = (
    Maintenance(
        "maintenance",
        MaintenanceArgs(
            home=home,
            settings=settings.maintenance,
            host=site.domain.host,
            vpc_id=network.vpc_id,
            subnet_id=network.subnet_ids["public"][0],
            admin_cidrs=access.admin_cidrs,
            balancer=Balancer(
                arn_suffix=web.arn_suffix,
                listener_arn=web.listener_arn,
                target_group_arn=web.target_group_arn,
                security_group_id=web.alb_security_group_id,
            ),
            topic_arns=alerts.topic_arns,
            topic_key_arn=alerts.key_arn,
            backup_document=archive.backup_document,
            instance_statements=(*bastion.session_statements, *patch_statements),
            patch_group=patch_group(labels, HOSTS),
            log_retention_days=site.log_retention_days,
            protect=settings.protect,
        ),
        labels=labels,
    )
    if settings.maintenance.enabled
    else None
)

patching = Patching(
    "patching",
    PatchingArgs(
        home=home,
        settings=settings.patching,
        calendar_name=calendar.calendar_name,
        calendar_arn=calendar.calendar_arn,
        scaling_group=web.autoscaling_group_name,
        target_group_arn=web.target_group_arn,
        image_pinned=site.image_id is not None,
        topic_arns=alerts.topic_arns,
        topic_key_arn=alerts.key_arn,
        logs_key_arn=encryption.logs_key_arn,
    ),
    labels=labels,
)

backup = Backup(
    "backup",
    BackupArgs(
        home=home,
        recovery_region=settings.recovery_region,
        settings=settings.backups,
        vpc_id=network.vpc_id,
        app_subnet_ids=network.subnet_ids["app"],
        data_subnet_ids=network.subnet_ids["data"],
        database_arn=database.arn,
        database_port=db.port,
        evidence_bucket=archive.bucket_names["evidence"],
        evidence_bucket_arn=archive.bucket_arns["evidence"],
        evidence_key_arn=archive.key_arn,
        report_bucket=archive.bucket_names["backup"],
        report_prefix=archive.reports_prefix,
        topic_arns=alerts.topic_arns,
        topic_key_arn=alerts.key_arn,
        logs_key_arn=encryption.logs_key_arn,
        deployers=audit.quiet.deployment,
        protect=settings.protect,
    ),
    labels=labels,
)

# What the alarm matrix watches: resources by a reference, and what CloudWatch knows each of them by.
functions = [
    # Its own alarms, which page without the chain, ring for these already.
    facts.Function(ref=f"escalation-{function}", timeout_seconds=seconds, watched=frozenset({"Errors", "Throttles"}))
    for function, seconds in escalation.function_seconds.items()
]
hosts = ["bastion"]
queues: list[facts.Queue] = []
schedules: list[str] = []
references: dict[str, pulumi.Input[str]] = {
    "group": web.autoscaling_group_name,
    "balancer": web.arn_suffix,
    "target-group": web.target_group_arn_suffix,
    "database": database.identifier,
    "bastion": bastion.instance_id,
    "certificate": web.certificate_arn,
    "firewall": web.firewall_metric,
    "escalation-table": escalation.table_name,
    **{f"escalation-{function}": name for function, name in escalation.function_names.items()},
    **topics,
    **{f"nat-{zone}": gateway for zone, gateway in network.nat_gateway_ids.items()},
}
if schedule:
    functions.append(facts.Function(ref="schedule-function", timeout_seconds=schedule.function_seconds))
    queues.append(facts.Queue(ref="schedule-dead-letters", dead_letters=True))
    schedules.append("schedule-group")
    references |= {
        "schedule-dead-letters": schedule.dead_letters_name,
        "schedule-function": schedule.function_name,
        "schedule-group": schedule.group_name,
    }

queues.append(facts.Queue(ref="patching-dead-letters", dead_letters=True))
references["patching-dead-letters"] = patching.dead_letters_name

if maintenance:
    hosts.append("maintenance")
    queues.append(facts.Queue(ref="maintenance-dead-letters", dead_letters=True))
    schedules.append("maintenance-schedules")
    references |= {
        "maintenance": maintenance.instance_id,
        "maintenance-dead-letters": maintenance.dead_letters_name,
        "maintenance-schedules": maintenance.schedule_group,
    }

functions += [
    facts.Function(ref=f"backup-{function}", timeout_seconds=seconds)
    for function, seconds in backup.function_seconds.items()
]
references |= {
    "backup-vault": backup.vault_name,
    **{f"backup-{function}": name for function, name in backup.function_names.items()},
}

monitoring = Monitoring(
    "monitoring",
    MonitoringArgs(
        home=home,
        thresholds=settings.thresholds,
        facts=facts.Facts(
            region=settings.region,
            group=facts.Group(least=site.min_instances, most=site.max_instances),
            balancer=facts.Balancer(),
            database=facts.Database(
                max_connections=database.max_connections,
                storage_gib=db.storage_gib,
                memory_gib=RDS_MEMORY_GIB[db.instance_class],
                processors=facts.processors(db.instance_class),
                burstable=facts.burstable(db.instance_class),
            ),
            hosts=tuple(hosts),
            gateways=tuple(f"nat-{zone}" for zone in network.nat_gateway_ids),
            certificates=("certificate",),
            firewalls=("firewall",),
            functions=tuple(functions),
            queues=tuple(queues),
            schedules=tuple(schedules),
            vaults=("backup-vault",),
            tables=("escalation-table",),
            topics=tuple(topics),
            rejects=network.metric_namespace,
        ),
        references=references,
        topic_arns=alerts.topic_arns,
        links=Links(site=web.url),
        application_log=web.log_group_name,
        response_minutes=responses,
    ),
    labels=labels,
)

if schedule:
    muted = alarms_of(
        {"bastion": ("bastion",), "database": ("database",), "web": ("group", "balancer", "target-group")},
        [(alarm.key, alarm.subject) for alarm in monitoring.matrix.alarms],
        [(composite.key, composite.alarms) for composite in monitoring.matrix.composites],
    )
    Mutes(
        "mutes",
        MutesArgs(
            periods=hours.followed(),
            follows={str(resource): period for resource, period in hours.resources.items()},
            alarms={resource: [monitoring.alarm_names[key] for key in keys] for resource, keys in muted.items()},
            alarms_of=[monitoring],
            ready_minutes=hours.ready_minutes,
        ),
        labels=labels,
    )

# What Prometheus watches is the servers and their site.
asleep = hours.of("web")
if prometheus:
    Alerting(
        "alerting",
        AlertingArgs(
            region=settings.region,
            workspace_id=prometheus.workspace_id,
            rules=rules_of(
                monitoring.matrix.alarms,
                monitoring.matrix.composites,
                name=monitoring.alarm_names.__getitem__,
                describe=partial(description, minutes=monitoring.response_minutes),
            ),
            topic_arns=alerts.topic_arns,
            repeat_minutes=prom.repeat_minutes,
            quiet=intervals(hours.followed()[asleep], hours.ready_minutes) if asleep else (),
        ),
        labels=labels,
    )

grafana = (
    Grafana(
        "grafana",
        GrafanaArgs(
            home=home,
            version=prom.grafana.version,
            admin_group_ids=prom.grafana.admin_group_ids,
            viewer_group_ids=prom.grafana.viewer_group_ids,
            workspace_arn=prometheus.workspace_arn,
            endpoint=prometheus.endpoint,
            key_arn=prometheus.key_arn,
            topic_key_arn=alerts.key_arn,
            panels=panels_of(monitoring.matrix.alarms),
            names=monitoring.references,
            email=guarded("alerts_email", settings.alerts_email),
            protect=settings.protect,
        ),
        labels=labels,
    )
    if prometheus and prom.grafana.enabled
    else None
)

trail = AuditTrail(
    "audit",
    AuditTrailArgs(
        home=home,
        other_regions=(settings.recovery_region,),
        detection_regions=both_regions if audit.detection else (),
        topic_arns=alerts.topic_arns,
        topic_key_arn=alerts.key_arn,
        exclusions=Exclusions(
            deployment=audit.quiet.deployment, scanners=audit.quiet.scanners, services=audit.quiet.services
        ),
        data_bucket_arns=(archive.bucket_arns["backup"], archive.bucket_arns["evidence"])
        if audit.trail.record_objects
        else (),
        log_retention_days=audit.trail.log_retention_days,
        archive_days=audit.trail.archive_days,
        expire_days=audit.trail.expire_days,
        lock_mode=audit.trail.lock_mode,
        lock_days=audit.trail.lock_days,
        insights=audit.trail.insights,
        protect=settings.protect,
    ),
    labels=labels,
)

LogQueries(
    "logs",
    LogQueriesArgs(
        home=home,
        log_groups={
            "application": web.log_group_name,
            "system": web.system_log_group_name,
            "database": database.log_groups["postgresql"],
            "flow": network.flow_log_group,
            "firewall": web.firewall_log_group_name,
            "trail": trail.log_group_name,
        },
        flow_fields=FLOW_FIELDS,
        topic_arns=alerts.topic_arns,
    ),
    labels=labels,
)

Inventory(
    "inventory",
    InventoryArgs(
        entries={
            "alerts": {"topicArns": alerts.topic_arns},
            "archive": {
                "archiveBucket": archive.bucket_names["archive"],
                "backupBucket": archive.bucket_names["backup"],
                "backupDocument": archive.backup_document,
                "evidenceBucket": archive.bucket_names["evidence"],
                "keyArn": archive.key_arn,
                "prefix": archive.prefix,
                "restoreDocument": archive.restore_document,
            },
            "audit": {"bucket": trail.bucket_name, "logGroup": trail.log_group_name, "trailArn": trail.trail_arn},
            "backup": backup.inventory,
            "bastion": {"instanceId": bastion.instance_id, "mode": access.mode},
            "changes": {"calendar": calendar.calendar_name},
            "database": {
                "address": database.address,
                "identifier": database.identifier,
                "logGroups": database.log_groups,
                "maxConnections": database.max_connections,
                "port": database.port,
                "resourceId": database.resource_id,
                "secretArn": database.secret_arn,
            },
            "escalation": {
                "acknowledgeFunction": escalation.function_names["acknowledge"],
                "deadLetterQueueUrl": escalation.dead_letters_url,
                "escalateFunction": escalation.function_names["escalate"],
                "machineArn": escalation.state_machine_arn,
                "notifyFunction": escalation.function_names["notify"],
                "repliesTopicArn": escalation.replies_topic_arn,
                "table": escalation.table_name,
            },
            **(
                {
                    "grafana": {
                        "address": grafana.address,
                        "dashboardsApplication": grafana.dashboards_application,
                        "dashboardsProfile": grafana.dashboards_profile,
                        "serviceAccountId": grafana.service_account_id,
                        "workspaceId": grafana.workspace_id,
                    }
                }
                if grafana
                else {}
            ),
            **({"maintenance": {**maintenance.entry, "calendar": calendar.calendar_name}} if maintenance else {}),
            "monitoring": {"alarmPrefix": labels.physical(""), "dashboard": monitoring.dashboard_name},
            "network": {"flowLogGroup": network.flow_log_group, "vpcId": network.vpc_id},
            **(
                {
                    "schedule": {
                        "configuration": schedule.configuration,
                        "function": schedule.function_name,
                        "functionArn": schedule.function_arn,
                        "group": schedule.group_name,
                        "roleArn": schedule.role_arn,
                    }
                }
                if schedule
                else {}
            ),
            "patching": patching.entry,
            **(
                {"prometheus": {"endpoint": prometheus.endpoint, "workspaceId": prometheus.workspace_id}}
                if prometheus
                else {}
            ),
            "web": {
                "autoScalingGroup": web.autoscaling_group_name,
                "certificateArn": web.certificate_arn,
                "loadBalancerArn": web.load_balancer_arn,
                "loadBalancerDimension": web.arn_suffix,
                "logGroup": web.log_group_name,
                "targetGroupArn": web.target_group_arn,
                "targetGroupDimension": web.target_group_arn_suffix,
                "url": web.url,
            },
        }
    ),
    labels=labels,
)

pulumi.export("url", web.url)
pulumi.export("connect", {**bastion.connect, "databaseTunnel": bastion.tunnel(database.address, db.port)})
pulumi.export("database", {"endpoint": database.endpoint, "secretArn": database.secret_arn})
