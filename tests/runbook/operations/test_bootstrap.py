"""The state bucket and its key, against a stand-in for AWS."""

import json
from datetime import UTC, datetime

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from hypothesis import given
from hypothesis import strategies as st
from moto.core.botocore_stubber import BotocoreStubber

from runbook.errors import UserError
from runbook.operations import aws
from runbook.operations import bootstrap as operation
from runbook.operations.bootstrap import KEPT_DAYS, KEY_ARN, BucketState, KeyState, Observed, Target
from runbook.operations.journal import Journal
from runbook.operations.plan import apply

ACCOUNT = "123456789012"
TAGS = {"Environment": "staging", "Owner": "platform", "Purpose": "state"}
REFUSED = "x-refused-by-the-test"
EVERYTHING = [
    "kms.create_key",
    "kms.create_alias",
    "kms.enable_key_rotation",
    "s3.create_bucket",
    "s3.put_public_access_block",
    "s3.put_bucket_ownership_controls",
    "s3.put_bucket_versioning",
    "s3.put_bucket_encryption",
    "s3.put_bucket_policy",
    "s3.put_bucket_lifecycle_configuration",
    "s3.put_bucket_tagging",
]


def target_in(region="eu-central-1", account=ACCOUNT):
    return Target(
        project="learning-platform",
        environment="staging",
        account_id=account,
        partition="aws",
        region=region,
        bucket=f"learning-platform-staging-state-{account}",
        alias="alias/learning-platform-staging-state",
        tags=TAGS,
    )


TARGET = target_in()
BUCKET = {"Bucket": TARGET.bucket}


@pytest.fixture
def clients():
    return aws.clients(TARGET.region, None, "kms", "s3", "sts")


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "journal", "bootstrap", environment="staging", account=ACCOUNT, who="arn:me")


def planned(clients, target=TARGET):
    return operation.plan(target, operation.observe(clients, target))


def calls(steps):
    return [step.call for step in steps]


def run(clients, journal, target=TARGET, **options):
    apply(planned(clients, target), clients, journal, **options)


def keys(clients):
    return [key["KeyId"] for key in clients["kms"].list_keys()["Keys"]]


def test_a_fresh_account_needs_everything_in_this_order(clients):
    assert calls(planned(clients)) == EVERYTHING


def test_planning_changes_nothing(clients):
    planned(clients)
    assert keys(clients) == []
    assert clients["s3"].list_buckets()["Buckets"] == []


def test_a_second_run_has_nothing_to_do(clients, journal):
    run(clients, journal)
    assert planned(clients) == ()


def test_the_key_rotates_and_has_its_name_and_tags(clients, journal):
    run(clients, journal)
    kms = clients["kms"]
    key = kms.describe_key(KeyId=TARGET.alias)["KeyMetadata"]
    assert kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"] is True
    tags = kms.list_resource_tags(KeyId=key["KeyId"])["Tags"]
    assert {tag["TagKey"]: tag["TagValue"] for tag in tags} == TAGS
    policy = json.loads(kms.get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"])
    assert [statement["Principal"] for statement in policy["Statement"]] == [{"AWS": f"arn:aws:iam::{ACCOUNT}:root"}]


def test_the_bucket_is_versioned_encrypted_private_and_owned(clients, journal):
    run(clients, journal)
    s3 = clients["s3"]
    arn = clients["kms"].describe_key(KeyId=TARGET.alias)["KeyMetadata"]["Arn"]
    assert s3.get_bucket_versioning(**BUCKET)["Status"] == "Enabled"
    assert s3.get_bucket_encryption(**BUCKET)["ServerSideEncryptionConfiguration"]["Rules"] == [
        {
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn},
            "BucketKeyEnabled": True,
        }
    ]
    assert set(s3.get_public_access_block(**BUCKET)["PublicAccessBlockConfiguration"].values()) == {True}
    assert s3.get_bucket_ownership_controls(**BUCKET)["OwnershipControls"]["Rules"] == [
        {"ObjectOwnership": "BucketOwnerEnforced"}
    ]
    (rule,) = s3.get_bucket_lifecycle_configuration(**BUCKET)["Rules"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": KEPT_DAYS}
    assert "Days" not in rule["Expiration"]
    assert {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(**BUCKET)["TagSet"]} == TAGS
    assert s3.head_bucket(**BUCKET)["BucketRegion"] == "eu-central-1"


def test_the_policy_refuses_plain_http_old_tls_and_other_encryption(clients, journal):
    run(clients, journal)
    policy = json.loads(clients["s3"].get_bucket_policy(**BUCKET)["Policy"])
    arn = clients["kms"].describe_key(KeyId=TARGET.alias)["KeyMetadata"]["Arn"]
    assert {statement["Sid"]: statement["Condition"] for statement in policy["Statement"]} == {
        "DenyPlainHttp": {"Bool": {"aws:SecureTransport": "false"}},
        "DenyOldTls": {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
        "DenyOtherEncryption": {
            "Null": {"s3:x-amz-server-side-encryption": "false"},
            "StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"},
        },
        "DenyOtherKey": {
            "Null": {"s3:x-amz-server-side-encryption-aws-kms-key-id": "false"},
            "StringNotEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": arn},
        },
    }
    assert {(statement["Effect"], statement["Principal"]) for statement in policy["Statement"]} == {("Deny", "*")}


class Killed(BaseException):
    """Stands for a lost machine: nothing catches it."""


@pytest.mark.parametrize("made", range(len(EVERYTHING)))
def test_a_run_killed_after_any_step_is_finished_by_the_next_one(clients, journal, made):
    def kill(number, _step):
        if number == made + 1:
            raise Killed

    with pytest.raises(Killed):
        run(clients, journal, done=kill)
    assert calls(planned(clients)) == EVERYTHING[made + 1 :]
    run(clients, journal)
    assert planned(clients) == ()
    assert len(keys(clients)) == 1


def test_a_key_whose_tags_only_look_alike_is_not_taken(clients):
    clients["kms"].create_key(Tags=[{"TagKey": "Purpose", "TagValue": "state"}])
    assert calls(planned(clients)) == EVERYTHING


def test_a_key_of_ours_that_is_to_be_deleted_is_not_taken(clients):
    made = clients["kms"].create_key(Tags=[{"TagKey": key, "TagValue": value} for key, value in TAGS.items()])
    clients["kms"].schedule_key_deletion(KeyId=made["KeyMetadata"]["KeyId"])
    assert calls(planned(clients)) == EVERYTHING


def test_a_disabled_key_under_the_alias_is_an_error_and_not_replaced(clients, journal):
    run(clients, journal)
    key_id = clients["kms"].describe_key(KeyId=TARGET.alias)["KeyMetadata"]["KeyId"]
    clients["kms"].disable_key(KeyId=key_id)
    with pytest.raises(UserError) as error:
        planned(clients)
    assert error.value.lines == (
        "The key under alias/learning-platform-staging-state cannot encrypt a state: its state is Disabled, its kind "
        "is SYMMETRIC_DEFAULT; an enabled key of kind SYMMETRIC_DEFAULT is needed.",
        f"Enable it, or cancel its deletion (key {key_id}), then run the command again.",
    )


def test_another_account_is_refused_before_anything_is_read_or_made(clients):
    asked = []
    clients["s3"].meta.events.register("before-call.s3", lambda model, **_: asked.append(model.name))
    clients["kms"].meta.events.register("before-call.kms", lambda model, **_: asked.append(model.name))
    with pytest.raises(UserError) as error:
        planned(clients, target_in(account="999999999999"))
    assert error.value.lines == (
        "These credentials are for account 123456789012, but staging belongs to account 999999999999 "
        "(account.id in Pulumi.staging.yaml).",
        "Use the credentials of that account, or correct the settings. Nothing was changed.",
    )
    assert asked == []


@pytest.fixture(autouse=True)
def _refused_requests_reach_nobody(monkeypatch):
    """Every listener sees a request, and the first answer counts; the stand-in must not carry out what was refused."""
    carry_out = BotocoreStubber.process_request
    monkeypatch.setattr(
        BotocoreStubber,
        "process_request",
        lambda stub, request: None if REFUSED in request.headers else carry_out(stub, request),
    )


def answer(clients, service, call, status, code, message="", times=10**6):
    """Answers ``call`` with an error, the first ``times`` times; returns the list of answers given."""
    given = []

    def refuse(request, **_kwargs):
        if REFUSED in request.headers:  # a repeated request keeps its headers
            del request.headers[REFUSED]
        if len(given) >= times:
            return None
        request.headers[REFUSED] = "yes"
        given.append(code)
        body = (
            f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
            if service == "s3"
            else json.dumps({"__type": code, "message": message})
        )
        response = AWSResponse(request.url, status, {}, None)
        response._content = b"" if request.method == "HEAD" else body.encode()
        return response

    clients[service].meta.events.register_first(f"before-send.{service}.{call}", refuse)
    return given


def test_a_bucket_that_is_another_accounts_is_an_error(clients):
    answer(clients, "s3", "HeadBucket", 403, "AccessDenied")
    with pytest.raises(UserError, match="exists, but it is another account's, or s3:ListBucket on it is missing"):
        planned(clients)


def test_a_bucket_that_another_account_takes_in_between_is_an_error(clients, journal):
    steps = planned(clients)
    answer(clients, "s3", "CreateBucket", 409, "BucketAlreadyExists", "The name is taken.")
    with pytest.raises(UserError, match=r"AWS refuses s3:CreateBucket \(BucketAlreadyExists: The name is taken\)\."):
        apply(steps, clients, journal)


def test_every_call_on_the_bucket_names_its_owner(clients, journal):
    without = []

    def look(model, params, **_):
        if "x-amz-expected-bucket-owner" not in params["headers"]:
            without.append(model.name)

    clients["s3"].meta.events.register("before-call.s3", look)
    run(clients, journal)
    assert without == ["CreateBucket"]


def test_a_bucket_in_another_region_is_an_error(clients):
    boto3.client("s3", region_name="us-west-2").create_bucket(
        **BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    with pytest.raises(UserError) as error:
        planned(clients)
    assert error.value.lines[0] == (f"The bucket {TARGET.bucket} is in us-west-2, but staging is in eu-central-1.")


def test_the_first_region_gets_no_location_constraint(journal):
    target = target_in("us-east-1")
    clients = aws.clients("us-east-1", None, "kms", "s3", "sts")
    (create,) = [step for step in planned(clients, target) if step.call == "s3.create_bucket"]
    assert create.arguments == {"Bucket": target.bucket}
    run(clients, journal, target)
    assert planned(clients, target) == ()


def test_what_others_set_on_the_bucket_stays(clients, journal):
    s3 = clients["s3"]
    s3.create_bucket(**BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    theirs = {
        "Sid": "Theirs",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:DeleteObjectVersion",
        "Resource": f"arn:aws:s3:::{TARGET.bucket}/*",
    }
    s3.put_bucket_policy(**BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": theirs}))
    s3.put_bucket_tagging(**BUCKET, Tagging={"TagSet": [{"Key": "Team", "Value": "core"}]})
    s3.put_bucket_lifecycle_configuration(
        **BUCKET,
        LifecycleConfiguration={
            "Rules": [{"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "x"}, "Expiration": {"Days": 9}}]
        },
    )
    run(clients, journal)
    statements = json.loads(s3.get_bucket_policy(**BUCKET)["Policy"])["Statement"]
    assert [s["Sid"] for s in statements] == [
        "Theirs",
        "DenyPlainHttp",
        "DenyOldTls",
        "DenyOtherEncryption",
        "DenyOtherKey",
    ]
    assert {"Key": "Team", "Value": "core"} in s3.get_bucket_tagging(**BUCKET)["TagSet"]
    assert [r["ID"] for r in s3.get_bucket_lifecycle_configuration(**BUCKET)["Rules"]] == ["old", "expire-old-states"]
    assert planned(clients) == ()


DAMAGES = {
    "s3.put_public_access_block": lambda c: c["s3"].delete_public_access_block(**BUCKET),
    "s3.put_bucket_ownership_controls": lambda c: c["s3"].delete_bucket_ownership_controls(**BUCKET),
    "s3.put_bucket_versioning": lambda c: c["s3"].put_bucket_versioning(
        **BUCKET, VersioningConfiguration={"Status": "Suspended"}
    ),
    "s3.put_bucket_encryption": lambda c: c["s3"].delete_bucket_encryption(**BUCKET),
    "s3.put_bucket_policy": lambda c: c["s3"].delete_bucket_policy(**BUCKET),
    "s3.put_bucket_lifecycle_configuration": lambda c: c["s3"].delete_bucket_lifecycle(**BUCKET),
    "s3.put_bucket_tagging": lambda c: c["s3"].delete_bucket_tagging(**BUCKET),
    "kms.enable_key_rotation": lambda c: c["kms"].disable_key_rotation(
        KeyId=c["kms"].describe_key(KeyId=TARGET.alias)["KeyMetadata"]["KeyId"]
    ),
    "kms.tag_resource": lambda c: c["kms"].untag_resource(
        KeyId=c["kms"].describe_key(KeyId=TARGET.alias)["KeyMetadata"]["KeyId"], TagKeys=["Owner"]
    ),
}


@pytest.mark.parametrize("repair", DAMAGES)
def test_what_somebody_undid_is_the_only_thing_done_again(clients, journal, repair):
    run(clients, journal)
    DAMAGES[repair](clients)
    assert calls(planned(clients)) == [repair]
    run(clients, journal)
    assert planned(clients) == ()


@pytest.mark.parametrize(
    "weaker",
    [
        {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": True},
        {
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/other"},
            "BucketKeyEnabled": True,
        },
        {
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "<own>"},
            "BucketKeyEnabled": False,
        },
    ],
    ids=["no key", "another key", "no bucket key"],
)
def test_any_other_encryption_is_put_right(clients, journal, weaker):
    run(clients, journal)
    arn = clients["kms"].describe_key(KeyId=TARGET.alias)["KeyMetadata"]["Arn"]
    rules = json.loads(json.dumps([weaker]).replace("<own>", arn))
    clients["s3"].put_bucket_encryption(**BUCKET, ServerSideEncryptionConfiguration={"Rules": rules})
    assert calls(planned(clients)) == ["s3.put_bucket_encryption"]


def test_calls_that_are_throttled_are_repeated(clients, journal, monkeypatch):
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    kms = answer(clients, "kms", "CreateKey", 400, "ThrottlingException", times=3)
    s3 = answer(clients, "s3", "PutBucketVersioning", 503, "SlowDown", times=3)
    run(clients, journal)
    assert (len(kms), len(s3)) == (3, 3)
    assert planned(clients) == ()


def test_throttling_without_end_is_told_and_the_next_run_goes_on(clients, journal, monkeypatch):
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    refused = answer(clients, "s3", "PutBucketVersioning", 503, "SlowDown", times=8)
    with pytest.raises(UserError) as error:
        run(clients, journal)
    assert error.value.lines == (
        "AWS is too busy for s3:PutBucketVersioning (SlowDown), also after 8 attempts.",
        "Run the command again in a few minutes; it goes on where it stopped.",
    )
    assert len(refused) == 8
    assert calls(planned(clients)) == EVERYTHING[6:]


def test_a_new_bucket_that_is_not_known_everywhere_yet_is_waited_for(clients, journal):
    waited = []
    answer(clients, "s3", "PutBucketVersioning", 404, "NoSuchBucket", times=2)
    run(clients, journal, pause=waited.append)
    assert waited == [1, 2]
    assert planned(clients) == ()


def test_a_bucket_that_stays_unknown_is_told_after_all_pauses(clients, journal):
    waited = []
    answer(clients, "s3", "PutBucketVersioning", 404, "NoSuchBucket", "It does not exist.")
    with pytest.raises(UserError, match=r"AWS refuses s3:PutBucketVersioning \(NoSuchBucket: It does not exist\)\."):
        run(clients, journal, pause=waited.append)
    assert waited == [1, 2, 4, 8, 15]


def test_a_missing_permission_is_named(clients, journal):
    message = "User: arn:aws:iam::123456789012:user/me is not authorized to perform: kms:TagResource on resource: *"
    answer(clients, "kms", "CreateKey", 400, "AccessDeniedException", message)
    with pytest.raises(UserError) as error:
        run(clients, journal)
    assert error.value.lines == (
        f"AWS refuses kms:TagResource: {message}.",
        "Ask for that permission; --permissions prints the whole IAM policy that the operation needs.",
    )


def test_a_permission_that_aws_does_not_name_is_that_of_the_call(clients, journal):
    answer(clients, "s3", "PutBucketPolicy", 403, "AccessDenied", "Access Denied")
    with pytest.raises(UserError, match=r"^AWS refuses s3:PutBucketPolicy: Access Denied\."):
        run(clients, journal)


#: Every API call -> the IAM actions that allow it.
ACTIONS = {
    "CreateAlias": {"kms:CreateAlias"},
    "CreateBucket": {"s3:CreateBucket"},
    "CreateKey": {"kms:CreateKey", "kms:TagResource"},
    "DescribeKey": {"kms:DescribeKey"},
    "EnableKeyRotation": {"kms:EnableKeyRotation"},
    "GetBucketEncryption": {"s3:GetEncryptionConfiguration"},
    "GetBucketLifecycleConfiguration": {"s3:GetLifecycleConfiguration"},
    "GetBucketOwnershipControls": {"s3:GetBucketOwnershipControls"},
    "GetBucketPolicy": {"s3:GetBucketPolicy"},
    "GetBucketTagging": {"s3:GetBucketTagging"},
    "GetBucketVersioning": {"s3:GetBucketVersioning"},
    "GetKeyRotationStatus": {"kms:GetKeyRotationStatus"},
    "GetPublicAccessBlock": {"s3:GetBucketPublicAccessBlock"},
    "HeadBucket": {"s3:ListBucket"},
    "ListKeys": {"kms:ListKeys"},
    "ListResourceTags": {"kms:ListResourceTags"},
    "PutBucketEncryption": {"s3:PutEncryptionConfiguration"},
    "PutBucketLifecycleConfiguration": {"s3:PutLifecycleConfiguration"},
    "PutBucketOwnershipControls": {"s3:PutBucketOwnershipControls"},
    "PutBucketPolicy": {"s3:PutBucketPolicy"},
    "PutBucketTagging": {"s3:PutBucketTagging"},
    "PutBucketVersioning": {"s3:PutBucketVersioning"},
    "PutPublicAccessBlock": {"s3:PutBucketPublicAccessBlock"},
    "TagResource": {"kms:TagResource"},
}


def test_the_declared_permissions_are_those_of_the_calls_and_no_others(clients, journal):
    made = set()
    for service in ("s3", "kms"):
        clients[service].meta.events.register(f"before-call.{service}", lambda model, **_: made.add(model.name))
    steps = planned(clients)
    clients["kms"].create_key()  # a key of somebody else, whose tags are looked at
    run(clients, journal)
    DAMAGES["kms.tag_resource"](clients)
    run(clients, journal)
    made -= {"UntagResource"}
    assert made == set(ACTIONS)
    declared = {action for statement in operation.permissions(TARGET)["Statement"] for action in statement["Action"]}
    assert declared == set().union(*ACTIONS.values())
    assert {step.action for step in steps} <= declared


def test_the_commands_that_follow_log_in_and_name_the_key():
    assert operation.next_commands(TARGET) == (
        "pulumi login 's3://learning-platform-staging-state-123456789012?region=eu-central-1'",
        "pulumi stack init staging --secrets-provider "
        "'awskms://alias/learning-platform-staging-state?region=eu-central-1'",
        "make up STACK=staging",
    )


def test_the_journal_has_every_call_before_and_after_it_was_made(clients, tmp_path):
    noon = datetime(2026, 1, 31, 12, tzinfo=UTC)
    journal = Journal(tmp_path, "bootstrap", environment="staging", account=ACCOUNT, who="arn:me", now=lambda: noon)
    run(clients, journal)
    entries = [json.loads(line) for line in (tmp_path / "bootstrap.jsonl").read_text().splitlines()]
    assert [(entry["event"], entry.get("call")) for entry in entries] == [
        ("begin", None),
        *[(event, call) for call in EVERYTHING for event in ("call", "answered")],
        ("end", None),
    ]
    assert {(e["at"], e["who"], e["account"], e["environment"], e["operation"]) for e in entries} == {
        ("2026-01-31T12:00:00+00:00", "arn:me", ACCOUNT, "staging", "bootstrap")
    }
    assert len({entry["run"] for entry in entries}) == 1
    arn = clients["kms"].describe_key(KeyId=TARGET.alias)["KeyMetadata"]["Arn"]
    (alias,) = [e for e in entries if e.get("call") == "kms.create_alias" and e["event"] == "call"]
    assert alias["arguments"] == {"AliasName": TARGET.alias, "TargetKeyId": arn}


def test_the_journal_keeps_what_earlier_runs_wrote_and_the_call_that_failed(clients, journal):
    answer(clients, "s3", "PutBucketPolicy", 403, "AccessDenied", "Access Denied", times=1)
    with pytest.raises(UserError):
        run(clients, journal)
    run(clients, journal)
    entries = [json.loads(line) for line in journal.path.read_text().splitlines()]
    assert [entry["event"] for entry in entries if entry["event"] not in ("call", "answered")] == [
        "begin",
        "failed",
        "begin",
        "end",
    ]
    (failed,) = [entry for entry in entries if entry["event"] == "failed"]
    assert (failed["call"], failed["step"]) == ("s3.put_bucket_policy", 9)


def test_without_a_journal_nothing_is_made(clients, tmp_path):
    (tmp_path / "file").write_text("")
    journal = Journal(tmp_path / "file", "bootstrap", environment="staging", account=ACCOUNT, who="arn:me")
    with pytest.raises(UserError, match="cannot be written"):
        run(clients, journal)
    assert calls(planned(clients)) == EVERYTHING


def test_the_journal_is_for_its_owner_alone(clients, journal):
    run(clients, journal)
    assert journal.path.stat().st_mode & 0o777 == 0o600
    assert journal.path.parent.stat().st_mode & 0o777 == 0o700


key_states = st.none() | st.builds(
    KeyState,
    arn=st.just("arn:aws:kms:eu-central-1:123456789012:key/1"),
    has_alias=st.booleans(),
    rotates=st.booleans(),
    tags=st.sampled_from([{}, TAGS, {"Owner": "x"}]),
)
bucket_states = st.none() | st.builds(
    BucketState,
    public_access_blocked=st.booleans(),
    owner_enforced=st.booleans(),
    versioned=st.booleans(),
    key=st.sampled_from([None, "arn:aws:kms:eu-central-1:123456789012:key/1", "another"]),
    bucket_key=st.booleans(),
    statements=st.just(()) | st.just(({"Sid": "DenyOldTls", "Effect": "Allow"},)),
    rules=st.just(()) | st.just(({"ID": "expire-old-states", "Status": "Disabled"},)),
    tags=st.sampled_from([{}, TAGS]),
)


@given(key=key_states, bucket=bucket_states)
def test_a_plan_never_uses_what_it_has_not_made_and_never_takes_anything_away(key, bucket):
    steps = operation.plan(TARGET, Observed(who="arn:me", key=key, bucket=bucket))
    made = calls(steps)
    assert made == [call for call in [*EVERYTHING[:1], "kms.tag_resource", *EVERYTHING[1:]] if call in made]
    uses_new_key = [step.call for step in steps if KEY_ARN in json.dumps(step.arguments)]
    assert not uses_new_key or made[0] == "kms.create_key"
    assert all(call.split(".")[1].startswith(("create_", "put_", "enable_", "tag_")) for call in made)
    assert "Suspended" not in json.dumps([step.arguments for step in steps])


@given(key=key_states, bucket=bucket_states)
def test_a_plan_depends_on_what_was_observed_alone(key, bucket):
    observed = Observed(who="arn:me", key=key, bucket=bucket)
    assert operation.plan(TARGET, observed) == operation.plan(TARGET, observed)
