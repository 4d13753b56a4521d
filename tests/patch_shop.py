"""Real folders, with and without git, in which patches of answers are made and then really applied."""

import hashlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from smista_mcp.context.patches.grounds import Grounds
from smista_mcp.context.patches.making import Made, NotMade, Workshop, make
from smista_mcp.context.repository import git_alone
from smista_mcp.context.secretlabels import SecretLabels
from smista_mcp.context.survey import Caps, Survey
from smista_mcp.core.floor import Sight
from smista_mcp.core.globs import GlobSet
from smista_mcp.core.secretscan.memory import Scans

ENVIRON = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}


def git(root: Path, *arguments: str, given: bytes | None = None) -> "subprocess.CompletedProcess[bytes]":
    """Runs git as a host would."""
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "core.autocrlf=false"]
    environ = {"PATH": os.environ["PATH"], "HOME": str(root), "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(
        ["git", *who, *arguments], cwd=root, input=given, env=environ, capture_output=True, check=False
    )


@dataclass
class Shop:
    """A workspace below a folder of a test."""

    root: Path
    restricted: tuple[str, ...] = (".env", "secrets/**")
    environ: Mapping[str, str] = None  # pyright: ignore[reportAssignmentType]

    def __post_init__(self) -> None:
        self.root = self.root.resolve()
        self.environ = self.environ or ENVIRON

    def repository(self) -> "Shop":
        """The same folder under git, with all that is in it committed."""
        git(self.root, "init", "--quiet")
        git(self.root, "add", "--all")
        git(self.root, "commit", "--quiet", "--allow-empty", "--message", "begin")
        return self

    def write(self, name: str, text: str | bytes) -> Path:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return file

    def made(
        self,
        answer: str,
        *,
        shown: Sequence[str] | None = None,
        single: str | None = None,
        remote: bool = True,
        given: Sequence[str] = (),
        earlier: Sequence[Made] = (),
    ) -> Made | NotMade:
        """What becomes of an answer; by default its model has seen every file whole."""
        guard = GlobSet(self.restricted, ignore_case=True)
        survey = Survey(self.root, guard, Caps(), self.environ)

        def judge(forms: Sequence[str]) -> Sight | None:
            found = next((form for form in forms if guard.hits(form)), None)
            return Sight("restricted") if found else None

        if shown is None:
            files = [file for file in self.root.rglob("*") if file.is_file() and ".git" not in file.parts]
            shown = [file.read_bytes().decode("utf-8", "replace") for file in files]
        after = {name: text for one in earlier for name, text in one.after.items()}
        labels = SecretLabels(Scans())
        grounds = Grounds(survey, judge, labels, remote=remote, given=frozenset(given), before=after)
        proving = survey.repository or git_alone(self.root, self.environ, 10.0)
        above = survey.above if survey.repository else ""
        return make(answer, Workshop(grounds, proving, above, [one.patch for one in earlier], shown, single))

    def state(self) -> dict[str, tuple[int, str]]:
        """Everything below the root, git's own files too: mode and hash (or target) of each."""
        found: dict[str, tuple[int, str]] = {}
        for path in sorted(self.root.rglob("*")):
            facts = path.lstat()
            if path.is_symlink():
                told = str(path.readlink())
            else:
                told = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[str(path.relative_to(self.root))] = (facts.st_mode, f"{told} {facts.st_mtime_ns}")
        return found

    def apply(self, patch: str, *, at: str = "") -> None:
        """Applies a patch as a host would."""
        ran = git(self.root / at, "apply", "-", given=patch.encode())
        assert ran.returncode == 0, ran.stderr.decode()

    def files(self) -> dict[str, str]:
        """The files of the workspace, with their line ends."""
        found = (path for path in self.root.rglob("*") if path.is_file() and ".git" not in path.parts)
        return {path.relative_to(self.root).as_posix(): path.read_bytes().decode() for path in found}


def patch_of(made: Made | NotMade) -> Made:
    assert isinstance(made, Made), made
    return made


def why(made: Made | NotMade) -> str:
    assert isinstance(made, NotMade), made
    return made.why
