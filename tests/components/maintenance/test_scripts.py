"""What the scripts do on a machine."""

import io
import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from components.maintenance import plan
from settings.maintenance import PageSettings
from tests.components.maintenance.machine import Machine
from tests.components.maintenance.test_page import certificate

FILES = Path(plan.__file__).parent / "files"
SCRIPTS = sorted(FILES.glob("*.sh"))
HOST = "prime.learning.example"
UNTIL = "2026-11-05T18:00:00Z"
BUCKET = {"HOST": HOST, "BUCKET": "hand-over-bucket", "ACCOUNT": "210987654321"}
KEY = "arn:aws:kms:us-east-1:210987654321:key/11111111-2222-3333-4444-555555555555"
REFUSES = "echo 'nginx: [emerg] no' >&2; exit 1"


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path, "nginx", "systemctl", "dnf", "mkswap", "swapon")


def test_there_are_scripts():
    assert len(SCRIPTS) == 9


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_shell_reads_each_script_and_finds_no_fault(script):
    checks = [["bash", "-n"], *([["shellcheck"]] if shutil.which("shellcheck") else [])]
    for check in checks:
        done = subprocess.run([*check, str(script)], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# The first boot


def boots(machine):
    on = machine.root / "on"
    machine.give("swapon", f'if [[ $1 == --noheadings ]]; then cat {on}; else echo "$1" >{on}; fi')
    on.touch()
    return machine.run("boot.sh")


def test_the_first_boot_installs_and_starts_nginx(machine):
    machine.take_away("nginx")
    bin_folder = machine.root.parent / "bin"
    machine.give("dnf", f"printf '#!/bin/sh\\n' >{bin_folder}/nginx; chmod 755 {bin_folder}/nginx")
    assert boots(machine) == (0, "")
    assert [call for call in machine.called() if not call.startswith(("swapon", "mkswap"))] == [
        "dnf install -y nginx openssl",
        "systemctl enable --now nginx",
    ]
    assert (machine.root / "swapfile").stat().st_size == 1024 * 1024
    assert machine.mode("swapfile") == "0o600"


def test_a_second_boot_changes_nothing(machine):
    boots(machine)
    before = machine.read("etc/fstab")
    machine.called()
    assert boots(machine)[0] == 0
    assert machine.read("etc/fstab") == before == "/swapfile none swap sw 0 0\n"
    assert machine.called("dnf") == []


def test_a_boot_without_a_way_out_tries_for_a_while_and_says_so(machine):
    machine.take_away("nginx")
    machine.give("dnf", "exit 1")
    code, said = boots(machine)
    assert code == 1
    assert said.count("failed") == 20
    assert said.endswith("nginx could not be installed; see dnf's messages above\n")
    assert "systemctl" not in "".join(machine.called())


# The page


def install(machine, **page):
    return machine.run("install.sh", files=plan.site(PageSettings(**page)))


def test_the_page_is_put_in_place_for_everybody_to_read(machine):
    code, said = install(machine, time_zone="America/Detroit")
    assert (code, said) == (0, "")
    assert machine.called() == ["nginx -t", "systemctl reload-or-restart nginx"]
    page = machine.read("var/www/maintenance/index.html")
    assert "<h1>We will be back soon</h1>" in page
    assert [word for word in ("until -->", "@UNTIL@", "<time") if word in page] == []
    assert {
        path: machine.mode(path)
        for path in (
            "var/www/maintenance",
            "var/www/maintenance/index.html",
            "etc/nginx/conf.d/maintenance.conf",
            "usr/local/sbin/maintenance-until",
        )
    } == {
        "var/www/maintenance": "0o555",
        "var/www/maintenance/index.html": "0o444",
        "etc/nginx/conf.d/maintenance.conf": "0o644",
        "usr/local/sbin/maintenance-until": "0o755",
    }
    assert machine.read("etc/nginx/maintenance/tls.conf") == "ssl_reject_handshake on;\n"
    assert machine.read("etc/nginx/maintenance/retry-after.map") == "503 3600;\n"


def test_the_end_is_shown_in_the_zone_of_the_settings_and_told_to_clients(machine):
    install(machine, time_zone="America/Detroit")
    assert machine.run("until.sh", UNTIL)[0] == 0
    page = machine.read("var/www/maintenance/index.html")
    assert '<time datetime="2026-11-05T18:00:00Z">2026-11-05, 13:00 EST</time>' in page
    assert machine.read("etc/nginx/maintenance/retry-after.map") == '503 "Thu, 05 Nov 2026 18:00:00 GMT";\n'
    assert re.findall(r"@\w+@|until -->", page) == []


def test_a_new_page_keeps_the_end_and_the_certificate(machine):
    install(machine)
    machine.run("until.sh", UNTIL)
    (machine.root / "etc/nginx/maintenance/tls.conf").write_text("ssl_certificate a;")
    assert install(machine, title="Longer than we thought")[0] == 0
    page = machine.read("var/www/maintenance/index.html")
    assert "Longer than we thought" in page
    assert UNTIL in page
    assert machine.read("etc/nginx/maintenance/tls.conf") == "ssl_certificate a;"


def test_the_end_can_be_taken_back(machine):
    install(machine)
    machine.run("until.sh", UNTIL)
    assert machine.run("until.sh")[0] == 0
    assert "<time" not in machine.read("var/www/maintenance/index.html")
    assert machine.read("etc/nginx/maintenance/retry-after.map") == "503 3600;\n"


@pytest.mark.parametrize("until", ["tomorrow", "2026-11-05", "2026-13-05T18:00:00Z", "2026-11-05T18:00:00Z'; rm -rf /"])
def test_what_is_no_time_is_refused_and_changes_nothing(machine, until):
    install(machine)
    before = machine.read("var/www/maintenance/index.html")
    code, said = machine.run("until.sh", until)
    assert (code, said) == (2, f"maintenance-until: '{until}' is no UTC time of the form YYYY-MM-DDTHH:MM:SSZ\n")
    assert machine.read("var/www/maintenance/index.html") == before


def test_what_nginx_refuses_is_undone(machine):
    install(machine)
    machine.run("until.sh", UNTIL)
    kept = (
        "var/www/maintenance/index.html",
        "etc/nginx/conf.d/maintenance.conf",
        "etc/nginx/maintenance/retry-after.map",
    )
    before = {path: machine.read(path) for path in kept}
    machine.called()
    machine.give("nginx", REFUSES)
    code, said = install(machine, accent="#000000", title="Other")
    assert (code, said.splitlines()[-1]) == (1, "nginx refuses the new configuration; the former one is back")
    assert {path: machine.read(path) for path in kept} == before
    assert machine.run("until.sh")[0] == 1
    assert {path: machine.read(path) for path in kept} == before
    assert machine.called("systemctl") == []


def test_a_first_configuration_that_nginx_refuses_is_not_left_behind(machine):
    machine.give("nginx", REFUSES)
    assert install(machine)[0] == 1
    assert not (machine.root / "etc/nginx/conf.d/maintenance.conf").exists()


# The certificate from host to host


def lineage(machine, host=HOST, days=30):
    """What certbot keeps of a certificate."""
    base = machine.root / "etc/letsencrypt"
    for part in ("live", "archive"):
        (base / part / host).mkdir(parents=True)
    (base / "renewal").mkdir(exist_ok=True)
    (base / "renewal" / f"{host}.conf").write_text("authenticator = webroot\n")
    certificate(base / "archive" / host, host, days)
    for name in ("fullchain", "privkey"):
        (base / "archive" / host / f"{name}.pem").rename(base / "archive" / host / f"{name}1.pem")
        (base / "live" / host / f"{name}.pem").symlink_to(f"../../archive/{host}/{name}1.pem")
    return base


def hand_over(machine):
    return machine.run("hand-over.sh", **BUCKET, KEY_ARN=KEY)


def take_over(machine):
    return machine.run("take-over.sh", **BUCKET)


def put(machine, **files):
    """An archive that somebody put into the bucket: name -> content, or a link's target after ``->``."""
    body = machine.root.parent / "archive"
    with tarfile.open(body, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            if content.startswith("->"):
                member.type, member.linkname = tarfile.SYMTYPE, content[2:]
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content.encode()))
    (machine.store / "body-v0").write_bytes(body.read_bytes())
    found = [{"Key": f"hand-over/{HOST}.tar.gz", "VersionId": "v0", "IsLatest": True}]
    (machine.store / "versions").write_text(json.dumps(found))


@pytest.fixture
def server(tmp_path):
    machine = Machine(tmp_path / "server")
    lineage(machine)
    return machine


@pytest.fixture
def page(tmp_path, server):
    """The machine with the page, at the server's bucket."""
    machine = Machine(tmp_path / "page", "nginx", "systemctl")
    shutil.rmtree(machine.store)
    machine.store.symlink_to(server.store)
    install(machine)
    machine.called()
    return machine


def state(machine):
    """Every file below /etc/letsencrypt and the switch of TLS, as they are."""
    base = machine.root / "etc/letsencrypt"
    found = {str(path.relative_to(base)): path.read_bytes() for path in sorted(base.rglob("*")) if path.is_file()}
    return found, machine.read("etc/nginx/maintenance/tls.conf")


def test_a_certificate_is_handed_over_encrypted_and_nothing_stays_behind(server):
    code, said = hand_over(server)
    assert code == 0
    assert re.fullmatch(rf"handed over: the certificate of {HOST}, notAfter=.*\n", said)
    [(action, options)] = server.asked()
    assert action == "put-object"
    assert {key: value for key, value in options.items() if key != "body"} == {
        "bucket": "hand-over-bucket",
        "key": f"hand-over/{HOST}.tar.gz",
        "server-side-encryption": "aws:kms",
        "ssekms-key-id": KEY,
        "checksum-algorithm": "SHA256",
        "expected-bucket-owner": "210987654321",
    }
    assert options["body"].startswith(f"{server.root}/run/")
    assert list((server.root / "run").iterdir()) == []


@pytest.mark.parametrize(("days", "said"), [(None, "there is no certificate of"), (1, "ends within a day; renew it")])
def test_a_certificate_that_is_not_there_or_ends_is_not_handed_over(tmp_path, days, said):
    machine = Machine(tmp_path)
    if days:
        lineage(machine, days=days)
    code, told = hand_over(machine)
    assert code == 1
    assert told.startswith("hand-over: ")
    assert said in told
    assert machine.asked() == []


def test_a_machine_without_the_aws_command_says_what_is_missing(server):
    server.take_away("aws")
    assert hand_over(server) == (1, "hand-over: aws is not installed on this machine; install it\n")


def test_a_certificate_is_taken_over_and_leaves_the_bucket(server, page):
    hand_over(server)
    code, said = take_over(page)
    assert (code, said[: said.index("notAfter")]) == (0, f"taken over: the certificate of {HOST}, ")
    assert page.called("nginx") + page.called("systemctl") != []
    base = page.root / "etc/letsencrypt"
    for name in (f"live/{HOST}/privkey.pem", f"archive/{HOST}/privkey1.pem", f"renewal/{HOST}.conf"):
        assert (base / name).read_bytes() == (server.root / "etc/letsencrypt" / name).read_bytes()
        assert page.mode(f"etc/letsencrypt/{name}") == "0o600"
    assert {page.mode(f"etc/letsencrypt/{part}") for part in ("", "live", "archive", f"live/{HOST}")} == {"0o700"}
    assert page.read("etc/nginx/maintenance/tls.conf") == (
        f"ssl_certificate {base}/live/{HOST}/fullchain.pem;\nssl_certificate_key {base}/live/{HOST}/privkey.pem;\n"
    )
    assert json.loads((server.store / "versions").read_text()) == []
    assert list((page.root / "run").iterdir()) == []
    assert [path.name for path in base.iterdir() if path.name.startswith(".")] == []


def test_nginx_tests_the_certificate_before_it_reads_it(server, page):
    hand_over(server)
    take_over(page)
    calls = [call for call in page.called() if not call.startswith("aws")]
    assert calls == ["nginx -t", "systemctl reload-or-restart nginx"]


def test_a_newer_certificate_takes_the_place_of_the_older(server, page):
    hand_over(server)
    take_over(page)
    shutil.rmtree(server.root / "etc/letsencrypt")
    lineage(server, days=60)
    hand_over(server)
    assert take_over(page)[0] == 0
    new = server.root / f"etc/letsencrypt/archive/{HOST}/privkey1.pem"
    assert (page.root / f"etc/letsencrypt/live/{HOST}/privkey.pem").read_bytes() == new.read_bytes()


def test_every_copy_leaves_the_bucket(server, page):
    for _ in range(3):
        hand_over(server)
    take_over(page)
    assert json.loads((server.store / "versions").read_text()) == []
    deleted = [options["version-id"] for action, options in page.asked() if action == "delete-object"]
    assert deleted == ["v0", "v1", "v2"]


def test_where_nothing_lies_nothing_happens(page):
    before = page.read("etc/nginx/maintenance/tls.conf")
    assert take_over(page) == (0, f"nothing to take over for {HOST}\n")
    assert page.read("etc/nginx/maintenance/tls.conf") == before
    assert [action for action, _ in page.asked()] == ["list-object-versions"]


def test_a_certificate_that_nginx_refuses_is_undone_and_stays_in_the_bucket(server, page):
    hand_over(server)
    take_over(page)
    before = state(page)
    shutil.rmtree(server.root / "etc/letsencrypt")
    lineage(server, days=60)
    hand_over(server)
    page.give("nginx", REFUSES)
    code, said = take_over(page)
    assert (code, said.splitlines()[-1]) == (1, "take-over: nginx refuses the certificate; the former state is back")
    assert state(page) == before
    assert len(json.loads((server.store / "versions").read_text())) == 1


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"live/other.example/privkey.pem": "x"}, "which is none of"),
        ({f"live/{HOST}/../../../passwd": "x"}, "which leads out of its folder"),
        ({"/etc/passwd": "x"}, "which leads out of its folder"),
        ({f"live/{HOST}/privkey.pem": "->/etc/shadow"}, "is a link to a foreign place"),
        ({f"live/{HOST}/privkey.pem": f"->../../archive/{HOST}/"}, "is a link to a foreign place"),
        ({f"live/{HOST}/cert.pem": "x"}, "lacks fullchain.pem or privkey.pem"),
        ({f"live/{HOST}/fullchain.pem": "x", f"live/{HOST}/privkey.pem": "x"}, "the certificate has ended"),
    ],
)
def test_what_is_no_certificate_of_the_host_is_not_taken_over(page, files, said):
    put(page, **files)
    before = page.read("etc/nginx/maintenance/tls.conf")
    code, told = take_over(page)
    assert code == 1
    assert said in told.splitlines()[-1]
    assert page.read("etc/nginx/maintenance/tls.conf") == before
    assert [path.name for path in (page.root / "etc/letsencrypt").iterdir() if path.name.startswith(".")] == []
    assert list((page.root / "etc/letsencrypt/live").iterdir()) == []


def test_a_damaged_archive_is_not_taken_over(page, server):
    hand_over(server)
    body = server.store / "body-v0"
    body.write_bytes(body.read_bytes()[:200])
    code, told = take_over(page)
    assert (code, told.splitlines()[-1]) == (1, "take-over: the archive is damaged; hand the certificate over again")


def test_a_certificate_of_another_host_is_not_taken_over(page, tmp_path):
    certificate(tmp_path, "other.example")
    put(
        page, **{f"live/{HOST}/{name}.pem": (tmp_path / f"{name}.pem").read_text() for name in ("fullchain", "privkey")}
    )
    assert take_over(page)[1].splitlines()[-1] == f"take-over: the certificate is not one of {HOST}"


def test_a_key_of_another_certificate_is_not_taken_over(page, tmp_path):
    certificate(tmp_path, HOST)
    chain = (tmp_path / "fullchain.pem").read_text()
    certificate(tmp_path, HOST)
    put(
        page,
        **{f"live/{HOST}/fullchain.pem": chain, f"live/{HOST}/privkey.pem": (tmp_path / "privkey.pem").read_text()},
    )
    said = take_over(page)[1].splitlines()[-1]
    assert said == "take-over: certificate and private key do not belong together"


def test_no_script_shows_a_private_key(server, page):
    said = hand_over(server)[1] + take_over(page)[1]
    assert "PRIVATE" not in said + "".join(server.called() + page.called())


# How long certificates are good for, and renewal


def test_the_days_left_are_counted_by_host(server):
    lineage(server, "second.example", days=60)
    code, said = server.run("days-left.sh", NAMESPACE="learning-platform-staging-maintenance", MACHINE="server")
    days = dict(re.findall(r"^(.*): (\d+) days$", said, re.MULTILINE))
    # A second after they were made a part of a day is gone, and the whole days are one less.
    assert (code, list(days), days[HOST] in ("29", "30"), days["second.example"] in ("59", "60")) == (
        0,
        [HOST, "second.example"],
        True,
        True,
    )
    assert [(action, options) for action, options in server.asked()] == [
        (
            "put-metric-data",
            {
                "namespace": "learning-platform-staging-maintenance",
                "metric-name": "CertificateDaysLeft",
                "dimensions": f"Host={host},Machine=server",
                "unit": "Count",
                "value": left,
            },
        )
        for host, left in days.items()
    ]


def test_a_machine_without_certificates_counts_nothing(tmp_path):
    machine = Machine(tmp_path)
    assert machine.run("days-left.sh", NAMESPACE="n", MACHINE="maintenance") == (0, "")
    assert machine.asked() == []


CERTBOT = {
    "HOST": HOST,
    "EMAIL": "team@learning.example",
    "WEBROOT": "/var/www/html",
    "CONTAINER": "",
    "BACKUP_DOCUMENT": "",
}
UNITS = {
    name: plan.read(name)
    for name in ("certificate-deployed.sh", "certificate-renewal.service", "certificate-renewal.timer")
}


@pytest.fixture
def renewing(tmp_path):
    """A machine on which ``python -m venv`` makes a pip and a certbot that write to the log."""
    machine = Machine(tmp_path, "dnf", "systemctl", "nginx", "docker", "curl")
    tools = " ".join(f'"$3/bin/{name}"' for name in ("pip", "certbot"))
    log = machine.root.parent / "log"
    body = f'printf \'#!/bin/sh\\necho "$(basename "$0") $*" >>{log}\\n\''
    machine.give("python3.11", f'mkdir -p "$3/bin"; for tool in {tools}; do {body} >"$tool"; chmod 755 "$tool"; done')
    return machine


def test_certbot_is_installed_and_its_timer_is_the_only_one(renewing):
    lineage(renewing)
    code, said = renewing.run("certbot-setup.sh", files=UNITS, **CERTBOT)
    assert (code, said) == (0, "")
    calls = renewing.called()
    assert calls[:3] == [
        "dnf install -y python3.11",
        f"python3.11 -m venv {renewing.root}/opt/certbot",
        "pip install --quiet --upgrade certbot>=4.1",
    ]
    assert [call for call in calls if call.startswith("systemctl")] == [
        "systemctl disable --now certbot.timer",
        "systemctl disable --now certbot-renew.timer",
        "systemctl disable --now snap.certbot.renew.timer",
        "systemctl daemon-reload",
        "systemctl enable --now certificate-renewal.timer",
    ]
    assert "certonly" not in "".join(calls)
    assert renewing.read("etc/certificate-renewal.env") == "WEBROOT=/var/www/html\nCONTAINER=\nBACKUP_DOCUMENT=\n"


def test_a_host_without_a_certificate_gets_its_first(renewing):
    assert renewing.run("certbot-setup.sh", files=UNITS, **CERTBOT)[0] == 0
    [call] = [call for call in renewing.called("certbot ") if "certonly" in call]
    assert call == (
        "certbot certonly --non-interactive --agree-tos --email team@learning.example --webroot --webroot-path "
        f"/var/www/html --domain {HOST} --deploy-hook /usr/local/sbin/certificate-deployed"
    )


def test_a_second_setup_only_brings_certbot_up_to_date(renewing):
    lineage(renewing)
    renewing.run("certbot-setup.sh", files=UNITS, **CERTBOT)
    renewing.called()
    assert renewing.run("certbot-setup.sh", files=UNITS, **CERTBOT)[0] == 0
    assert renewing.called("p") == ["pip install --quiet --upgrade certbot>=4.1"]


def test_on_ubuntu_the_system_s_own_python_is_taken(renewing):
    renewing.take_away("dnf")
    renewing.give("apt-get")
    renewing.give("python3", (renewing.root.parent / "does/python3.11").read_text())
    lineage(renewing)
    assert renewing.run("certbot-setup.sh", files=UNITS, **CERTBOT)[0] == 0
    assert renewing.called()[:2] == [
        "apt-get install -y python3-venv",
        f"python3 -m venv {renewing.root}/opt/certbot",
    ]


def test_the_timer_asks_twice_a_day_at_a_time_of_its_own():
    timer = plan.read("certificate-renewal.timer")
    assert re.search(r"^OnCalendar=\*-\*-\* 00,12:00:00$", timer, re.MULTILINE)
    assert re.search(r"^RandomizedDelaySec=6h$", timer, re.MULTILINE)
    service = plan.read("certificate-renewal.service")
    assert "--webroot --webroot-path ${WEBROOT} --deploy-hook /usr/local/sbin/certificate-deployed" in service
    assert "stop" not in service


def deployed(machine, *, container="", backup=""):
    (machine.root / "etc/certificate-renewal.env").write_text(f"CONTAINER={container}\nBACKUP_DOCUMENT={backup}\n")
    return machine.run("certificate-deployed.sh")[0], machine.called()


def test_a_renewed_certificate_is_tested_and_read(renewing):
    assert deployed(renewing) == (0, ["nginx -t", "systemctl reload nginx"])
    assert deployed(renewing, container="web") == (0, ["docker exec web nginx -t", "docker exec web nginx -s reload"])


def test_what_nginx_refuses_is_not_read(renewing):
    renewing.give("nginx", REFUSES)
    assert deployed(renewing) == (1, ["nginx -t"])


def test_a_renewed_certificate_is_backed_up(renewing):
    renewing.give(
        "curl", "case $* in *instance-id) echo i-0a1b2c3d4e5f60718 ;; *region) echo us-east-1 ;; *) echo pass ;; esac"
    )
    code, calls = deployed(renewing, backup="configuration-backup")
    assert code == 0
    [call] = [call for call in calls if call.startswith("aws")]
    assert call.startswith("aws ssm send-command ")
    assert json.loads(call.split(" ", 3)[3]) == {
        "region": "us-east-1",
        "document-name": "configuration-backup",
        "instance-ids": "i-0a1b2c3d4e5f60718",
    }


def test_the_drill_touches_no_certificate(renewing):
    lineage(renewing)
    renewing.run("certbot-setup.sh", files=UNITS, **CERTBOT)
    renewing.called()
    assert renewing.run("certbot-drill.sh", WEBROOT="/var/www/html")[0] == 0
    assert renewing.called() == ["certbot renew --dry-run --non-interactive --webroot --webroot-path /var/www/html"]
