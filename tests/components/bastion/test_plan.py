"""The bastion's image, its ways in and how sessions are kept."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.bastion import plan

hosts = st.from_regex(r"[a-z][a-z0-9-]{0,20}(\.[a-z0-9]{1,10}){1,3}", fullmatch=True)
ports = st.integers(1, 65535)


@pytest.mark.parametrize(("instance_class", "processor"), [("t3.micro", "x86_64"), ("t4g.nano", "arm64")])
def test_the_image_is_the_newest_amazon_linux_2023_of_the_processor(instance_class, processor):
    path = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-"
    assert plan.image(instance_class) == f"resolve:ssm:{path}{processor}"


def test_every_mode_has_a_way_in_and_only_both_has_two():
    ways = {mode: (plan.takes_ssh(mode), plan.takes_sessions(mode)) for mode in ("ssh", "both", "ssm")}
    assert ways == {"ssh": (True, False), "both": (True, True), "ssm": (False, True)}


@given(host=hosts, port=ports)
def test_a_tunnel_of_session_manager_is_one_line_a_shell_reads_as_meant(host, port):
    line = plan.session_tunnel(region="eu-west-1", instance_id="i-0a1b2c3d4e5f60718", host=host, port=port)
    assert shlex.split(line) == [
        *("aws", "ssm", "start-session", "--region", "eu-west-1", "--target", "i-0a1b2c3d4e5f60718"),
        *("--document-name", "AWS-StartPortForwardingSessionToRemoteHost"),
        *("--parameters", f"host={host},portNumber={port},localPortNumber=15432"),
    ]


@given(host=hosts, port=ports)
def test_a_tunnel_over_ssh_opens_the_same_local_port_and_no_shell(host, port):
    line = plan.ssh_tunnel(key_name="admin", address="198.51.100.7", host=host, port=port)
    assert shlex.split(line) == [
        *("ssh", "-i", "admin.pem", "-N", "-L", f"15432:{host}:{port}", "ec2-user@198.51.100.7")
    ]


def test_without_a_key_pair_ssh_takes_the_administrator_s_own_key():
    assert plan.ssh_command(key_name=None, address="198.51.100.7") == "ssh ec2-user@198.51.100.7"


def test_sessions_are_encrypted_logged_as_they_go_and_end():
    preferences = plan.session_preferences(log_group="/platform/sessions", key_id="1111-2222")
    assert {key: preferences[key] for key in ("schemaVersion", "sessionType")} == {
        "schemaVersion": "1.0",
        "sessionType": "Standard_Stream",
    }
    said = preferences["inputs"]
    assert (said["cloudWatchLogGroupName"], said["kmsKeyId"]) == ("/platform/sessions", "1111-2222")
    assert said["cloudWatchEncryptionEnabled"] is said["cloudWatchStreamingEnabled"] is True
    assert said["runAsEnabled"] is False


def test_session_limits_are_texts_of_minutes_that_session_manager_takes():
    said = plan.session_preferences(log_group="", key_id="")["inputs"]
    assert said["idleSessionTimeout"] == "20"
    assert 20 < int(said["maxSessionDuration"]) <= 1440
    assert isinstance(said["maxSessionDuration"], str)


def test_the_first_boot_installs_the_client_and_holds_no_secret():
    script = plan.user_data()
    assert script.startswith("#!/bin/bash\n")
    assert "dnf install -y postgresql17" in script
    assert not {"password", "token", "secret", "PRIVATE KEY"} & set(script.split())
