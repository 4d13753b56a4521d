"""`install` and `uninstall`: our entry in the files of hosts; shown, and written once a person agrees."""

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from smista_mcp.app import App
from smista_mcp.cli.changeview import diff
from smista_mcp.cli.failures import DONE, NO
from smista_mcp.cli.hosttargets import AIDER, aider_file, chosen, holding, passed_names, target_of
from smista_mcp.cli.inputs import opened
from smista_mcp.cli.parser import Options
from smista_mcp.cli.printing import confirmed, content, is_terminal, note, one_line, put, put_json, shown_path
from smista_mcp.errors import InvalidTask, SmistaError
from smista_mcp.hostfiles import yamltext
from smista_mcp.hostfiles.changes import (
    Change,
    Target,
    install_entry,
    install_note,
    to_paste,
    uninstall_entries,
    uninstall_lines,
    uninstall_note,
)
from smista_mcp.hostfiles.commands import own_command
from smista_mcp.hostfiles.files import read_user_file, write_user_file
from smista_mcp.hostfiles.notes import NOTE
from smista_mcp.hostfiles.unfit import Unfit

_LIMITS_OF_AIDER = (
    "aider speaks no MCP: it gets models, and no policy. It asks them itself, for every file that it is given:"
    " restricted paths, secrets, approvals and budgets are not looked at, and nothing is written into the ledger."
)
_ASKS = "your policy asks a person before anything goes to a remote model; aider does not ask"
_WITHHELD = (
    "{title} gives `{name}` to no server: put that key into a variable of another name, and name it in your policy, as"
    ' `api_key = "${{secret:NAME}}"` of its provider'
)
_SHARED = "it names a path of this machine: keep the file out of version control, or let everybody run this"


class _Plan(NamedTuple):
    """What would be done for one host.

    Attributes:
        paste: the file in which a user would write `text` himself; None where the file is written.
        says: what a person should know of it.
        error: why nothing can be done.
    """

    host: str
    title: str
    changes: tuple[Change, ...] = ()
    paste: Path | None = None
    text: str = ""
    says: tuple[str, ...] = ()
    error: SmistaError | None = None

    @property
    def needed(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.needed)


class _Done(NamedTuple):
    """What became of a plan: `written`, `unchanged`, `proposed`, `declined`, `paste` or `failed`.

    Attributes:
        written: files that were, also where another one failed then.
        kept: copies beside them.
    """

    plan: _Plan
    status: str
    written: tuple[Path, ...] = ()
    kept: tuple[Path, ...] = ()
    error: SmistaError | None = None


def install(options: Options) -> int:
    """Shows the entry of each host as a change of its file; writes it after a yes on a terminal, or with --yes."""
    app = opened(options)
    command = (*own_command(app.world.settings.environment.variables), "serve-stdio")
    names = passed_names(app)
    hosts = chosen(app, options)
    plans = (_plan(host, app, options, command, names) for host in hosts)
    return _carried_out(plans, options, command, "smista is in the configuration already", alone=len(hosts) == 1)


def uninstall(options: Options) -> int:
    """Shows each host's file without our entry and our note; writes it after a yes, or with --yes."""
    app = opened(options)
    hosts = holding(app, options) if options.every else chosen(app, options)
    if not hosts:
        return _nothing_to_remove(options)
    plans = (_unplan(host, app, options) for host in hosts)
    return _carried_out(plans, options, (), "smista is not in the configuration", alone=len(hosts) == 1)


def _plan(host: str, app: App, options: Options, command: Sequence[str], names: Sequence[str]) -> _Plan:
    if host == AIDER:
        return _aider(app, options)
    target = target_of(host, app, options)
    row = target.row
    entry = row.entry(command, names)
    limits = [f"`{key}`: {why}" for key, why in row.limits.items() if key in entry]
    limits += [_WITHHELD.format(title=row.title, name=name) for name in names if name in row.withheld]
    if options.print_only or not row.writes:
        text = to_paste(row, command, names)
        return _Plan(host, row.title, paste=target.file, text=text, says=(*limits, *_note_to_paste(target, options)))
    try:
        written = install_note(target) if options.note else None
        changes = (install_entry(target, command, names), *([written] if written else ()))
    except SmistaError as error:
        return _Plan(host, row.title, error=error)
    said = (one for change in changes for one in change.says)
    says = (*said, *limits, *(one for one in (_SHARED, row.trust) if options.project and one))
    if options.note and written is None:
        says = (*says, *_note_to_paste(target, options))
    return _Plan(host, row.title, changes, says=says)


def _note_to_paste(target: Target, options: Options) -> tuple[str, ...]:
    if not options.note:
        return ()
    place = shown_path(str(target.note_file)) if target.note_file else "its rules for you"
    return ("\n".join((f"for {place}:", "", *NOTE)),)


def _unplan(host: str, app: App, options: Options) -> _Plan:
    if host == AIDER:
        return _aider_without(app, options)
    target = target_of(host, app, options)
    row = target.row
    if not row.writes:
        says = (f"take `{'.'.join(row.keys)}` out of it",)
        return _Plan(host, row.title, paste=target.file, says=says)
    try:
        without = uninstall_note(target)
        changes = (*uninstall_entries(target), *([without] if without else ()))
    except SmistaError as error:
        return _Plan(host, row.title, error=error)
    return _Plan(host, row.title, changes)


_AIDER_FIX = "mend it, or see `smista-mcp install aider --print`"


def _aider(app: App, options: Options) -> _Plan:
    from smista_mcp.app.foraider import aider_models  # noqa: PLC0415  for aider alone

    path, within = aider_file(app, options)
    try:
        found = aider_models(app)
        missing = tuple(f"no {option}: {reason}" for option, reason in found.missing.items())
        says = (*missing, *((_ASKS,) if found.asks else ()), _LIMITS_OF_AIDER)
        if options.print_only:
            return _Plan(AIDER, AIDER, paste=path, text=yamltext.put("", found.values), says=says)
        if not found.values:
            reasons = "; ".join(found.missing.values())
            raise InvalidTask(f"your policy names no model for aider: {reasons}", fix="see `smista-mcp init`")
        file = read_user_file(path, within=within)
        return _Plan(AIDER, AIDER, (Change(file, yamltext.put(file.text, found.values), shape="yaml"),), says=says)
    except SmistaError as error:
        return _Plan(AIDER, AIDER, error=error)
    except Unfit as error:
        return _Plan(AIDER, AIDER, error=error.refusal(path, _AIDER_FIX))


def _aider_without(app: App, options: Options) -> _Plan:
    path, within = aider_file(app, options)
    try:
        if not path.exists():
            return _Plan(AIDER, AIDER)
        file = read_user_file(path, within=within)
        return _Plan(AIDER, AIDER, (uninstall_lines(file, yamltext.removed(file.text), yamltext.is_ours_alone),))
    except SmistaError as error:
        return _Plan(AIDER, AIDER, error=error)
    except Unfit as error:
        return _Plan(AIDER, AIDER, error=error.refusal(path, _AIDER_FIX))


def _nothing_to_remove(options: Options) -> int:
    if options.json:
        put_json([])
    else:
        put("nothing to change: smista is in no file of a host that is known here")
    return DONE


def _carried_out(plans: Iterable[_Plan], options: Options, command: Sequence[str], nothing: str, *, alone: bool) -> int:
    """Makes and does each plan in turn, for hosts share files; one that fails does not hold back the others."""
    done: list[_Done] = []
    for plan in plans:
        if alone and plan.error is not None:
            raise plan.error
        done.append(_one(plan, options, command, nothing))
    if alone and done[0].error is not None and not done[0].written:
        raise done[0].error
    if options.json:
        put_json([_json(one, command) for one in done])
    return NO if any(one.status in ("failed", "declined") for one in done) else DONE


def _one(plan: _Plan, options: Options, command: Sequence[str], nothing: str) -> _Done:
    if not options.json:
        _show(plan, command, nothing)
    if plan.error is not None:
        return _Done(plan, "failed", error=plan.error)
    if plan.paste is not None:
        return _Done(plan, "paste")
    if not plan.needed:
        return _Done(plan, "unchanged")
    if not options.yes:
        if options.json or not (is_terminal(sys.stdin) and is_terminal(sys.stdout)):
            if not options.json:
                note("nothing was written; add --yes to write it")
            return _Done(plan, "proposed")
        if not confirmed("Write it? [y/N]"):
            note("nothing was written")
            return _Done(plan, "declined")
    return _written(plan, options)


def _written(plan: _Plan, options: Options) -> _Done:
    written: list[Path] = []
    kept: list[Path] = []
    try:
        for change in plan.needed:
            copy = write_user_file(change.file, change.data, change.copies)
            written.append(change.file.path)
            kept += [copy] if copy else []
    except SmistaError as error:
        if not options.json and (options.every or written):
            done = f"written: {_named(written)}; then " if written else ""
            note(f"{done}{error.code.value}: {error.message}; {error.fix}")
        return _Done(plan, "failed", tuple(written), tuple(kept), error)
    if not options.json:
        put(
            f"written{f'; the old one is {_named(kept)}' if kept else ''}", f"restart {plan.title}, so that it reads it"
        )
    return _Done(plan, "written", tuple(written), tuple(kept))


def _named(paths: Iterable[Path]) -> str:
    return ", ".join(one_line(shown_path(str(one))) for one in paths)


def _show(plan: _Plan, command: Sequence[str], nothing: str) -> None:
    put(f"== {plan.title} ==")
    if plan.error is not None:
        put(one_line(f"{plan.error.message}; {plan.error.fix}"))
        return
    if plan.paste is not None:
        where = content(shown_path(str(plan.paste)))
        put(*((f"for {where}:", "", content(plan.text)) if plan.text else (f"in {where}:",)))
    elif not plan.needed:
        where = ", ".join(shown_path(str(change.file.path)) for change in plan.changes)
        put(f"nothing to change: {nothing}{content(f' ({where})' if where else '')}")
    for change in plan.needed:
        if change.after is None:
            put(f"{content(shown_path(str(change.file.path)))} would be removed: it has nothing but lines of ours")
        put(content(diff(change, command)))
    put(*(content(one) for one in plan.says))


def _json(done: _Done, command: Sequence[str]) -> dict[str, object]:
    plan, error = done.plan, done.error
    return {
        "host": plan.host,
        "status": done.status,
        "files": [os.fspath(change.file.path) for change in plan.changes] or ([str(plan.paste)] if plan.paste else []),
        "change": "\n".join(diff(change, command) for change in plan.needed) or None,
        "text": plan.text or None,
        "written": [str(one) for one in done.written],
        "kept": [str(one) for one in done.kept],
        "says": list(plan.says),
        "error": None if error is None else {"code": error.code.value, "message": error.message, "fix": error.fix},
    }
