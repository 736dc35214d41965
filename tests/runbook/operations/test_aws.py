"""AWS errors in words."""

import pytest
from botocore import exceptions
from botocore.exceptions import ClientError

from runbook.errors import UserError
from runbook.operations import aws


def told(error, action=None):
    with pytest.raises(UserError) as caught, aws.spoken(action):
        raise error
    return caught.value.lines


def refusal(code, message=""):
    return ClientError({"Error": {"Code": code, "Message": message}}, "CreateKey")


@pytest.mark.parametrize("code", ["ExpiredToken", "ExpiredTokenException", "RequestExpired"])
def test_expired_credentials(code):
    assert told(refusal(code)) == (
        "The AWS credentials have expired.",
        "Sign in again (for example `aws sso login`) and repeat the command.",
    )


@pytest.mark.parametrize("code", ["InvalidClientTokenId", "InvalidAccessKeyId", "SignatureDoesNotMatch"])
def test_wrong_credentials(code):
    assert told(refusal(code, "No such key.")) == (
        f"AWS does not accept the credentials ({code}: No such key).",
        "Check the profile or the environment.",
    )


def test_a_denial_names_the_action_that_aws_names():
    message = "User: arn:aws:iam::1:user/x is not authorized to perform: s3:CreateBucket on resource: arn:aws:s3:::b"
    assert told(refusal("AccessDenied", message), "s3:PutBucketPolicy")[0] == (
        f"AWS refuses s3:CreateBucket: {message}."
    )


@pytest.mark.parametrize(
    ("action", "named"), [("kms:CreateKey", "kms:CreateKey"), (None, "CreateKey")], ids=["of the step", "of the call"]
)
def test_a_denial_without_an_action_names_the_one_that_was_used(action, named):
    assert told(refusal("AccessDeniedException", "Access Denied"), action) == (
        f"AWS refuses {named}: Access Denied.",
        "Ask for that permission; --permissions prints the whole IAM policy that the operation needs.",
    )


def test_an_error_that_is_none_of_these_keeps_its_code_and_words():
    assert told(refusal("LimitExceededException", "Too many keys."), "kms:CreateKey") == (
        "AWS refuses kms:CreateKey (LimitExceededException: Too many keys).",
        "Nothing further was changed.",
    )


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (
            exceptions.NoCredentialsError(),
            ("There are no AWS credentials.", "Sign in (for example `aws sso login`), or name a --profile."),
        ),
        (
            exceptions.UnauthorizedSSOTokenError(),
            (
                "The AWS credentials cannot be had: The SSO session associated with this profile has expired or is "
                "otherwise invalid. To refresh this SSO session run aws sso login with the corresponding profile.",
                "Sign in again (for example `aws sso login`).",
            ),
        ),
        (
            exceptions.EndpointConnectionError(endpoint_url="https://sts.nowhere"),
            (
                'AWS cannot be reached: Could not connect to the endpoint URL: "https://sts.nowhere"',
                "Check the network, the proxy and the region, then try again.",
            ),
        ),
        (
            exceptions.ParamValidationError(report="Invalid bucket name"),
            ("The AWS SDK failed: Parameter validation failed:\nInvalid bucket name",),
        ),
    ],
    ids=["none", "session over", "no network", "anything else"],
)
def test_credentials_and_network(error, lines):
    assert told(error) == lines


def test_an_unknown_profile():
    with pytest.raises(UserError) as caught:
        aws.clients("eu-central-1", "nobody", "sts")
    assert caught.value.lines == (
        "The config profile (nobody) could not be found.",
        "Name a profile of your AWS configuration with --profile.",
    )
