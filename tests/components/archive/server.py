"""A server in a folder: the scripts run for real, with a bucket that is a folder and commands that stand in for AWS."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from components.archive import plan

INSTANCE = "i-0123456789abcdef0"
HOSTS = "hosts/arn:aws:ec2:us-east-1:210987654321:instance/"

_AWS = """\
#!/bin/bash
set -euo pipefail
printf '%s\\n' "$*" >>"$FAKES/calls"
case "$1 $2" in
  's3 cp')
    [[ ! -e $FAKES/s3-fails ]] || { cat >/dev/null; echo 'An error occurred (AccessDenied)' >&2; exit 1; }
    from=${*: -2:1} to=${*: -1}
    if [[ $from == - ]]; then
      file=$FAKES/bucket/${to#s3://}
      mkdir -p "${file%/*}"
      cat >"$file"
    else
      cp "$FAKES/bucket/${from#s3://}" "$to"
    fi ;;
  'cloudwatch put-metric-data') ;;
  *) exit 64 ;;
esac
"""

_CURL = f"""\
#!/bin/bash
case ${{*: -1}} in
  */token) printf token ;;
  */instance-id) printf {INSTANCE} ;;
  *) exit 22 ;;
esac
"""


class Server:
    """Paths of the server lie below ``root``; ``state`` is what the scripts keep, ``fakes`` what stands in."""

    def __init__(self, folder: Path) -> None:
        self.root, self.state, self.fakes = folder / "server", folder / "state", folder / "fakes"
        self.fakes.mkdir()
        self.nginx, self.app = self.root / "etc/nginx", self.root / "opt/platform"
        self.command("aws", _AWS)
        self.command("curl", _CURL)
        self.command("sleep", "#!/bin/bash\n")
        self.place = plan.Place(
            bucket="backups",
            key_arn="arn:aws:kms:us-east-1:210987654321:key/1",
            region="us-east-1",
            hosts=HOSTS,
            namespace="learning-platform-staging-archive",
            paths=(str(self.nginx), f"{self.app}/.env*", f"{self.app}/config"),
            state=str(self.state),
        )

    def furnish(self) -> None:
        """The configuration of a server that works."""
        self.write(self.nginx / "nginx.conf", "events {}\n")
        self.write(self.nginx / "conf.d/site.conf", "server { listen 80; }\n")
        self.write(self.nginx / "conf.d/with space.conf", "# odd but right\n")
        (self.nginx / "conf.d/current.conf").symlink_to("site.conf")
        (self.nginx / "modules").symlink_to("/usr/lib64/nginx/modules")
        self.write(self.app / ".env", "DATABASE_PASSWORD=hunter2\n", mode=0o600)
        self.write(self.app / "config/app.json", "{}\n", mode=0o640)
        self.write(self.app / "config/tls/key.pem", "-----BEGIN PRIVATE KEY-----\n", mode=0o600)
        self.write(self.app / "code.py", "print()\n")

    def write(self, path: Path, text: str, *, mode: int = 0o644) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)

    def command(self, name: str, text: str) -> None:
        """A command that stands in front of the machine's own."""
        self.write(self.fakes / "bin" / name, text, mode=0o755)

    def save(self, how: str = "now") -> subprocess.CompletedProcess[str]:
        return self._run(plan.backup_script(self.place), how)

    def restore(self, backup: str, mode: str = "apply") -> subprocess.CompletedProcess[str]:
        return self._run(plan.restore_script(self.place, backup=backup, mode=mode))

    def _run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{self.fakes}/bin:/usr/bin:/bin", "FAKES": str(self.fakes), "HOME": str(self.fakes)}
        file = self.fakes / "script.sh"
        file.write_text(script, encoding="utf-8")
        return subprocess.run(
            ["bash", str(file), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    @property
    def objects(self) -> dict[str, bytes]:
        """Key -> content of everything in the bucket."""
        bucket = self.fakes / "bucket/backups"
        return {str(path.relative_to(bucket)): path.read_bytes() for path in bucket.rglob("*") if path.is_file()}

    @property
    def calls(self) -> list[str]:
        """The commands that AWS was given."""
        file = self.fakes / "calls"
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []

    @property
    def metrics(self) -> list[dict[str, float]]:
        """Name -> value of what each run told."""
        told = [call.split(" --metric-data ")[1] for call in self.calls if call.startswith("cloudwatch")]
        return [{one["MetricName"]: one["Value"] for one in json.loads(data)} for data in told]

    def archive(self, backup: str) -> Path:
        return self.fakes / "bucket/backups" / f"{HOSTS}{backup}.tar.gz"

    def manifest(self, backup: str) -> Path:
        return self.fakes / "bucket/backups" / f"{HOSTS}{backup}.manifest"

    def tree(self) -> dict[str, tuple[int, int, bytes]]:
        """Path -> type and mode, owner, content or target of everything on the server."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            status = path.lstat()
            if path.is_symlink():
                content = os.fsencode(path.readlink())
            else:
                content = path.read_bytes() if path.is_file() else b""
            found[str(path.relative_to(self.root))] = (status.st_mode, status.st_uid, content)
        return found


def told(done: subprocess.CompletedProcess[str]) -> str:
    """The name of the backup that a run says it has made."""
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Saved ")
    return done.stdout.removeprefix("Saved ").strip()
