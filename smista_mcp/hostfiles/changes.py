"""What would be written into the files of one host, or taken out of them; nothing is written here."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

from smista_mcp.errors import InvalidTask
from smista_mcp.hostfiles import jsontext, tomltext
from smista_mcp.hostfiles.files import Copies, UserFile, kept_text, read_user_file
from smista_mcp.hostfiles.merging import merged, over_http
from smista_mcp.hostfiles.notes import has_marks, is_head, is_ours_alone, put_note, removed_note
from smista_mcp.hostfiles.places import Entry, HostFile, Place, Shape, opencode_second, resolved
from smista_mcp.hostfiles.unfit import Unfit


class Change(NamedTuple):
    """One file, and what it would say.

    Attributes:
        after: its text; None where the file would be taken away.
        says: what a person should know of it.
        copies: what becomes of the copy beside it.
        shape: what it is written in.
    """

    file: UserFile
    after: str | None
    says: tuple[str, ...] = ()
    copies: Copies = "kept"
    shape: Shape = "words"

    @property
    def needed(self) -> bool:
        return self.after is None or self.after != self.file.text

    @property
    def data(self) -> bytes | None:
        """The bytes to be written."""
        return None if self.after is None else self.file.encoded(self.after)


class Target(NamedTuple):
    """The files of one host that are meant.

    Attributes:
        folders: those that patterns name.
        within: the project that they belong to; None for those of the user.
    """

    row: HostFile
    place: Place
    folders: Mapping[str, Path]
    within: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(resolved(pattern, self.folders) for pattern in self.place.files)

    @property
    def all_files(self) -> tuple[Path, ...]:
        """Those in which anything of ours may stand."""
        return (*self.files, *([self.note_file] if self.note_file else []))

    @property
    def file(self) -> Path:
        """The file in which the entry stands, or would."""
        return next((file for file in self.files if file.exists() or file.is_symlink()), self.files[-1])

    @property
    def note_file(self) -> Path | None:
        return resolved(self.place.note, self.folders) if self.place.note else None


def install_entry(target: Target, command: Sequence[str], names: Sequence[str]) -> Change:
    """The entry, written or brought up to date. What a user has added to it or set otherwise stays, but for `merged`.

    Args:
        target: whose file.
        command: the words that start us, with their arguments.
        names: of the variables that the host has to pass on.

    Raises:
        InvalidTask: the file cannot be read or changed safely; the error says where.
    """
    file = read_user_file(target.file, within=target.within)
    try:
        return _with_entry(target, file, command, names)
    except Unfit as error:
        raise _refused(file.path, error, target.row) from None


def uninstall_entries(target: Target) -> list[Change]:
    """The files of a host without our entry; only those that have one.

    A file to which nothing else has happened since is given back as it was before our entry came: not at all, where we
    have made it.

    Raises:
        InvalidTask: as for `install_entry`.
    """
    changes: list[Change] = []
    for path in target.files:
        if not os.path.lexists(path):
            continue
        file = read_user_file(path, within=target.within)
        try:
            after = _without_entry(target.row, file.text)
            if after != file.text:
                before = _as_before(target.row, file, after)
                gone = _given_back(file, before, partial(_is_alone, target.row))
                stays = gone.copies == "kept" and _keeps_another(target.row, file)
                changes.append(gone._replace(shape=target.row.form, copies="stays" if stays else gone.copies))
        except Unfit as error:
            raise _refused(path, error, target.row) from None
    return changes


def uninstall_lines(file: UserFile, after: str, alone: Callable[[str], bool]) -> Change:
    """A file of which the lines that are ours alone were taken out.

    Args:
        file: as it is.
        after: its text without them.
        alone: whether a text has lines of ours, and nothing else.
    """
    made = not after and bool(file.text) and kept_text(file) is None and not file.path.is_symlink()
    return _given_back(file, None if made else after, alone)._replace(shape="yaml")


def install_note(target: Target) -> Change | None:
    """The note in the host's file of instructions; None where that is no file.

    Raises:
        InvalidTask: the file cannot be read, or its marked lines are broken.
    """
    path = target.note_file
    if path is None:
        return None
    file = read_user_file(path, within=target.within)
    try:
        after = put_note(file.text, target.row.host, path.name)
        return Change(
            file, after, copies="stays" if has_marks(file.text) and _before_ours(file) is not None else "kept"
        )
    except Unfit as error:
        raise _refused(path, error) from None


def uninstall_note(target: Target) -> Change | None:
    """The host's file of instructions without the note; None where it has none.

    Raises:
        InvalidTask: as for `install_note`.
    """
    path = target.note_file
    if path is None or not os.path.lexists(path):
        return None
    file = read_user_file(path, within=target.within)
    try:
        rest = removed_note(file.text, target.row.host)
    except Unfit as error:
        raise _refused(path, error) from None
    if rest == file.text:
        return None
    copy = _before_ours(file)
    after = _of_user(path, rest, copy)
    change = _given_back(file, after, lambda text: is_ours_alone(text, path.name))
    return change._replace(copies="stays") if change.copies == "kept" and copy is not None else change


def _given_back(file: UserFile, after: str | None, alone: Callable[[str], bool]) -> Change:
    """A file without what is ours; its copy goes where it says nothing more."""
    copy = kept_text(file)
    if after is None:
        return Change(file, None, copies="gone" if copy is None or alone(copy) else "stays")
    return Change(file, after, copies="gone" if after == copy else "kept")


def _before_ours(file: UserFile) -> str | None:
    """The copy of a file of instructions from before our note came; None where no such one is kept."""
    copy = kept_text(file)
    return None if copy is None or has_marks(copy) else copy


def _of_user(path: Path, rest: str, copy: str | None) -> str | None:
    """What stays of a file of instructions; None where we have made it, and nobody has put anything into it."""
    head = is_head(rest, path.name)
    if rest.strip() and not head:
        return rest
    if copy is None and not path.is_symlink():
        return None
    if copy is not None and (not copy.strip() or copy == rest):
        return copy
    return "" if head else rest


def to_paste(row: HostFile, command: Sequence[str], names: Sequence[str]) -> str:
    """The entry as a text of its own, with the keys that lead to it."""
    entry = row.entry(command, names)
    if row.form == "toml":
        return tomltext.table(row.keys, entry)
    return jsontext.put("", row.keys, entry, comments=False)


def _with_entry(target: Target, file: UserFile, command: Sequence[str], names: Sequence[str]) -> Change:
    row, text = target.row, file.text
    value = _read(row, text)
    keys = _keys(row, value)
    old = _at(value, keys)
    ours = row.entry(command, names) if keys == row.keys else opencode_second(command)
    now = merged(ours, old, project=target.within is not None)
    if row.form == "toml":
        after = tomltext.put(tomltext.removed(text, keys) if now.whole else text, keys, now.entry)
    else:
        after = _put_all(text, keys, now.entry, None if now.whole else old, comments=row.form == "jsonc")
    stays = old is not None and not over_http(old) and _keeps_another(row, file)
    return Change(file, after, now.says, shape=row.form, copies="stays" if stays else "kept")


def _keeps_another(row: HostFile, file: UserFile) -> bool:
    """Whether the copy alone keeps an entry over HTTP that ours has replaced."""
    copy = kept_text(file)
    if copy is None:
        return False
    try:
        value = _read(row, copy)
        return bool(over_http(_at(value, _keys(row, value))))
    except Unfit:
        return False


def _without_entry(row: HostFile, text: str) -> str:
    value = _read(row, text)
    keys = _keys(row, value)
    if _at(value, keys) is None:
        return text
    if row.form == "toml":
        return tomltext.removed(text, keys)
    return jsontext.removed(text, keys, comments=row.form == "jsonc")


def _is_alone(row: HostFile, text: str) -> bool:
    """Whether a text has our entry, and nothing else."""
    try:
        value = _read(row, text)
    except Unfit:
        return False
    entry = _at(value, _keys(row, value))
    return isinstance(entry, dict) and _is(text, row, "", cast("Entry", entry))


def _as_before(row: HostFile, file: UserFile, after: str) -> str | None:
    """A text without our entry, and without what only led to it, where the copy that was kept tells which that is.

    Returns:
        None where nothing but our entry was in the file, and no copy of an older one is kept.
    """
    value, left = _read(row, file.text), _read(row, after)
    keys = _keys(row, value)
    entry = cast("Entry", _at(value, keys))
    copy = _older(row, keys, kept_text(file))
    if copy is None:
        return None if not file.path.is_symlink() and _is(file.text, row, "", entry) else after
    if _is(file.text, row, copy, entry):
        return copy
    made = len(keys) == 2 and _at(left, keys[:1]) == {} and _at(_read(row, copy), keys[:1]) is None
    return jsontext.removed(after, keys[:1], comments=row.form == "jsonc") if made and row.form != "toml" else after


def _older(row: HostFile, keys: Sequence[str], copy: str | None) -> str | None:
    """A copy that was kept before our entry came; any other tells nothing."""
    try:
        return None if copy is None or _at(_read(row, copy), keys) is not None else copy
    except Unfit:
        return None


def _is(text: str, row: HostFile, before: str, entry: Entry) -> bool:
    """Whether a text is another one with an entry put there; not so where its user has given that another shape."""
    try:
        keys = _keys(row, _read(row, text))
        if row.form == "toml":
            return text == tomltext.put(before, keys, entry)
        return text == jsontext.put(before, keys, entry, comments=row.form == "jsonc")
    except Unfit:
        return False


def _put_all(text: str, keys: Sequence[str], value: object, old: object, *, comments: bool) -> str:
    """Puts what differs, as deep as it can, so that comments beside it stay."""
    if value == old:
        return text
    if isinstance(value, dict) and isinstance(old, dict):
        now, before = cast("Mapping[str, object]", value), cast("Mapping[str, object]", old)
        for key, one in now.items():
            text = _put_all(text, (*keys, key), one, before.get(key), comments=comments)
        return text
    return jsontext.put(text, keys, cast("object", value), comments=comments)


def _read(row: HostFile, text: str) -> object:
    """The value of a text; None where it is blank."""
    if not text.strip():
        return None
    return tomltext.read(text) if row.form == "toml" else jsontext.read(text, comments=row.form == "jsonc")


def _keys(row: HostFile, value: object) -> tuple[str, ...]:
    """Those that lead to our entry in this file: opencode's second version has them one deeper."""
    if row.host != "opencode":
        return row.keys
    servers = _at(value, ("mcp", "servers"))
    second = isinstance(servers, dict) and "type" not in servers and "command" not in servers
    return ("mcp", "servers", *row.keys[1:]) if second else row.keys


def _at(value: object, keys: Sequence[str]) -> object:
    for key in keys:
        value = cast("Mapping[str, object]", value).get(key) if isinstance(value, dict) else None
    return value


def _refused(path: Path, error: Unfit, row: HostFile | None = None) -> InvalidTask:
    fix = f"mend it, or see `smista-mcp install {row.host} --print` and paste that" if row else "mend it by hand"
    return error.refusal(path, fix)
