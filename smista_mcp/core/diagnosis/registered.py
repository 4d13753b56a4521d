"""How hosts are configured to start us, and whether they would find us ready."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from smista_mcp.core.diagnosis.marks import name, place, variable, words
from smista_mcp.core.diagnosis.remarks import Level, Remark, fine, note, wrong

Runs = Literal["ours", "other", "missing", "no_program", "relative"]
_VERB = "serve-stdio"


class Wanted(NamedTuple):
    """A setting that an entry should have.

    Attributes:
        key: its name in the entry.
        why: what happens without it.
        write: what to write.
        least: the least figure; None where it is `value` that is wanted, or a list with it.
        late: whether it only matters to a server that is late, because the host waits for it then.
    """

    key: str
    why: str
    write: str
    least: float | None = None
    value: object = True
    late: bool = False

    def holds(self, settings: Mapping[str, object]) -> bool:
        """Whether an entry has it."""
        there = settings.get(self.key)
        if self.least is not None:
            return isinstance(there, int | float) and there >= self.least  # and no truth value: those are 0 and 1
        if isinstance(there, list):
            return self.value in there
        return there == self.value and type(there) is type(self.value)


class EntrySeen(NamedTuple):
    """An entry for smista in a file of a host.

    Attributes:
        file: that holds it.
        entry: its name there.
        command: with which the host starts us; None for an entry over HTTP.
        runs: what that command is.
        bare: whether it has no folder, so that the host's PATH decides.
        enabled: false where the entry is switched off.
        settings: what else it says.
        variables: names of variables that it passes on or sets.
        elsewhere: whether its server has another SMISTA_HOME than this command.
        project: whether its file is one of the workspace.
        strange: whether `install` would write beside it, not over it: it has another name, or stands elsewhere.
        mixed: keys of an entry over HTTP that it has beside a command.
    """

    file: str
    entry: str
    command: str | None
    arguments: tuple[str, ...] = ()
    runs: Runs = "ours"
    bare: bool = False
    enabled: bool = True
    settings: Mapping[str, object] = {}
    variables: frozenset[str] = frozenset()
    elsewhere: bool = False
    mixed: tuple[str, ...] = ()
    project: bool = False
    strange: bool = False


class HostSeen(NamedTuple):
    """One host.

    Attributes:
        host: its name.
        installed: whether its command or its folder of settings is there.
        entries: for smista, in its files.
        broken: files of it that cannot be read, and why.
        wanted: what an entry should say.
        start_limit_s: how long it waits for a server; None where that is not known.
        keys_reach: whether exported variables reach a server that names none.
        withheld: variables that it gives to no server, whatever its file says.
    """

    host: str
    installed: bool
    entries: tuple[EntrySeen, ...] = ()
    broken: tuple[tuple[str, str], ...] = ()
    wanted: tuple[Wanted, ...] = ()
    start_limit_s: float | None = None
    keys_reach: bool | None = None
    withheld: tuple[str, ...] = ()


class StartSeen(NamedTuple):
    """A start of our own server, as a host does it.

    Attributes:
        seconds: until each start had answered; none where one did not.
        failure: why one did not answer; empty where all did.
        said: the last line that it wrote on standard error.
        noise: what stood on standard output and is not of the protocol; empty where nothing did.
    """

    seconds: tuple[float, ...] = ()
    failure: str = ""
    said: str = ""
    noise: str = ""

    @property
    def best(self) -> float | None:
        return min(self.seconds, default=None)


def judge_host(seen: HostSeen, start: StartSeen, keys: Sequence[str]) -> Iterator[Remark]:
    """One host, if it is there.

    Args:
        seen: the host.
        start: how long our own server takes.
        keys: variables that hold the keys of providers that the policy names.
    """
    for file, why in seen.broken:
        said = f"{seen.host}: {place(file)} cannot be read: {words(why)}"
        yield wrong("hosts", "file", said, "mend the file: the host cannot read it either")
    if not seen.entries:
        if seen.installed and not seen.broken:
            said = f"{seen.host} is here, and smista is not registered there"
            yield note("hosts", "entry", said, f"run `smista-mcp install {seen.host}`")
        return
    for entry in seen.entries:
        found = [
            *_judge_command(seen, entry),
            *_judge_settings(seen, entry, start),
            *_judge_variables(seen, entry, keys),
        ]
        yield from found
        if not any(one.level is Level.WRONG for one in found):
            how = "over HTTP" if entry.command is None else f"starts {place(entry.command)}"
            yield fine("hosts", "entry", f"{seen.host}: {place(entry.file)} {how}")


def judge_start(seen: StartSeen, limits: Mapping[str, float]) -> Iterator[Remark]:
    """Our own server by itself; what that means for a host where we are registered is said there.

    Args:
        seen: what its starts showed.
        limits: host -> how long it waits, in seconds, unless its entry makes it wait.
    """
    if seen.noise:
        said = f"standard output holds what is not of the protocol: {words(seen.noise)}"
        fix = "find what prints at the start of Python here (sitecustomize, a .pth file, a wrapper) and take it out"
        yield wrong("start", "output", said, fix)
    if seen.failure:
        why = f"; it said: {words(seen.said)}" if seen.said else ""
        said = f"the server did not answer: {seen.failure}{why}"
        yield wrong("start", "answer", said, "run `smista-mcp serve-stdio` by hand and read what it says")
    elif seen.best is not None:
        yield _judge_time(seen.seconds, seen.best, limits)
        if not seen.noise:
            yield fine("start", "output", "its standard output holds the protocol alone")


def _judge_time(seconds: Sequence[float], best: float, limits: Mapping[str, float]) -> Remark:
    times = " and ".join(f"{one:.2f} s" for one in seconds)
    said = f"the server answers after {times}, started as Codex does it"
    impatient = [f"{host} {limit:g} s" for host, limit in sorted(limits.items()) if limit <= best]
    if not impatient:
        return fine("start", "time", said)
    late = f"{said}; that is late for {', '.join(impatient)}, unless the entry makes the host wait"
    return note("start", "time", late, "let `smista-mcp install HOST` write the entry, or let this machine do less")


def _where(seen: HostSeen, entry: EntrySeen) -> str:
    which = entry.entry if entry.entry == "smista" else name(entry.entry)
    return f"{seen.host}: the entry {which} of {place(entry.file)}"


def _again(seen: HostSeen, entry: EntrySeen) -> str:
    """What writes an entry anew."""
    run = f"run `smista-mcp install {seen.host}{' --project' if entry.project else ''}`"
    return f"take that entry out and {run}" if entry.strange else run


def _judge_command(seen: HostSeen, entry: EntrySeen) -> Iterator[Remark]:
    where = _where(seen, entry)
    again = _again(seen, entry)
    if not entry.enabled:
        yield note("hosts", "enabled", f"{where} is switched off", "switch it on there")
    if entry.command is None:
        return
    command = place(entry.command)
    if entry.mixed:
        keys = ", ".join(f"`{key}`" for key in entry.mixed)
        said = (
            f"{where} has a command and also {keys}, which is for a server over HTTP: hosts refuse it, or take either"
        )
        yield wrong("hosts", "mixed", said, f"take out what is not meant, or {again}")
    match entry.runs:
        case "missing":
            yield wrong("hosts", "command", f"{where} starts {command}, which is not there", again)
        case "no_program":
            yield wrong("hosts", "command", f"{where} starts {command}, which is no program", again)
        case "relative":
            said = f"{where} starts {command}, which is sought from wherever the host stands"
            yield wrong("hosts", "command", said, f"write an absolute path, or {again}")
        case "other":
            said = f"{where} starts {command}, which is another smista-mcp than this one"
            yield note("hosts", "command", said, f"{again}, if you mean this one")
        case _:
            pass
    if entry.runs in ("ours", "other") and entry.bare:
        said = f"{where} starts {command} by its name: a host that is started from a desktop may have another PATH"
        yield note("hosts", "path", said, f"write an absolute path, or {again}")
    if _VERB not in entry.arguments:
        yield wrong("hosts", "arguments", f"{where} lacks the argument {_VERB}", f"add it, or {again}")


def _judge_settings(seen: HostSeen, entry: EntrySeen, start: StartSeen) -> Iterator[Remark]:
    if entry.command is None:
        return
    where = _where(seen, entry)
    late = start.best is not None and seen.start_limit_s is not None and start.best >= seen.start_limit_s
    waits = False
    for one in seen.wanted:
        if one.holds(entry.settings):
            waits = waits or one.late
            continue
        said = f"{where} lacks `{one.write}`: {one.why}"
        if one.late and late:
            waits = True  # said here, with the remedy
            said += f", and the server takes {start.best:.2f} s of {seen.start_limit_s:g} s"
            yield wrong("hosts", "limits", said, f"write `{one.write}` there, or {_again(seen, entry)}")
        else:
            yield note("hosts", "limits", said, f"write `{one.write}` there, or {_again(seen, entry)}")
    if late and not waits:
        said = f"{seen.host} waits {seen.start_limit_s:g} s for a server, and ours takes {start.best:.2f} s"
        yield wrong("hosts", "start", said, "let this machine do less, or use HTTP (`smista-mcp serve-http`)")


def _judge_variables(seen: HostSeen, entry: EntrySeen, keys: Sequence[str]) -> Iterator[Remark]:
    where = _where(seen, entry)
    held = [key for key in keys if key in seen.withheld] if entry.command is not None else []
    if held:
        said = f"{where}: {seen.host} gives {', '.join(map(variable, held))} to no server, whatever its file says"
        fix = (
            'keep that key in a variable of another name too, and name it: `api_key = "${secret:NAME}"` of its provider'
        )
        yield note("hosts", "keys", said, fix)
    lacking = [key for key in keys if key not in entry.variables and key not in held]
    if entry.command is not None and seen.keys_reach is False and lacking:
        listed = ", ".join(map(variable, lacking))
        said = f"{where} does not name {listed}, and {seen.host} passes on no key that is not named"
        where_to = "env_vars" if seen.host == "codex" else "env"
        yield note("hosts", "keys", said, f"name them under `{where_to}` of the entry")
    if entry.elsewhere:
        said = f"{where}: its server has another SMISTA_HOME than this command, so another policy and ledger"
        yield note("hosts", "home", said, "set SMISTA_HOME in the entry as it is here, or in neither place")
