"""The stack, top to bottom: settings, then one component per system of the run books."""

from __future__ import annotations

import pulumi

from components._keys import Home
from components.alerts import Alerts, AlertsArgs
from components.bastion import Bastion, BastionArgs
from components.database import Database, DatabaseArgs
from components.encryption import Encryption, EncryptionArgs
from components.inventory import Inventory, InventoryArgs
from components.network import Network, NetworkArgs, Traffic
from components.web import WebTier, WebTierArgs
from settings.instance_classes import RDS_MEMORY_GIB
from settings.load import guarded, load
from settings.naming import Labels

settings = load()
access, db, net, site = settings.access, settings.database, settings.network, settings.web

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
        ),
        flow_log_retention_days=net.flow_log_retention_days,
        logs_key_arn=encryption.logs_key_arn,
    ),
    labels=labels,
)

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
        instance_statements=bastion.session_statements,
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
        log_retention_days=db.log_retention_days,
        apply_immediately=settings.environment == "dev",
        protect=settings.protect,
    ),
    labels=labels,
)

Inventory(
    "inventory",
    InventoryArgs(
        entries={
            "alerts": {"topicArns": alerts.topic_arns},
            "bastion": {"instanceId": bastion.instance_id, "mode": access.mode},
            "database": {
                "address": database.address,
                "identifier": database.identifier,
                "logGroups": database.log_groups,
                "maxConnections": database.max_connections,
                "port": database.port,
                "resourceId": database.resource_id,
                "secretArn": database.secret_arn,
            },
            "network": {"flowLogGroup": network.flow_log_group, "vpcId": network.vpc_id},
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
