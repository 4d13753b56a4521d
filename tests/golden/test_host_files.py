"""Files as real users have them, before and after `install`: nothing else changes, `uninstall` gives them back."""

import json
import os
import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smista_mcp.errors import InvalidTask
from smista_mcp.hostfiles.changes import (
    Target,
    install_entry,
    install_note,
    uninstall_entries,
    uninstall_note,
)
from smista_mcp.hostfiles.files import MAX_BYTES, write_user_file
from smista_mcp.hostfiles.jsontext import read
from smista_mcp.hostfiles.places import HOST_FILES, HostFile, host_file, roots

BOM = b"\xef\xbb\xbf"
GOLDEN = Path(__file__).parent / "hostfiles"
COMMAND = ("/opt/tools/bin/smista-mcp", "serve-stdio")
NAMES = ("ANTHROPIC_API_KEY", "SMISTA_HOME")
WRITTEN = tuple(row.host for row in HOST_FILES if row.writes)


def target(row: HostFile, home: Path) -> Target:
    return Target(row, row.user, roots(home, {}, "linux"))


def laid(host: str, home: Path) -> tuple[Target, Path]:
    """The host's file of the golden folder in a home of its own."""
    row = host_file(host)
    assert row
    meant = target(row, home)
    (before,) = GOLDEN.glob(f"{host}.before.*")
    file = meant.files[0] if before.suffix == meant.files[0].suffix else meant.files[-1]
    if host == "claude-code":
        file = home / ".claude.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(before, file)
    return meant, file


def value(row: HostFile, data: bytes) -> Any:
    text = data.decode("utf-8-sig")
    return tomllib.loads(text) if row.form == "toml" else read(text, comments=row.form == "jsonc")


@pytest.mark.parametrize("host", WRITTEN)
def test_a_users_file_gets_the_entry_and_nothing_else(host: str, tmp_path: Path) -> None:
    meant, file = laid(host, tmp_path)
    before = file.read_bytes()
    change = install_entry(meant, COMMAND, NAMES)
    assert change.file.path == file
    write_user_file(change.file, change.data)
    (golden,) = GOLDEN.glob(f"{host}.after.*")
    assert file.read_bytes() == golden.read_bytes()
    keys = meant.row.keys
    expected = value(meant.row, before)
    expected.setdefault(keys[0], {})[keys[1]] = json.loads(json.dumps(meant.row.entry(COMMAND, NAMES)))
    assert value(meant.row, file.read_bytes()) == expected


@pytest.mark.parametrize("host", WRITTEN)
def test_twice_is_once(host: str, tmp_path: Path) -> None:
    meant, _ = laid(host, tmp_path)
    change = install_entry(meant, COMMAND, NAMES)
    write_user_file(change.file, change.data)
    assert not install_entry(meant, COMMAND, NAMES).needed
    servers, name = meant.row.keys
    assert value(meant.row, change.data or b"")[servers][name] == meant.row.entry(COMMAND, NAMES)
    assert name not in value(meant.row, change.file.data or b"").get(servers, {})


@pytest.mark.parametrize("host", WRITTEN)
def test_uninstall_gives_the_file_back(host: str, tmp_path: Path) -> None:
    meant, file = laid(host, tmp_path)
    before = file.read_bytes()
    change = install_entry(meant, COMMAND, NAMES)
    write_user_file(change.file, change.data)
    (without,) = uninstall_entries(meant)
    write_user_file(without.file, without.data)
    assert file.read_bytes() == before
    assert not uninstall_entries(meant)


def _trailing(text: str) -> str:
    """With a comma behind the last member."""
    return re.sub(r"([^,{\s])(\s*\}\s*)\Z", r"\1,\2", text)


def linked(text: str) -> str:
    """As it is, in a folder of dotfiles."""
    return text


SHAPES: dict[str, Callable[[str], str | None]] = {
    "linked": linked,
    "no file": lambda _: None,
    "empty": lambda _: "",
    "blank": lambda _: "\n\n",
    "CRLF": lambda text: text.replace("\r\n", "\n").replace("\n", "\r\n"),
    "BOM": lambda text: "\ufeff" + text.removeprefix("\ufeff"),
    "BOM, CRLF": lambda text: "\ufeff" + text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\n", "\r\n"),
    "no line end": str.rstrip,
    "blank lines": lambda text: "\n\n" + text.removeprefix("\ufeff") + "\n\n\n",
    "tabs": lambda text: text.replace("    ", "\t"),
}
OF_JSON: dict[str, Callable[[str], str | None]] = {
    "no members": lambda _: "{}",
    "no members, two lines": lambda _: "{\n}\n",
    "one line": lambda _: '{"mcpServers":{},"servers":{},"mcp":{},"a":[{"b":"}"}]}',
    "spread thin": lambda _: '{\n\n\n  "a"  :  1\n\n  ,\n  "b" :\n  { }\n}\n',
    "other things": lambda _: '{"a": 1e5, "b": 1.0, "c": "\\u00e4\\/", "d": [1,2 ,3]}\n',
}
WITH_COMMENTS: dict[str, Callable[[str], str | None]] = {
    "trailing comma": _trailing,
    "comments around": lambda text: "// mine, don't touch\n/* {\n */" + text.removeprefix("\ufeff") + "// end\n",
    "nothing but comments inside": lambda _: '{\n  // "mcpServers": {}\n}\n',
    "a comment behind the last": lambda _: '{\n  "a": 1 // one\n  /* two */\n}',
}
ROWS = {row.host: row for row in HOST_FILES}
SHAPED = [
    pytest.param(host, shape, id=f"{host}, {name}")
    for host in WRITTEN
    for name, shape in (
        *SHAPES.items(),
        *(OF_JSON.items() if ROWS[host].form != "toml" else ()),
        *(WITH_COMMENTS.items() if ROWS[host].form == "jsonc" else ()),
    )
]


@pytest.mark.parametrize(("host", "shape"), SHAPED)
def test_whatever_shape_a_file_has_it_comes_and_goes_without_a_trace(
    host: str, shape: Callable[[str], str | None], tmp_path: Path
) -> None:
    meant, file = laid(host, tmp_path)
    row, text = meant.row, shape(file.read_bytes().decode())
    if text is None:
        file.unlink()
        file = meant.file
    elif shape is linked:
        (tmp_path / "dotfiles").mkdir()
        file.unlink()
        file.symlink_to(tmp_path / "dotfiles/settings")
    if text is not None:
        file.write_bytes(text.encode())
    others: dict[str, Any] = value(row, text.encode()) if text and text.strip() else {}
    for _ in range(1 if (text or "").strip() else 2):  # what is left of the first time does not disturb the second
        change = install_entry(meant, COMMAND, NAMES)
        write_user_file(change.file, change.data)
        assert not install_entry(meant, COMMAND, NAMES).needed
        found: dict[str, Any] = value(row, file.read_bytes())
        assert found[row.keys[0]].pop(row.keys[1]) == row.entry(COMMAND, NAMES)
        assert {key: one for key, one in found.items() if one} == {key: one for key, one in others.items() if one}
        assert file.read_bytes().startswith(BOM) == (text or "").startswith("\ufeff")
        (without,) = uninstall_entries(meant)
        write_user_file(without.file, without.data)
        assert (file.read_bytes() if file.exists() else None) == (None if text is None else text.encode())
        assert file.is_symlink() == (shape is linked)


@pytest.mark.parametrize("host", WRITTEN)
def test_what_a_host_or_a_user_writes_meanwhile_stays(host: str, tmp_path: Path) -> None:
    row = ROWS[host]
    meant = target(row, tmp_path)
    file = meant.file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("a = 1\n" if row.form == "toml" else '{"a": 1}\n', encoding="utf-8")
    change = install_entry(meant, COMMAND, NAMES)
    write_user_file(change.file, change.data)
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("a = 1", "a = 2").replace('"a": 1', '"a": 2'), encoding="utf-8")
    (without,) = uninstall_entries(meant)
    assert without.after == ("a = 2\n" if row.form == "toml" else '{"a": 2}\n')


UNFIT: dict[str, Callable[[Path], object]] = {
    "read-only": lambda file: file.chmod(0o444),
    "invalid": lambda file: file.write_text('{"a": \n[[['),
    "cut off": lambda file: file.write_bytes(file.read_bytes()[: len(file.read_bytes()) // 2].rstrip(b"\r\n") + b'\n"'),
    "UTF-16": lambda file: file.write_bytes(file.read_text("utf-8").encode("utf-16")),
    "huge": lambda file: os.truncate(file, MAX_BYTES + 1),
    "a list": lambda file: file.write_text("[]"),
    "servers that are no table": lambda file: file.write_text(
        'mcp_servers = ["x"]\n' if file.suffix == ".toml" else '{"mcpServers": 1, "servers": 1, "mcp": 1}'
    ),
}


@pytest.mark.parametrize("host", WRITTEN)
@pytest.mark.parametrize("unfit", UNFIT)
def test_a_file_that_cannot_be_changed_safely_is_refused(unfit: str, host: str, tmp_path: Path) -> None:
    meant, file = laid(host, tmp_path)
    UNFIT[unfit](file)
    before = file.stat().st_size, file.stat().st_mtime_ns
    with pytest.raises(InvalidTask) as refused:
        install_entry(meant, COMMAND, NAMES)
    assert str(file) in refused.value.message
    assert refused.value.fix
    assert (file.stat().st_size, file.stat().st_mtime_ns) == before
    assert [path.name for path in file.parent.iterdir() if path.is_file()] == [file.name]


@pytest.mark.parametrize("host", WRITTEN)
def test_what_the_user_has_set_in_the_entry_stays(host: str, tmp_path: Path) -> None:
    meant, file = laid(host, tmp_path)
    change = install_entry(meant, ("/old/smista-mcp", "serve-stdio", "--preset", "team"), NAMES)
    write_user_file(change.file, change.data)
    old = file.read_bytes()
    for ours, theirs in ((b"900", b"77"), (b'"trust": true', b'"trust": false'), (b'"alwaysLoad": true', b'"x": 1')):
        old = old.replace(ours, theirs)
    file.write_bytes(old)
    again = install_entry(meant, COMMAND, (*NAMES, "ZED_KEY"))
    assert again.after is not None
    assert '"/opt/tools/bin/smista-mcp"' in again.after
    assert "/old/" not in again.after
    assert again.after.replace("\n", "").replace(" ", "").count('"serve-stdio","--preset","team"]') == 1
    for kept in (b"77", b'"trust": false', b'"x": 1'):
        assert again.after.count(kept.decode()) == old.decode().count(kept.decode())
    assert ("ZED_KEY" in again.after) == bool({"env", "env_vars"} & meant.row.entry(COMMAND, NAMES).keys())


@pytest.mark.parametrize("host", WRITTEN)
def test_a_note_comes_and_goes_and_the_rest_stays(host: str, tmp_path: Path) -> None:
    row = host_file(host)
    assert row
    for place, within in ((row.user, None), (row.project, tmp_path / "work")):
        if place is None or not place.note:
            continue
        meant = Target(row, place, roots(tmp_path, {}, "linux", tmp_path / "work"), within)
        file = meant.note_file
        assert file
        created = install_note(meant)
        assert created
        write_user_file(created.file, created.data)
        gone = uninstall_note(meant)
        assert gone
        assert gone.after is None
        write_user_file(gone.file, None)
        assert not file.exists()
        file.write_bytes(b"# Mine\r\n\r\nBe brief.\r\n")
        added = install_note(meant)
        assert added
        write_user_file(added.file, added.data)
        again = install_note(meant)
        assert again
        assert not again.needed
        gone = uninstall_note(meant)
        assert gone
        assert gone.data == b"# Mine\r\n\r\nBe brief.\r\n"


def test_a_note_for_two_hosts_stays_for_the_second(tmp_path: Path) -> None:
    folders = roots(tmp_path, {}, "linux", tmp_path)
    targets: list[Target] = []
    for name in ("codex", "opencode"):
        row = host_file(name)
        assert row
        assert row.project
        targets.append(Target(row, row.project, folders, within=tmp_path))
    for meant in targets:
        change = install_note(meant)
        assert change
        write_user_file(change.file, change.data)
    text = (tmp_path / "AGENTS.md").read_text()
    assert text.count("smista-mcp begin: codex opencode") == 1
    for meant, left in zip(targets, (b"begin: opencode", None), strict=True):
        change = uninstall_note(meant)
        assert change
        assert change.data is None if left is None else left in (change.data or b"")
        write_user_file(change.file, change.data)
    assert not (tmp_path / "AGENTS.md").exists()


def test_opencodes_second_form_is_kept(tmp_path: Path) -> None:
    row = host_file("opencode")
    assert row
    file = tmp_path / ".config/opencode/opencode.json"
    file.parent.mkdir(parents=True)
    file.write_text('{\n  "mcp": {\n    "servers": {}\n  }\n}\n')
    change = install_entry(target(row, tmp_path), COMMAND, NAMES)
    assert json.loads(change.after or "")["mcp"] == {
        "servers": {"smista": {"type": "local", "command": [*COMMAND], "timeout": {"request": 900_000}}}
    }
    write_user_file(change.file, change.data)
    (without,) = uninstall_entries(target(row, tmp_path))
    assert json.loads(without.after or "") == {"mcp": {"servers": {}}}
