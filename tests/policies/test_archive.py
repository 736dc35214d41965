"""The rules on what is kept for long: buckets, their locks, and the hosts' configuration in them."""

import json

import pytest

from policies.rulebook.archive import KEPT, RULES
from policies.rulebook.resource import Context
from policies.rulebook.rule import StackRule
from tests.policies.bags import (
    ABSENT,
    UNKNOWN,
    UnknownValueError,
    faults,
    not_evaluated,
    resource,
    stack_faults,
)
from tests.policies.declared import Ref, declared

PROD = Context(environment="prod", regions=("eu-west-1", "eu-central-1"))
DEV = Context(environment="dev", regions=("eu-west-1", "eu-central-1"))

BY_ID = {rule.id: rule for rule in RULES if isinstance(rule, StackRule)}

LIFECYCLE = {
    "id": "all",
    "status": "Enabled",
    "filter": {"prefix": ""},
    "transitions": [{"days": 30, "storageClass": "GLACIER"}],
    "expiration": {"days": 2557},
    "noncurrentVersionExpiration": {"noncurrentDays": 30},
}


def bucket(purpose, days):
    """A bucket and what is declared for it; lifecycle and lock name it through its versioning."""
    mode = "COMPLIANCE" if purpose == "evidence" else "GOVERNANCE"
    lock = {"defaultRetention": {"mode": mode, "days": days}}
    versioning = Ref(f"{purpose}-versioning", "bucket")
    return {
        purpose: ("aws:s3/bucket:Bucket", {"tags": {"Purpose": purpose}}),
        f"{purpose}-versioning": ("aws:s3/bucketVersioning:BucketVersioning", {"bucket": Ref(purpose)}),
        f"{purpose}-lifecycle": (
            "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
            {"bucket": versioning, "rules": [LIFECYCLE]},
        ),
        f"{purpose}-lock": (
            "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
            {"bucket": versioning, "rule": lock},
        ),
    }


SYSTEM = {
    **bucket("backup", 28),
    **bucket("archive", 365),
    **bucket("evidence", 365),
    "pages": ("aws:s3/bucket:Bucket", {"tags": {"Purpose": "pages"}}),
    "plain": ("aws:s3/bucket:Bucket", {}),
    "host": ("aws:ec2/instance:Instance", {}),
    "document": (
        "aws:ssm/document:Document",
        {"name": "save", "content": Ref("backup", before='{"run": "aws s3 cp x s3://', after='/hosts/"}')},
    ),
    "association": (
        "aws:ssm/association:Association",
        {
            "name": Ref("document", "name"),
            "scheduleExpression": "cron(0 2 ? * SUN *)",
            "targets": [{"key": "tag:Backup", "values": ["weekly"]}],
        },
    ),
}


def said(rule, *changes, context=PROD, **options):
    return stack_faults(BY_ID[rule], *declared(SYSTEM, *changes, **options), context=context)


def unjudged(rule, *changes, context=PROD, **options):
    return not_evaluated(BY_ID[rule], *declared(SYSTEM, *changes, **options), context=context)[0]


def broken(*changes, context=PROD, **options):
    """Ids of the rules that the changed system breaks."""
    return {id_ for id_ in BY_ID if said(id_, *changes, context=context, **options)}


def lifecycle(purpose="backup", **changes):
    changed = {key: value for key, value in {**LIFECYCLE, **changes}.items() if value is not ABSENT}
    return (f"{purpose}-lifecycle", ("rules",), [changed])


def test_the_rules_are_these():
    assert [rule.id for rule in RULES] == [
        "archive-lifecycle-glacier",
        "archive-object-lock",
        "archive-retention-agrees",
        "backup-host-configuration",
        "glacier-vault-legacy",
        "ddb-expires",
    ]


@pytest.mark.parametrize("context", [PROD, DEV], ids=["prod", "dev"])
def test_a_whole_system_passes(context):
    assert broken(context=context) == set()


@pytest.mark.parametrize("id_", BY_ID)
def test_nothing_is_refused_before_the_first_deployment(id_):
    try:
        found = said(id_, preview=True)
    except UnknownValueError:
        found = unjudged(id_, preview=True)
    assert found == []


PARTS = {
    "backup": {"archive-lifecycle-glacier", "archive-object-lock", "backup-host-configuration"},
    "archive": {"archive-lifecycle-glacier", "archive-object-lock"},
    "evidence": {"archive-object-lock"},
    "backup-lifecycle": {"archive-lifecycle-glacier"},
    "evidence-lifecycle": {"archive-lifecycle-glacier"},
    "archive-lifecycle": {"archive-lifecycle-glacier"},
    "backup-lock": {"archive-object-lock"},
    "archive-lock": {"archive-object-lock"},
    "evidence-lock": {"archive-object-lock"},
    "document": {"backup-host-configuration"},
    "association": {"backup-host-configuration"},
}


@pytest.mark.parametrize(("part", "ids"), PARTS.items(), ids=PARTS)
def test_a_part_that_is_taken_away_is_named(part, ids):
    assert broken(without=[part]) == ids


GLACIER = "archive-lifecycle-glacier"

NOT_MOVED = "Nothing of the backup bucket moves to GLACIER or DEEP_ARCHIVE."
NOT_GONE = "Nothing of the backup bucket expires."
OLD_KEPT = "Old versions of the backup bucket are kept for ever."
OFF = "A lifecycle rule of the backup bucket is switched off: all."


@pytest.mark.parametrize(
    ("changed", "sentences"),
    [
        ({"transitions": [{"days": 0, "storageClass": "DEEP_ARCHIVE"}]}, []),
        ({"transitions": [{"storageClass": "GLACIER"}]}, []),
        ({"transitions": [{"days": 30, "storageClass": "GLACIER_IR"}]}, [NOT_MOVED]),
        ({"transitions": []}, [NOT_MOVED]),
        ({"transitions": ABSENT}, [NOT_MOVED]),
        ({"expiration": ABSENT}, [NOT_GONE]),
        ({"expiration": {"expiredObjectDeleteMarker": True}}, [NOT_GONE]),
        ({"noncurrentVersionExpiration": ABSENT}, [OLD_KEPT]),
        ({"filter": {"tag": {"key": "Old", "value": "yes"}}}, [NOT_MOVED, NOT_GONE, OLD_KEPT]),
        ({"filter": {"objectSizeGreaterThan": 1}}, [NOT_MOVED, NOT_GONE, OLD_KEPT]),
        ({"filter": ABSENT}, []),
        ({"status": "Disabled"}, [OFF, NOT_MOVED, NOT_GONE, OLD_KEPT]),
        (
            {"expiration": {"days": 30}},
            ["Objects of the backup bucket expire after 30 days; they move after 30."],
        ),
    ],
)
def test_backups_move_to_glacier_and_expire(changed, sentences):
    assert said(GLACIER, lifecycle(**changed)) == [(sentence, "backup") for sentence in sentences]


def test_a_bucket_without_a_lifecycle_lacks_everything():
    assert [sentence for sentence, _ in said(GLACIER, without=["backup-lifecycle"])] == [NOT_MOVED, NOT_GONE, OLD_KEPT]


LOGS = {
    "logs": ("aws:s3/bucket:Bucket", {"tags": {"Purpose": "logs"}}),
    "logs-lifecycle": (
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        {"bucket": Ref("logs"), "rules": [{**LIFECYCLE, "transitions": [], "expiration": {"days": 365}}]},
    ),
}


def test_logs_expire_and_need_not_move():
    assert said(GLACIER, extra=LOGS) == []
    assert said(GLACIER, extra={"logs": LOGS["logs"]}) == [
        ("Nothing of the logs bucket expires.", "logs"),
        ("Old versions of the logs bucket are kept for ever.", "logs"),
    ]


def test_what_is_kept_below_several_prefixes_moves_below_each():
    hosts, state = ({**LIFECYCLE, "filter": {"prefix": f"{prefix}/"}} for prefix in ("hosts", "state"))
    rules = ("backup-lifecycle", ("rules",), [hosts, {**state, "transitions": []}])
    assert said(GLACIER, rules) == [
        ("Nothing of state/ in the backup bucket moves to GLACIER or DEEP_ARCHIVE.", "backup")
    ]


def below(prefix, **changes):
    return {**LIFECYCLE, "filter": {"prefix": prefix}, **changes}


def policy_on(*resources):
    statement = {"Effect": "Allow", "Action": "s3:Put*", "Resource": list(resources)}
    return json.dumps({"Statement": [statement]})


REPORT = (
    "aws:backup/reportPlan:ReportPlan",
    {"reportDeliveryChannel": {"s3BucketName": Ref("backup"), "s3KeyPrefix": "reports"}},
)


def test_what_the_stack_writes_expires_wherever_it_is_written():
    role_policy = ("aws:iam/rolePolicy:RolePolicy", {"policy": Ref("backup", "arn")})
    writers = {"report": REPORT, "grant": role_policy}
    granted = ("grant", ("policy",), policy_on("arn:aws:any:eu-west-1:123456789012:backup/hosts/${aws:x}/*"))
    whole = ("backup-lifecycle", ("rules",), [below("hosts/"), below("reports/")])
    assert said(GLACIER, whole, granted, extra=writers) == []
    assert said(GLACIER, ("backup-lifecycle", ("rules",), [below("state/")]), granted, extra=writers) == [
        ("Nothing of reports/ in the backup bucket expires.", "backup"),
        ("Old versions of reports/ in the backup bucket are kept for ever.", "backup"),
        ("Nothing of hosts/ in the backup bucket expires.", "backup"),
        ("Old versions of hosts/ in the backup bucket are kept for ever.", "backup"),
    ]
    nowhere = ("report", ("reportDeliveryChannel", "s3KeyPrefix"), ABSENT)
    assert said(GLACIER, whole, granted, nowhere, extra=writers) == [
        ("Nothing of Backup/ in the backup bucket expires.", "backup"),
        ("Old versions of Backup/ in the backup bucket are kept for ever.", "backup"),
    ]
    found = unjudged(GLACIER, lifecycle(expiration=ABSENT), ("grant", ("policy",), UNKNOWN), extra=writers)
    assert found == [("Nothing of the backup bucket expires.", "backup")]


def test_evidence_need_not_move_but_expires():
    assert said(GLACIER, lifecycle("evidence", transitions=[])) == []
    assert said(GLACIER, lifecycle("evidence", expiration=ABSENT)) == [
        ("Nothing of the evidence bucket expires.", "evidence")
    ]


def test_each_prefix_expires_by_a_rule_of_its_own_or_of_a_shorter_one():
    def below(prefix, **changes):
        return {**LIFECYCLE, "filter": {"prefix": prefix}, **changes}

    def rules(*written):
        return said(GLACIER, ("backup-lifecycle", ("rules",), list(written)))

    hosts, bare = below("hosts/"), below("state/", expiration=None, noncurrentVersionExpiration=None)
    assert rules(hosts, below("state/")) == []
    assert rules(LIFECYCLE, bare) == []
    assert rules(hosts, bare) == [
        ("Nothing of state/ in the backup bucket expires.", "backup"),
        ("Old versions of state/ in the backup bucket are kept for ever.", "backup"),
    ]
    assert rules(hosts, below("state/", status="Disabled", id="state")) == [
        ("A lifecycle rule of the backup bucket is switched off: state.", "backup")
    ]


def test_a_stack_has_buckets_of_backups_and_of_archives():
    assert said(GLACIER, without=["backup", "archive"]) == [
        ("No bucket is tagged Purpose=archive and Purpose=backup.", None)
    ]
    assert said(GLACIER, ("archive", ("tags",), ABSENT)) == [("No bucket is tagged Purpose=archive.", None)]


def test_a_lifecycle_of_the_old_type_counts():
    old = "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2"
    extra = {"old": (old, {"bucket": Ref("backup"), "rules": [LIFECYCLE]})}
    assert said(GLACIER, without=["backup-lifecycle"], extra=extra) == []


def test_one_rule_may_move_and_another_expire():
    one = {**LIFECYCLE, "expiration": None, "noncurrentVersionExpiration": None}
    other = {**LIFECYCLE, "transitions": []}
    assert said(GLACIER, ("backup-lifecycle", ("rules",), [one, other])) == []


@pytest.mark.parametrize("key", ["status", "transitions", "expiration"])
def test_an_unknown_part_of_a_lifecycle_is_not_judged(key):
    assert unjudged(GLACIER, lifecycle(**{key: UNKNOWN})) == []


LOCK = "archive-object-lock"


@pytest.mark.parametrize("purpose", KEPT)
def test_records_of_prod_are_locked(purpose):
    nothing = [(f"The {purpose} bucket locks nothing: it has no object lock with a default retention.", purpose)]
    assert said(LOCK, without=[f"{purpose}-lock"]) == nothing
    assert said(LOCK, (f"{purpose}-lock", ("rule",), ABSENT)) == nothing
    assert said(LOCK, (f"{purpose}-lock", ("rule", "defaultRetention", "mode"), "OFF")) == nothing
    assert said(LOCK, without=[f"{purpose}-lock"], context=DEV) == []


def test_a_lock_is_long_enough_for_its_purpose():
    short = ("rule", "defaultRetention", "days")
    assert said(LOCK, ("backup-lock", short, 27)) == [
        ("The backup bucket locks objects for 27 days; 28 are demanded.", "backup")
    ]
    assert said(LOCK, ("archive-lock", short, 364)) == [
        ("The archive bucket locks objects for 364 days; 365 are demanded.", "archive")
    ]
    assert said(LOCK, ("archive-lock", ("rule", "defaultRetention"), {"mode": "COMPLIANCE", "years": 1})) == []
    assert unjudged(LOCK, ("archive-lock", short, UNKNOWN)) == []


def test_nobody_can_lift_the_lock_of_prod_s_evidence():
    staging = Context(environment="staging", regions=PROD.regions)
    lifted = ("evidence-lock", ("rule", "defaultRetention", "mode"), "GOVERNANCE")
    assert said(LOCK, lifted) == [
        ("The lock of the evidence bucket can be lifted; COMPLIANCE is demanded.", "evidence")
    ]
    assert said(LOCK, lifted, context=staging) == said(LOCK, lifted, context=DEV) == []
    assert said(LOCK, ("evidence-lock", ("rule", "defaultRetention", "days"), 1), context=staging) == [
        ("The evidence bucket locks objects for 1 days; 365 are demanded.", "evidence")
    ]
    assert unjudged(LOCK, ("evidence-lock", ("rule", "defaultRetention", "mode"), UNKNOWN)) == []


def test_prod_has_a_bucket_of_evidence():
    assert said(LOCK, ("evidence", ("tags",), ABSENT)) == [("No bucket is tagged Purpose=evidence.", None)]


AGREES = "archive-retention-agrees"


def test_nothing_expires_before_its_lock_ends():
    change = lifecycle("archive", expiration={"days": 364})
    locked = ("Objects of the archive bucket expire after 364 days; their lock holds 365.", "archive")
    demanded = ("Objects of the archive bucket expire after 364 days; 2555 are demanded.", "archive")
    assert said(AGREES, change) == [locked, demanded]
    assert said(AGREES, change, context=DEV) == [locked]
    assert said(AGREES, lifecycle("archive", expiration={"days": 365}), context=DEV) == []
    assert said(AGREES, lifecycle("archive", expiration={"days": 2555})) == []


def test_the_shortest_expiry_counts():
    short = {**LIFECYCLE, "filter": {"prefix": "tmp/"}, "expiration": {"days": 7}}
    assert said(AGREES, ("backup-lifecycle", ("rules",), [LIFECYCLE, short]), without=["backup-lock"]) == [
        ("Objects of the backup bucket expire after 7 days; 28 are demanded.", "backup")
    ]


def test_reports_of_backups_are_kept_as_records():
    short = ("backup-lifecycle", ("rules",), [below("hosts/"), below("reports/", expiration={"days": 365})])
    assert said(AGREES, short, extra={"report": REPORT}) == [
        ("The reports below reports/ expire after 365 days; 2555 are demanded.", "backup")
    ]
    assert said(AGREES, short, extra={"report": REPORT}, context=DEV) == []


def test_no_rule_ends_what_another_keeps_for_longer():
    everything = {**LIFECYCLE, "expiration": {"days": 365}}
    del everything["filter"]
    rules = [everything, below("state/")]
    assert said(AGREES, ("backup-lifecycle", ("rules",), rules)) == [
        (
            "A rule of the backup bucket keeps objects below state/ 2557 days; another ends every object after 365.",
            "backup",
        )
    ]
    assert said(AGREES, ("backup-lifecycle", ("rules",), [LIFECYCLE, below("state/", expiration={"days": 90})])) == []


@pytest.mark.parametrize(("context", "least"), [(PROD, 28), (DEV, 7)], ids=["prod", "dev"])
def test_an_overwritten_object_can_be_had_back(context, least):
    def old(days):
        return said(AGREES, lifecycle(noncurrentVersionExpiration={"noncurrentDays": days}), context=context)

    assert old(least) == []
    assert old(least - 1) == [
        (f"Old versions of the backup bucket go after {least - 1} days; {least} are demanded.", "backup")
    ]
    assert unjudged(AGREES, lifecycle(noncurrentVersionExpiration={"noncurrentDays": UNKNOWN})) == []


def test_logs_of_prod_are_kept_for_a_year():
    short = ("logs-lifecycle", ("rules", 0, "expiration", "days"), 364)
    assert said(AGREES, extra=LOGS) == []
    assert said(AGREES, short, extra=LOGS) == [
        ("Objects of the logs bucket expire after 364 days; 365 are demanded.", "logs")
    ]
    assert said(AGREES, short, extra=LOGS, context=DEV) == []


NEVER = "The table's items never expire: it has no ttl that is enabled and names an attribute."


@pytest.mark.parametrize(
    ("ttl", "sentences"),
    [
        ({"enabled": True, "attributeName": "expires"}, []),
        ({"enabled": False, "attributeName": "expires"}, [NEVER]),
        ({"attributeName": "expires"}, [NEVER]),
        ({"enabled": True}, [NEVER]),
        (None, [NEVER]),
    ],
)
def test_items_of_tables_expire(ttl, sentences):
    rule = next(rule for rule in RULES if rule.id == "ddb-expires")
    assert faults(rule, resource("aws:dynamodb/table:Table", "table", {"ttl": ttl} if ttl else {})) == sentences


def test_an_unknown_ttl_is_not_judged():
    rule = next(rule for rule in RULES if rule.id == "ddb-expires")
    assert not_evaluated(rule, resource("aws:dynamodb/table:Table", "table", {"ttl": UNKNOWN}))[0] == []


def test_what_never_expires_or_has_no_purpose_is_no_conflict():
    assert said(AGREES, lifecycle(expiration=ABSENT)) == []
    other = {"gone": ("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", {"bucket": Ref("pages")})}
    other["gone"][1]["rules"] = [{"status": "Enabled", "expiration": {"days": 1}}]
    assert said(AGREES, extra=other) == []


def test_an_unknown_expiry_is_not_judged():
    assert unjudged(AGREES, lifecycle(expiration={"days": UNKNOWN})) == []


HOSTS = "backup-host-configuration"
NO_BACKUP = [
    ("Nothing backs up the hosts' configuration: no association writes to a bucket with Purpose=backup.", None)
]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("association", ("scheduleExpression",), "rate(7 days)"), None),
        (
            ("association", ("scheduleExpression",), "rate(8 days)"),
            "The backup of the hosts' configuration runs every 8 days at worst; 7 are demanded.",
        ),
        (
            ("association", ("scheduleExpression",), ABSENT),
            "The backup of the hosts' configuration has no schedule, so it runs once.",
        ),
        (
            ("association", ("scheduleExpression",), "sundays"),
            "The backup of the hosts' configuration has a schedule that AWS refuses: "
            "it is neither cron(…) nor rate(…).",
        ),
        (
            ("association", ("targets",), ABSENT),
            "The backup of the hosts' configuration runs on no host: it has no targets.",
        ),
    ],
)
def test_the_hosts_configuration_is_saved_every_week(change, sentence):
    assert said(HOSTS, change) == ([(sentence, "association")] if sentence else [])


def test_it_is_saved_in_a_bucket_of_backups():
    assert said(HOSTS, without=["association"]) == NO_BACKUP
    assert said(HOSTS, ("backup", ("tags", "Purpose"), "pages")) == NO_BACKUP
    assert said(HOSTS, ("document", ("content",), json.dumps({"run": "true"}))) == NO_BACKUP
    assert said(HOSTS, ("association", ("name",), "AWS-RunPatchBaseline")) == NO_BACKUP


def test_the_bucket_may_be_a_parameter_of_the_document():
    by_parameter = {
        "other": ("aws:ssm/document:Document", {"name": "other", "content": "{}"}),
        "by-parameter": (
            "aws:ssm/association:Association",
            {
                "name": Ref("other", "name"),
                "parameters": {"Bucket": Ref("backup")},
                "scheduleExpression": "rate(1 day)",
                "targets": [{"key": "InstanceIds", "values": ["*"]}],
            },
        ),
    }
    assert said(HOSTS, without=["association"], extra=by_parameter) == []


@pytest.mark.parametrize("preview", [False, True], ids=["known", "in a real preview"])
def test_the_document_may_name_the_bucket_by_its_policy(preview):
    by_policy = {
        "policy": ("aws:s3/bucketPolicy:BucketPolicy", {"bucket": Ref("backup")}),
        "document": (
            "aws:ssm/document:Document",
            {"name": "save", "content": Ref("policy", "bucket", before="aws s3 cp x s3://", after="/hosts/")},
        ),
    }
    assert said(HOSTS, extra=by_policy, preview=preview) == []


def test_without_a_host_there_is_nothing_to_save():
    assert said(HOSTS, without=["host", "association"]) == []
    template = {"template": ("aws:ec2/launchTemplate:LaunchTemplate", {})}
    assert said(HOSTS, without=["host", "association"], extra=template) == NO_BACKUP


def test_an_unknown_schedule_or_purpose_is_not_judged():
    assert unjudged(HOSTS, ("association", ("scheduleExpression",), UNKNOWN)) == []
    assert unjudged(HOSTS, ("backup", ("tags",), UNKNOWN)) == []


OLD = "glacier-vault-legacy"
CLOSED = ("Vaults of Glacier take no new customers; S3 has the same storage classes.", "old")


def old(lock=True, **props):
    declarations = {"old": ("aws:glacier/vault:Vault", {"name": "old", **props})}
    if lock is not None:
        locked = {"vaultName": Ref("old", "name"), "completeLock": lock, "policy": "{}"}
        declarations["old-lock"] = ("aws:glacier/vaultLock:VaultLock", locked)
    return declarations


def open_to(principal, **condition):
    statement = {"Effect": "Allow", "Principal": principal, "Action": "glacier:*", "Resource": "*", **condition}
    return json.dumps({"Statement": [statement]})


@pytest.mark.parametrize(
    ("declarations", "sentences"),
    [
        (old(), []),
        (old(accessPolicy=open_to({"AWS": "arn:aws:iam::123456789012:root"})), []),
        (old(accessPolicy=open_to("*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}})), []),
        (old(accessPolicy=open_to("*")), ["The vault's policy lets anyone use the vault."]),
        (old(accessPolicy="{"), ["The vault's policy cannot be read: it is no JSON."]),
        (old(lock=False), ["The vault is not locked for good."]),
        (old(lock=None), ["The vault is not locked for good."]),
    ],
)
def test_a_vault_of_glacier_is_told_and_must_be_locked_and_closed(declarations, sentences):
    assert said(OLD, extra=declarations) == [CLOSED, *((sentence, "old") for sentence in sentences)]


def test_an_unknown_policy_of_a_vault_is_not_judged():
    assert unjudged(OLD, extra=old(accessPolicy=UNKNOWN)) == [CLOSED]
