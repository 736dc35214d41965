"""AWS Backup's jobs and Systems Manager's commands, as far as the stand-in for AWS does not have them.

They answer in place of AWS inside a real client, so botocore still checks arguments, turns pages and raises errors.
"""

# ruff: noqa: N803 - arguments as the API names them

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from botocore import xform_name
from botocore.exceptions import ClientError

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)

#: Small, so that everything is paged.
PAGE = 2


def error(code, message="no", operation="Call"):
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def attach(client, service):
    """``service`` answers what it has a method for (``start_backup_job``); the rest goes where it went before."""

    def remember(params, context, **_more):
        context["asked"] = dict(params)

    def answer(model, context, **_more):
        method = getattr(service, xform_name(model.name), None)
        if method is None:
            return None
        try:
            return SimpleNamespace(status_code=200), method(**context["asked"])
        except ClientError as refused:
            return SimpleNamespace(status_code=400), refused.response

    events = client.meta.events
    events.register_first("before-parameter-build.*.*", remember)
    events.register_last("before-call.*.*", answer)
    return client


class Trouble:
    """Counts the calls of all clients it watches, and raises at one of them: before it takes effect, or after."""

    def __init__(self, at, what=KeyboardInterrupt, *, before=True):
        self.at, self.what, self.before, self.count = at, what, before, 0

    def watch(self, client):
        client.meta.events.register_first("before-call.*.*", self._before)
        client.meta.events.register_last("after-call.*.*", self._after)

    def _before(self, **_more):
        self.count += 1
        if self.before and self.count == self.at:
            return self._strike()
        return None

    def _after(self, **_more):
        if not self.before and self.count == self.at:
            self._strike()

    def _strike(self):
        # It strikes once: what comes after is the run that goes on.
        self.at = None
        if isinstance(self.what, ClientError):
            return SimpleNamespace(status_code=400), self.what.response
        raise self.what


def page(items, token):
    start = int(token or 0)
    more = {"NextToken": str(start + PAGE)} if start + PAGE < len(items) else {}
    return items[start : start + PAGE], more


class BackupJobs:
    """A vault and what is copied from it. A job is CREATED, then RUNNING, then COMPLETED, one look at a time.

    ``failing``: messages of the next jobs, which fail; ``started``: what took effect, in order.
    """

    def __init__(self, account="123456789012", region="us-east-1", recovery="us-west-2", now=NOW):
        self.account, self.region, self.recovery, self.now = account, region, recovery, now
        self.jobs, self.copies, self.restores = [], [], []
        self.points, self.copied = [], []
        self.tags, self.tokens, self.failing, self.started = {}, {}, [], []
        self.vaults = {}
        self.rules = []

    def start_backup_job(self, **asked):
        def start(number):
            arn = f"arn:aws:rds:{self.region}:{self.account}:snapshot:awsbackup:job-{number}"
            self.tags[arn] = asked["RecoveryPointTags"]
            job = {
                "BackupJobId": f"b-{number}",
                "BackupVaultName": asked["BackupVaultName"],
                "RecoveryPointArn": arn,
                "ResourceArn": asked["ResourceArn"],
                "IamRoleArn": asked["IamRoleArn"],
                "CreationDate": self.now,
                "State": "CREATED",
            }
            self.jobs.append(job | self._fate())
            return {"BackupJobId": f"b-{number}", "RecoveryPointArn": arn, "CreationDate": self.now}

        return self._once("start_backup_job", asked, start)

    def start_copy_job(self, **asked):
        def start(number):
            job = {
                "CopyJobId": f"c-{number}",
                "SourceRecoveryPointArn": asked["RecoveryPointArn"],
                "DestinationBackupVaultArn": asked["DestinationBackupVaultArn"],
                "DestinationRecoveryPointArn": f"arn:aws:rds:{self.recovery}:{self.account}:snapshot:{number}",
                "ResourceArn": "",
                "CreationDate": self.now,
                "State": "CREATED",
            }
            self.copies.append(job | self._fate())
            return {"CopyJobId": f"c-{number}", "CreationDate": self.now}

        return self._once("start_copy_job", asked, start)

    def _once(self, call, asked, start):
        """The same token is answered with the same job, whatever has become of it."""
        key = (call, asked["IdempotencyToken"])
        if key not in self.tokens:
            self.started.append((call, asked))
            self.tokens[key] = start(len(self.tokens) + 1)
        return self.tokens[key]

    def _fate(self):
        return {"fails": self.failing.pop(0)} if self.failing else {}

    def list_backup_jobs(
        self,
        ByResourceArn=None,
        ByBackupVaultName=None,
        ByCreatedAfter=None,
        NextToken=None,
    ):
        found = [
            job
            for job in self.jobs
            if ByResourceArn in (None, job["ResourceArn"])
            and ByBackupVaultName in (None, job["BackupVaultName"])
            and (ByCreatedAfter is None or job["CreationDate"] >= ByCreatedAfter)
        ]
        return self._listed("BackupJobs", found, NextToken, self.jobs)

    def list_copy_jobs(self, NextToken=None, BySourceRecoveryPointArn=None, **_asked):
        found = [one for one in self.copies if BySourceRecoveryPointArn in (None, one["SourceRecoveryPointArn"])]
        return self._listed("CopyJobs", found, NextToken, self.copies)

    def list_restore_jobs(self, NextToken=None, **_asked):
        return self._listed("RestoreJobs", self.restores, NextToken, ())

    def _listed(self, key, found, token, moving):
        shown, more = page([{k: v for k, v in job.items() if k != "fails"} for job in found], token)
        if not more:
            for job in moving:
                self._move(job)
        return {key: shown, **more}

    def _move(self, job):
        if job["State"] == "CREATED":
            job |= {"State": "RUNNING", "PercentDone": "40.0"}
        elif job["State"] == "RUNNING":
            failed = "fails" in job
            job |= {"State": "FAILED", "StatusMessage": job["fails"]} if failed else {"State": "COMPLETED"}
            job["CompletionDate"] = self.now + timedelta(minutes=5)

    def list_recovery_points_by_backup_vault(self, BackupVaultName, NextToken=None, **_asked):
        points = self.points if self.vaults.get(BackupVaultName, {}).get("here", True) else self.copied
        shown, more = page(points, NextToken)
        return {"RecoveryPoints": shown, **more}

    def describe_backup_vault(self, BackupVaultName):
        return {key: value for key, value in self.vaults[BackupVaultName].items() if key != "here"}

    def get_backup_plan(self, BackupPlanId):
        return {"BackupPlan": {"BackupPlanName": BackupPlanId, "Rules": self.rules}}

    def list_tags_for_resource(self, ResourceName):
        """RDS: a snapshot is there once its job has ended."""
        if not any(job["RecoveryPointArn"] == ResourceName and job["State"] == "COMPLETED" for job in self.jobs):
            raise error("DBSnapshotNotFound", operation="ListTagsForResource")
        return {"TagList": [{"Key": key, "Value": value} for key, value in self.tags[ResourceName].items()]}


class Commands:
    """Run Command. A server is Pending, then what ``fates`` says of it (Success), one look at a time.

    ``offline``: servers that do not answer; ``sent``: what took effect, in order.
    """

    def __init__(self, fates=None, offline=(), now=NOW):
        self.fates, self.offline, self.now = dict(fates or {}), set(offline), now
        self.commands, self.sent = [], []

    def describe_instance_information(self, Filters, NextToken=None):
        (wanted,) = (one["Values"] for one in Filters if one["Key"] == "InstanceIds")
        shown, more = page(
            [{"InstanceId": one, "PingStatus": "Online"} for one in wanted if one not in self.offline], NextToken
        )
        return {"InstanceInformationList": shown, **more}

    def send_command(self, **asked):
        unknown = self.offline & set(asked["InstanceIds"])
        if unknown:
            raise error("InvalidInstanceId", operation="SendCommand")
        self.sent.append(asked)
        command = {
            "CommandId": f"{len(self.commands):036}",
            "Comment": asked["Comment"],
            "DocumentName": asked["DocumentName"],
            "InstanceIds": asked["InstanceIds"],
            "RequestedDateTime": self.now + timedelta(seconds=len(self.commands)),
            "Status": "Pending",
            "looks": 0,
            "fates": {server: self._fate(server) for server in asked["InstanceIds"]},
        }
        self.commands.append(command)
        return {"Command": {"CommandId": command["CommandId"]}}

    def _fate(self, server):
        fate = self.fates.get(server, "Success")
        return fate if isinstance(fate, str) else fate.pop(0)

    def list_commands(self, Filters, NextToken=None):
        (document,) = (one["value"] for one in Filters if one["key"] == "DocumentName")
        known = ("CommandId", "Comment", "DocumentName", "InstanceIds", "RequestedDateTime", "Status")
        found = [{key: one[key] for key in known} for one in self.commands if one["DocumentName"] == document]
        shown, more = page(found, NextToken)
        return {"Commands": shown, **more}

    def list_command_invocations(self, CommandId, NextToken=None):
        (command,) = (one for one in self.commands if one["CommandId"] == CommandId)
        command["looks"] += 1
        entries = []
        if command["looks"] > 1:
            command["Status"] = "Success"
            status = "InProgress" if command["looks"] == 2 else None
            entries = [{"InstanceId": server, "Status": status or fate} for server, fate in command["fates"].items()]
        shown, more = page(entries, NextToken)
        return {"CommandInvocations": shown, **more}
