"""What gives a secret away in a text, and what only looks like it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.rulebook.leaks import Leak, all_leaks, is_secret_name, unmistakable

SAID = "a password, token or secret with its value"

UNMISTAKABLE = [
    ("AKIAIOSFODNN7EXAMPLE", "an AWS access key"),
    ("export AWS_ACCESS_KEY_ID=ASIAIOSFODNN7EXAMPLE", "an AWS access key"),
    ("-----BEGIN PRIVATE KEY-----", "a private key"),
    ("-----BEGIN RSA PRIVATE KEY-----", "a private key"),
    ("-----BEGIN OPENSSH PRIVATE KEY-----", "a private key"),
    ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "a private key"),
    ("-----BEGIN PGP PRIVATE KEY BLOCK-----", "a private key"),
    ("ghp_0123456789abcdefghijABCDEFGHIJ012345", "a GitHub token"),
    ("github_pat_11ABCDEFG0abcdefghijkl_x", "a GitHub token"),
    ("glpat-abcdefghij0123456789", "a GitLab token"),
    ("xoxb-123456789012-abcdefghij", "a Slack token"),
    ("https://hooks.slack.com/services/T0000/B0000/abcdef", "a Slack webhook"),
    ("sk_live_0123456789abcdef", "a Stripe key"),
    ("AIzaSyA-0123456789abcdefghijklmnopqrstu", "a Google API key"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefgh", "a JSON web token"),
    ("postgres://app:hunter2@db.internal:5432/app", "a connection string with a password"),
    ("postgresql+psycopg://app:hunter2@db/app", "a connection string with a password"),
    ("git clone https://ci:t0k3n-value@example.org/a.git", "a connection string with a password"),
    ("redis://:hunter2@cache:6379/0", "a connection string with a password"),
]

ASSIGNED = [
    "password=hunter2",
    "DB_PASSWORD=hunter2",
    "export DB_PASSWORD='hunter2'",
    'PASSWORD="correct horse battery staple"',
    '"password": "hunter2"',
    "{'token': 'abcdef'}",
    "password: hunter2",
    "password: hunter2 # for now",
    "token := abc123",
    "api_key => abc123",
    "ApiKey = abc123",
    "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "PGPASSWORD=hunter2 psql -h db",
    "MYSQL_PWD=hunter2",
    "db_pass=hunter2",
    "docker login --username app --password hunter2",
    "docker login --password=hunter2",
    "tool --auth-token abcdef",
    "ALTER USER app WITH PASSWORD 'hunter2';",
    "create user app identified by 'hunter2'",
    "curl -H 'Authorization: Bearer abcdef123456' https://example.org",
    "curl -u admin:hunter2 https://example.org",
    "host=db user=app password=hunter2",
    "secret=123456",
    "client_secret: s3cr3t-value",
]

INNOCENT = [
    "",
    "#!/bin/bash\ndnf install -y nginx",
    "DB_PASSWORD=$DB_PASSWORD",
    'DB_PASSWORD="$(aws secretsmanager get-secret-value --secret-id db --query SecretString --output text)"',
    "DB_PASSWORD=${DB_PASSWORD:?}",
    "TOKEN=$(curl -sX PUT http://169.254.169.254/latest/api/token -H 'X-aws-ec2-metadata-token-ttl-seconds: 21600')",
    "TOKEN=`curl -sX PUT http://169.254.169.254/latest/api/token`",
    'curl -H "X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/latest/meta-data/',
    'requests.get(url, headers={"X-aws-ec2-metadata-token": token})',
    "aws ecr get-login-password | docker login --username AWS --password-stdin registry",
    'docker login --password "$PASSWORD"',
    "password_file=/run/secrets/db",
    "PASSWORD=/run/secrets/db",
    "DB_SECRET=arn:aws:secretsmanager:eu-west-1:123456789012:secret:db",
    "secret: resolve:secretsmanager:db",
    "password={{ db_password }}",
    'password: "{{resolve:secretsmanager:db:SecretString:password}}"',
    "password = var.db_password",
    'password = os.environ["DB_PASSWORD"]',
    "password = read_password()",
    "password: <your password>",
    'password: "****"',
    "password: |",
    'password: ""',
    'password: "[secret]"',
    "passwd:     files sss",
    "PasswordAuthentication no",
    "password_encryption = scram-sha-256",
    "max_tokens: 4096",
    "token: required",
    "# password: set it in Secrets Manager",
    "postgres://app:$DB_PASSWORD@db/app",
    "postgres://app:${DB_PASSWORD}@db/app",
    "postgres://app@db/app",
    "proxy_pass http://127.0.0.1:8080;",
    "printf 'password=%s' \"$PASSWORD\"",
    '{"Action": ["secretsmanager:GetSecretValue", "sts:GetSessionToken"], "Effect": "Allow"}',
    '"TaskToken.$": "$$.Task.Token"',
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----",
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC7 laptop",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "arn:aws:iam::123456789012:role/AKIA-like",
]


@pytest.mark.parametrize(("text", "kind"), UNMISTAKABLE)
def test_a_secret_is_known_by_its_form(text, kind):
    assert kind in [leak.kind for leak in unmistakable(f"first\n{text}\nlast")]
    assert Leak(kind, 2) in all_leaks(f"first\n{text}\nlast")


@pytest.mark.parametrize("text", ASSIGNED)
def test_a_literal_value_of_a_secret_s_name_is_a_leak(text):
    assert all_leaks(f"#!/bin/bash\n\n{text}") == (Leak(SAID, 3),)
    assert unmistakable(text) == ()


@pytest.mark.parametrize("text", INNOCENT)
def test_a_reference_is_none(text):
    assert all_leaks(text) == ()


def test_each_kind_is_told_once_with_its_first_line():
    text = "token=abcdef\nAKIAIOSFODNN7EXAMPLE\nAKIAIOSFODNN7EXAMPLE\npassword=hunter2"
    assert all_leaks(text) == (Leak(SAID, 1), Leak("an AWS access key", 2))


@given(
    name=st.from_regex(r"[A-Z]{0,5}_?(PASSWORD|TOKEN|SECRET)", fullmatch=True),
    value=st.from_regex(r"[a-z]{6}[0-9]{3}", fullmatch=True),
)
def test_a_shell_assignment_leaks_and_its_reference_does_not(name, value):
    assert all_leaks(f"{name}={value}") != ()
    assert all_leaks(f"{name}=${value}") == ()


@given(st.text(max_size=200))
def test_any_text_can_be_read(text):
    lines = text.count("\n") + 1
    assert all(1 <= leak.line <= lines for leak in all_leaks(text))


@given(st.text(alphabet="abcAB01=:/+_-.{$\"' ", max_size=60).map(lambda text: text * 400))
def test_a_long_text_takes_no_long_time(text):
    all_leaks(text)


@pytest.mark.parametrize(
    "name",
    ["/app/prod/db/password", "db-password", "DB_PASSWORD", "GithubToken", "apiKey", "/app/slack-webhook-secret",
     "stripe_api_key", "tls-private-key", "/app/secret", "dbPassword", "credentials", "passwords"],
)  # fmt: skip
def test_a_name_of_a_secret(name):
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    ["/app/prod/secrets/region", "db-password-rotation-days", "TOKEN_TTL", "secret-arn", "SECRET_NAME", "tokenizer",
     "password_length", "/app/inventory/database", "keyboard", "secretary", "token-url", "ssh-public-key", ""],
)  # fmt: skip
def test_a_name_of_something_else(name):
    assert not is_secret_name(name)
