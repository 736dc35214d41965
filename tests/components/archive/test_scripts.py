"""What a server does when it saves and restores its configuration; the scripts run for real."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import tarfile

import pytest

from components.archive import plan
from tests.components.archive.server import HOSTS, INSTANCE, Server, told

SECRETS = ("hunter2", "PRIVATE KEY")


@pytest.fixture
def server(tmp_path):
    made = Server(tmp_path)
    made.furnish()
    return made


def private(folder):
    """What of ``folder`` others than its owner may open."""
    return [str(path) for path in [folder, *folder.rglob("*")] if not path.is_symlink() and path.stat().st_mode & 0o077]


def left(server):
    """What the scripts leave behind beside marks."""
    return sorted(path.name.partition(".")[0] for path in server.state.iterdir() if path.is_dir())


def forge(server, backup, change, *, honest=False):
    """Rewrites an archive, entry by entry; ``honest``: with the manifest that it would have had."""
    archive, manifest = server.archive(backup), server.manifest(backup)
    with tarfile.open(archive) as old:
        entries = [(entry, old.extractfile(entry).read() if entry.isreg() else None) for entry in old]
    with tarfile.open(archive, "w:gz", format=tarfile.PAX_FORMAT) as new:
        for entry, content in change(entries):
            new.addfile(entry, io.BytesIO(content) if content is not None else None)
    if honest:
        data = archive.read_bytes()
        environment = {**os.environ, "TZ": "UTC", "LC_ALL": "C"}
        listing = subprocess.run(
            ["tar", "--list", "--verbose", "--full-time", "--gzip"],
            input=data,
            env=environment,
            capture_output=True,
            check=True,
        ).stdout
        manifest.write_bytes(hashlib.sha256(data).hexdigest().encode() + b"\n" + listing)


def entry(name, **values):
    made = tarfile.TarInfo(name)
    made.uname, made.gname = "root", "root"
    for key, value in values.items():
        setattr(made, key, value)
    return made


def test_a_restore_brings_back_every_byte_mode_and_link(server):
    before = server.tree()
    backup = told(server.save())
    shutil.rmtree(server.nginx)
    (server.app / ".env").write_text("DATABASE_PASSWORD=wrong\n")
    (server.app / "config/app.json").chmod(0o600)
    (server.app / "config/added.json").write_text("{}")
    done = server.restore(backup)
    assert done.returncode == 0, done.stderr
    assert server.tree() == before


def test_a_backup_is_encrypted_checked_and_lies_below_the_servers_own_arn(server):
    backup = told(server.save())
    assert re.fullmatch(rf"{INSTANCE}/\d{{8}}T\d{{6}}Z", backup)
    assert set(server.objects) == {f"{HOSTS}{backup}.tar.gz", f"{HOSTS}{backup}.manifest"}
    uploads = [call for call in server.calls if call.startswith("s3 cp")]
    options = (
        f"s3 cp --only-show-errors --sse aws:kms --sse-kms-key-id {server.place.key_arn} --checksum-algorithm SHA256 -"
    )
    # The manifest is last: without it there is no backup.
    assert uploads == [f"{options} s3://backups/{HOSTS}{backup}.{part}" for part in ("tar.gz", "manifest")]


def test_the_manifest_holds_the_checksum_and_every_mode_and_no_content(server):
    backup = told(server.save())
    checksum, *entries = server.manifest(backup).read_text().splitlines()
    assert checksum == hashlib.sha256(server.archive(backup).read_bytes()).hexdigest()
    modes = {line.split("/")[-1]: line[:10] for line in entries if not line.startswith("d")}
    assert modes == {
        ".env": "-rw-------",
        "app.json": "-rw-r-----",
        "key.pem": "-rw-------",
        "nginx.conf": "-rw-r--r--",
        "site.conf": "-rw-r--r--",
        "with space.conf": "-rw-r--r--",
        "current.conf -> site.conf": "lrwxrwxrwx",
        "modules": "lrwxrwxrwx",
    }
    assert not [secret for secret in SECRETS if secret in server.manifest(backup).read_text()]


def test_only_what_is_configuration_is_saved(server):
    backup = told(server.save())
    with tarfile.open(server.archive(backup)) as archive:
        names = archive.getnames()
    assert not [name for name in names if name.endswith("code.py")]


def test_two_backups_of_the_same_configuration_are_the_same_archive(server):
    first = told(server.save())
    content = server.archive(first).read_bytes()
    server.archive(first).unlink()
    assert server.archive(told(server.save())).read_bytes() == content


def test_nothing_readable_stays_on_disk_and_no_secret_is_told(server):
    done = server.save()
    assert private(server.state) == []
    kept = b"".join(path.read_bytes() for path in server.state.rglob("*") if path.is_file())
    assert left(server) == []
    for secret in SECRETS:
        assert secret not in done.stdout + done.stderr
        assert secret.encode() not in kept


def test_a_server_without_configuration_has_nothing_to_lose(tmp_path):
    server = Server(tmp_path)
    done = server.save()
    assert done.returncode == 0
    (metrics,) = server.metrics
    assert (metrics["ConfigurationBackupAge"] < 60, metrics["ConfigurationBackupFailures"]) == (True, 0)
    assert done.stdout.startswith("Nothing to save: none of ")


def test_configuration_that_is_gone_is_no_empty_backup(server):
    told(server.save())
    shutil.rmtree(server.root)
    done = server.save("watch")
    assert done.returncode == 1
    assert "nothing of what was saved before is there any more" in done.stderr
    assert server.metrics[-1]["ConfigurationBackupFailures"] == 1


def test_a_look_saves_what_has_changed_and_only_that(server):
    told(server.save("watch"))
    assert server.save("watch").stdout == ""
    assert len(server.objects) == 2
    (server.app / "config/app.json").chmod(0o600)
    time_goes_on(server)
    told(server.save("watch"))
    (server.nginx / "conf.d/deeper").mkdir()
    server.write(server.nginx / "conf.d/deeper/new.conf", "")
    time_goes_on(server)
    told(server.save("watch"))
    (server.nginx / "nginx.conf").unlink()
    time_goes_on(server)
    told(server.save("watch"))
    assert server.save("watch").stdout == ""


def time_goes_on(server):
    """Two backups of a second would have one name; moves the ones there are to a time before."""
    folder = server.fakes / "bucket/backups" / HOSTS / INSTANCE
    for path in list(folder.iterdir()):
        path.rename(folder / f"{int(path.name[:8]) - 10000}{path.name[8:]}")


def test_certbots_lock_is_no_change(server):
    told(server.save())
    server.write(server.nginx / ".certbot.lock", "")
    assert server.save("watch").stdout == ""


def test_a_change_that_goes_on_is_left_to_the_next_look(server):
    told(server.save())
    server.command("sleep", f"#!/bin/bash\necho >>'{server.nginx}/nginx.conf'\n")
    server.write(server.nginx / "nginx.conf", "half of")
    assert (server.save("watch").stdout, len(server.objects)) == ("", 2)
    server.command("sleep", "#!/bin/bash\n")
    time_goes_on(server)
    told(server.save("watch"))


def test_a_file_that_changes_while_it_is_read_is_read_again(server):
    gzip = shutil.which("gzip")
    server.command(
        "gzip",
        f"""#!/bin/bash
if [[ $1 == -n && ! -e $FAKES/changed ]]; then touch "$FAKES/changed"; echo more >>'{server.nginx}/nginx.conf'; fi
exec {gzip} "$@"
""",
    )
    backup = told(server.save())
    archives = [call for call in server.calls if call.endswith(".tar.gz")]
    assert len(archives) == 2
    with tarfile.open(server.archive(backup)) as archive:
        content = archive.extractfile(str(server.nginx / "nginx.conf").lstrip("/")).read()
    assert content == b"events {}\nmore\n"


def test_a_backup_that_cannot_be_stored_fails_loudly(server):
    (server.fakes / "s3-fails").touch()
    done = server.save()
    assert done.returncode == 1
    assert "three attempts failed" in done.stderr
    assert [metrics["ConfigurationBackupFailures"] for metrics in server.metrics] == [1]
    assert left(server) == []
    (server.fakes / "s3-fails").unlink()
    told(server.save("watch"))
    assert server.metrics[-1]["ConfigurationBackupFailures"] == 0


def test_the_age_counts_from_the_last_backup(server):
    told(server.save())
    old = (server.state / "succeeded").stat().st_mtime - 1000
    os.utime(server.state / "succeeded", (old, old))
    server.save("watch")
    assert 1000 <= server.metrics[-1]["ConfigurationBackupAge"] < 1100


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda s: (s.app / ".env").chmod(0o644), "a secret that every user may open"),
        (lambda s: (s.app / "config/tls/key.pem").chmod(0o604), "a secret that every user may open"),
        (lambda s: (s.nginx / "nginx.conf").chmod(0o666), "anybody may write to"),
        (lambda s: (s.nginx / "nginx.conf").chmod(0o4755), "runs as another user"),
        (lambda s: os.mkfifo(s.nginx / "pipe"), "neither file, folder nor link"),
        (lambda s: (s.nginx / "shadow").symlink_to("/etc/shadow"), "leads outside, to /etc/shadow"),
        (lambda s: (s.nginx / "up").symlink_to("../../code.py"), "leads outside, to"),
        (lambda s: s.write(s.nginx / "line\nbreak", ""), "odd characters"),
    ],
)
def test_what_could_not_be_restored_is_not_saved(server, spoil, said):
    spoil(server)
    done = server.save()
    assert done.returncode == 1
    assert said in done.stderr
    assert not [call for call in server.calls if call.endswith(".manifest")]
    assert [metrics["ConfigurationBackupFailures"] for metrics in server.metrics] == [1]


def test_a_check_tells_the_differences_and_changes_nothing(server):
    backup = told(server.save())
    server.write(server.nginx / "nginx.conf", "events { }\n")
    server.write(server.nginx / "added.conf", "")
    (server.app / ".env").unlink()
    before = server.tree()
    done = server.restore(backup, "check")
    assert done.returncode == 0, done.stderr
    assert server.tree() == before
    assert done.stdout.splitlines() == [
        f"Only in {server.nginx}: added.conf",
        f"Files {server.nginx}/nginx.conf and backup:{server.nginx}/nginx.conf differ",
        f"Only in the backup: {server.app}/.env",
        f"{backup} can be restored; nothing was changed",
    ]
    assert left(server) == []


def test_what_is_replaced_is_kept_and_only_the_last_of_it(server):
    backup = told(server.save())
    server.write(server.nginx / "nginx.conf", "first\n")
    server.restore(backup)
    server.write(server.nginx / "nginx.conf", "second\n")
    server.command("date", "#!/bin/bash\necho 20990101T000000Z\n")
    done = server.restore(backup)
    assert done.returncode == 0, done.stderr
    (kept,) = server.state.glob("replaced.*")
    assert (kept / f"old{server.nginx}/nginx.conf").read_text() == "second\n"
    assert sorted(path.name for path in kept.iterdir()) == ["old"]
    assert done.stdout.splitlines()[-2:] == [
        f"Restored {backup}; what it replaced is in {kept}/old",
        "Nothing was restarted: the application, and nginx, may be now",
    ]


def test_another_server_can_take_the_configuration_over(server):
    before = server.tree()
    backup = told(server.save())
    shutil.rmtree(server.root)
    server.write(server.app / "code.py", "print()\n")
    shutil.rmtree(server.state)
    assert server.restore(backup).returncode == 0
    assert server.tree() == before


def test_a_tampered_archive_is_refused(server):
    backup = told(server.save())
    before = server.tree()
    data = bytearray(server.archive(backup).read_bytes())
    data[len(data) // 2] ^= 1
    server.archive(backup).write_bytes(data)
    done = server.restore(backup)
    assert (done.returncode, server.tree(), left(server)) == (1, before, [])
    assert "the archive is not the one that was saved" in done.stderr


@pytest.mark.parametrize("manifest", ["", "x\n", f"{'0' * 64}\n"])
def test_a_manifest_that_is_no_manifest_is_refused(server, manifest):
    backup = told(server.save())
    server.manifest(backup).write_text(manifest)
    assert server.restore(backup).returncode == 1


def test_an_archive_without_a_manifest_is_no_backup(server):
    backup = told(server.save())
    server.manifest(backup).unlink()
    before = server.tree()
    assert (server.restore(backup).returncode, server.tree()) == (1, before)


def test_modes_wider_than_the_manifests_are_refused(server):
    backup = told(server.save())
    checksum, rest = server.manifest(backup).read_text().split("\n", 1)
    server.manifest(backup).write_text(f"{checksum}\n{rest.replace('-rw-r-----', '-rw-------')}")
    done = server.restore(backup)
    assert done.returncode == 1
    assert "entries, owners or modes differ from the manifest" in done.stderr


def inside(server, name):
    return f"{str(server.nginx).lstrip('/')}/{name}"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda _: [(entry("etc/cron.d/job", size=1), b"x")], "none of the configured paths: /etc/cron.d/job"),
        (lambda s: [(entry(f"/{inside(s, 'x')}", size=1), b"x")], "a path that leaves its folder"),
        (lambda s: [(entry(inside(s, "../../../job"), size=1), b"x")], "a path that leaves its folder"),
        (lambda s: [(entry(inside(s, "./x"), size=1), b"x")], "a path that leaves its folder"),
        (lambda s: [(entry(inside(s, "x"), type=tarfile.CHRTYPE, devmajor=1, devminor=3), None)], "neither file"),
        (lambda s: [(entry(inside(s, "x"), type=tarfile.FIFOTYPE), None)], "neither file"),
        (lambda s: [(entry(inside(s, "x"), type=tarfile.SYMTYPE, linkname="/root"), None)], "leads outside, to /root"),
        (
            lambda s: [(entry(inside(s, "x"), type=tarfile.SYMTYPE, linkname="../../../.."), None)],
            "leads outside, to ",
        ),
        (lambda s: [(entry(inside(s, "x"), type=tarfile.LNKTYPE, linkname="etc/shadow"), None)], "none of the conf"),
        (lambda s: [(entry(inside(s, "a -> b"), type=tarfile.SYMTYPE, linkname="c"), None)], "cannot be told"),
        (lambda s: [(entry(inside(s, "x"), mode=0o4755, size=1), b"x")], "runs as another user"),
        (lambda s: [(entry(inside(s, "x"), mode=0o777, type=tarfile.DIRTYPE), None)], "anybody may write"),
        (lambda s: [(entry(inside(s, "x"), uname="nobody-knows", size=1), b"x")], "no such owner: passwd nobody-knows"),
        (
            lambda s: [(entry(inside(s, "k.pem"), mode=0o644, size=27), b"-----BEGIN PRIVATE KEY-----")],
            "a secret that every user may open",
        ),
        # Twice the same file: the listing holds both, the server only the last.
        (lambda s: [(entry(inside(s, "nginx.conf"), size=1), b"x")], "what was extracted differs from the archive"),
        (
            # A link to what packages install, and a file through it.
            lambda s: [
                (entry(inside(s, "x"), type=tarfile.SYMTYPE, linkname="/usr/share"), None),
                (entry(inside(s, "x/evil"), size=1), b"x"),
            ],
            "Cannot open: Not a directory",
        ),
    ],
)
def test_what_no_server_would_have_saved_is_refused_even_with_a_right_manifest(server, make, said):
    backup = told(server.save())
    before = server.tree()
    forge(server, backup, lambda entries: [*entries, *make(server)], honest=True)
    done = server.restore(backup)
    assert (done.returncode != 0, server.tree(), left(server)) == (True, before, [])
    assert said in done.stderr


def test_an_archive_of_nothing_is_refused(server):
    backup = told(server.save())
    forge(server, backup, lambda _: [], honest=True)
    done = server.restore(backup)
    assert done.returncode == 1
    assert "the archive is empty" in done.stderr


def test_a_configuration_that_nginx_refuses_is_taken_back(server):
    backup = told(server.save())
    server.write(server.nginx / "nginx.conf", "what serves now\n")
    server.write(server.app / ".env.local", "A=1\n", mode=0o600)
    (server.app / ".env").unlink()
    before = server.tree()
    server.command(
        "nginx",
        f"""#!/bin/bash
cat '{server.nginx}/nginx.conf' >"$FAKES/judged"
echo 'nginx: [emerg] unknown directive' >&2
exit 1
""",
    )
    done = server.restore(backup)
    assert (done.returncode, server.tree(), left(server)) == (1, before, [])
    assert (server.fakes / "judged").read_text() == "events {}\n"
    assert done.stderr.endswith("nginx refuses the restored configuration; the one before is back\n")
    assert "Restored" not in done.stdout


def test_a_configuration_that_nginx_accepts_stays(server):
    backup = told(server.save())
    server.write(server.nginx / "nginx.conf", "broken\n")
    server.command("nginx", '#!/bin/bash\n[[ $* == -t ]] && printf "%s\\n" "$*" >"$FAKES/nginx"\n')
    assert server.restore(backup).returncode == 0
    assert (server.nginx / "nginx.conf").read_text() == "events {}\n"
    # It is asked and never reloaded.
    assert (server.fakes / "nginx").read_text() == "-t\n"


@pytest.mark.parametrize("signal", ["TERM", "INT", "HUP"])
def test_an_interrupted_restore_leaves_what_was_there(server, signal):
    backup = told(server.save())
    server.write(server.nginx / "nginx.conf", "what serves now\n")
    before = server.tree()
    server.command("nginx", f"#!/bin/bash\nkill -{signal} $PPID\n")
    done = server.restore(backup)
    assert (done.returncode > 128, server.tree(), left(server)) == (True, before, [])


@pytest.mark.parametrize("moves", range(1, 8))
@pytest.mark.parametrize("next_run", ["save", "restore"])
def test_a_restore_that_is_killed_at_any_point_is_undone_by_whatever_runs_next(server, moves, next_run):
    backup = told(server.save())
    server.write(server.nginx / "nginx.conf", "what serves now\n")
    (server.app / ".env").unlink()
    before = server.tree()
    mv = shutil.which("mv")
    server.command(
        "mv",
        f"""#!/bin/bash
[[ -e $FAKES/spared ]] || {{ echo x >>"$FAKES/moves"; [[ $(wc -l <"$FAKES/moves") -lt {moves} ]] || kill -9 $PPID; }}
[[ $(wc -l <"$FAKES/moves") -ge {moves} && ! -e $FAKES/spared ]] || exec {mv} "$@"
""",
    )
    server.command("nginx", "#!/bin/bash\nkill -9 $PPID\n")
    assert server.restore(backup).returncode == -9
    (server.fakes / "spared").touch()
    time_goes_on(server)
    older = f"{INSTANCE}/{int(backup.split('/')[1][:8]) - 10000}{backup.split('/')[1][8:]}"
    done = server.save() if next_run == "save" else server.restore(older, "check")
    assert done.returncode == 0, done.stderr
    assert (server.tree(), left(server)) == (before, [])


def test_two_runs_never_meet(server):
    server.state.mkdir()
    server.command("flock", '#!/bin/bash\nprintf \'%s\\n\' "$*" >"$FAKES/flock"\nexit 1\n')
    done = server.save()
    assert done.returncode == 1
    assert "another run has held" in done.stderr
    assert (server.fakes / "flock").read_text() == "--wait 300 9\n"
    assert server.objects == {}


@pytest.mark.parametrize("backup", ["", "i-0123456789abcdef0", "../x/20260101T000000Z", "i-0123456789abcdef0/../x"])
def test_a_backup_is_named_by_instance_and_time(server, backup):
    done = server.restore(backup)
    assert done.returncode == 1
    assert not server.calls
    assert "not of the form <instance id>/<time>" in done.stderr


def test_a_mode_is_one_of_two(server):
    done = server.restore(f"{INSTANCE}/20260101T000000Z", "force")
    assert (done.returncode, server.calls) == (1, [])


@pytest.mark.parametrize("which", ["backup", "restore", "install"])
def test_a_shell_reads_the_scripts_and_finds_no_fault(server, which, tmp_path):
    texts = {
        "backup": plan.backup_script(server.place),
        "restore": plan.restore_script(server.place, backup="i-0/1", mode="check"),
        "install": "\n".join(
            plan.backup_document(server.place, watch_minutes=5)["mainSteps"][0]["inputs"]["runCommand"]
        )
        + "\n",
    }
    script = tmp_path / f"{which}.sh"
    script.write_text(texts[which])
    checks = [["bash", "-n"], *([["shellcheck"]] if shutil.which("shellcheck") else [])]
    for check in checks:
        done = subprocess.run([*check, str(script)], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
