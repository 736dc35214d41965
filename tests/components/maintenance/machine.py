"""A machine to run scripts on: a folder as its root, and only those commands that it is given."""

import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path

from components.maintenance import plan

#: What every machine has, and the scripts may use.
_REAL = (
    *("basename", "bash", "cat", "chmod", "cp", "date", "dd", "dirname", "find", "grep", "gzip", "install", "mkdir"),
    *("mktemp", "mv", "openssl", "readlink", "rm", "sed", "sleep", "tar"),
)

#: Writes its arguments to the log. What a command does besides stands in a file of its name in ``does``.
_FAKE = """\
#!{bash}
printf '%s\\n' "{name} $*" >>"{log}"
[[ ! -e "{does}/{name}" ]] || . "{does}/{name}"
"""

#: The parts of the AWS command line that the scripts use, with a bucket that is a folder.
_AWS = """\
#!{python}
import json, sys
from pathlib import Path
import jmespath
store = Path({store!r})
service, action, *rest = sys.argv[1:]
options, plain = {{}}, []
while rest:
    word = rest.pop(0)
    if word.startswith("--"):
        options[word[2:]] = rest.pop(0)
    else:
        plain.append(word)
with open({log!r}, "a") as log:
    log.write(" ".join(["aws", service, action, json.dumps(options, sort_keys=True)]) + "\\n")
versions = json.loads((store / "versions").read_text()) if (store / "versions").exists() else []
if action == "put-object":
    number = f"v{{len(list(store.glob('body-*')))}}"
    (store / f"body-{{number}}").write_bytes(Path(options["body"]).read_bytes())
    versions = [dict(old, IsLatest=False) for old in versions]
    versions.append({{"Key": options["key"], "VersionId": number, "IsLatest": True}})
elif action == "get-object":
    assert any(one["VersionId"] == options["version-id"] for one in versions)
    Path(plain[0]).write_bytes((store / f"body-{{options['version-id']}}").read_bytes())
elif action == "delete-object":
    versions = [one for one in versions if one["VersionId"] != options["version-id"]]
elif action == "list-object-versions":
    found = [one for one in versions if one["Key"].startswith(options["prefix"])]
    said = jmespath.search(options["query"], {{"Versions": found}} if found else {{}})
    print("None" if said is None else "\\t".join(said))
(store / "versions").write_text(json.dumps(versions))
"""


class Machine:
    """``root``: its file system. ``run`` runs one of the component's scripts there."""

    def __init__(self, folder: Path, *fakes: str) -> None:
        self.root, self.store = folder / "root", folder / "store"
        self._bin, self._does, self._log = folder / "bin", folder / "does", folder / "log"
        for made in (self.root / "etc", self.root / "run", self.store, self._bin, self._does):
            made.mkdir(parents=True, exist_ok=True)
        for name in _REAL:
            (self._bin / name).symlink_to(shutil.which(name))
        for name in fakes:
            self.give(name)
        self._executable("aws", _AWS.format(python=sys.executable, store=str(self.store), log=str(self._log)))

    def give(self, name: str, does: str | None = None) -> None:
        """A command that is there, and does nothing but what ``does``, a piece of a script, says."""
        bash = shutil.which("bash")
        self._executable(name, _FAKE.format(bash=bash, name=name, log=self._log, does=self._does))
        if does is not None:
            (self._does / name).write_text(does)

    def take_away(self, name: str) -> None:
        (self._bin / name).unlink()

    def _executable(self, name: str, text: str) -> None:
        path = self._bin / name
        path.write_text(text)
        path.chmod(0o755)

    def run(self, name: str, *arguments: str, files: dict[str, str] | None = None, **variables: str):
        """Exit code, and what it wrote to both of its streams."""
        script = self.root.parent / "script.sh"
        script.write_text(plan.script(name, variables, files))
        done = subprocess.run(
            ["bash", str(script), *arguments],
            env={
                "PATH": str(self._bin),
                "MAINTENANCE_ROOT": str(self.root),
                "MAINTENANCE_PAUSE": "0",
                "MAINTENANCE_SWAP_MB": "1",
                "TMPDIR": str(self.root.parent),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.returncode, done.stdout + done.stderr

    def called(self, command: str = "") -> list[str]:
        """The calls since this was last asked, without those of other commands than ``command``."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        self._log.write_text("")
        return [line for line in lines if line.startswith(command)]

    def asked(self) -> list[tuple[str, dict[str, str]]]:
        """The calls of AWS since calls were last asked for: action and options."""
        calls = [line.split(" ", 3) for line in self.called("aws ")]
        return [(action, json.loads(options)) for _, _, action, options in calls]

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def mode(self, path: str) -> str:
        return oct(stat.S_IMODE((self.root / path).stat().st_mode))
