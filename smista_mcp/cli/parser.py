"""What the command line understands, as one parser and one typed value for what it found."""

from argparse import SUPPRESS, ArgumentParser, HelpFormatter, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from smista_mcp import __version__
from smista_mcp.cli.verbs import PORT, VERBS, Verb, path, word
from smista_mcp.errors import InvalidTask

PROG = "smista-mcp"
_WIDTH = 100


class Options(Namespace):
    """What a command line says. Each command reads what its own parser fills in; the rest has the value here.

    Attributes:
        command: `module:function` below `smista_mcp.cli`.
        prog: the words before the arguments, where a command is missing.
        text: a task's words, or an id where a command takes both; `-` stands for standard input.
        calling: the host that calls.
    """

    command: str = ""
    prog: str = PROG
    # everywhere
    json: bool = False
    debug: bool = False
    workspace: Path | None = None
    policy: Path | None = None
    preset: str | None = None
    trust_workspace: bool = False
    # tasks
    text: str | None = None
    intent: str | None = None
    skill: str | None = None
    path: Sequence[str] | None = None
    diff: Path | None = None
    model: str | None = None
    effort: str | None = None
    session: str | None = None
    context: Sequence[str] | None = None
    calling: str | None = None
    client: str | None = None
    redacted: bool = False
    # single commands
    jsonl: Path | None = None
    explain: bool = False
    last: bool = False
    replay: bool = False
    job: str | None = None
    yes: bool = False
    force: bool = False
    revoke: bool = False
    show: bool = False
    for_session: bool = False
    user: Path | None = None
    workspace_policy: Path | None = None
    org: Path | None = None
    untrusted: bool = False
    files: Sequence[Path] = ()
    old: str = ""
    new: str = ""
    over: str | None = None
    layer: str = "user"
    format: str | None = None
    every: bool = False
    project: bool = False
    print_only: bool = False
    note: bool = False
    dry_run: bool = False
    mend: bool = False
    otel: bool = False
    masked: bool = False
    mask: Path | None = None
    host: str = "127.0.0.1"
    port: int = PORT
    allowed_host: Sequence[str] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    behind_proxy: Sequence[str] = ()
    rate: int = 600
    at_once: int = 32
    grace: int = 8
    no_tokens: bool = False
    name: str = ""
    scope: str = "dispatch"
    days: int | None = None
    no_expiry: bool = False
    verdict: str = ""
    said: str | None = None
    as_host: bool = False
    # the record
    suggest: bool = False
    by: str = "model"
    since: str | None = None
    month: str | None = None
    here: bool = False
    against: str | None = None
    status: str | None = None
    limit: int | None = None
    lines: bool = False


class _Formatter(HelpFormatter):
    """Help of one width everywhere; to ask the terminal costs every start."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28, width=_WIDTH)


class _Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        helped = f"see `{self.prog} --help`"
        if message.startswith("unrecognized arguments"):
            quoting = "write a text of several words in quotes, and `--` before one that begins with a dash"
            helped = f"{quoting}; {helped}"
        raise InvalidTask(message, fix=helped)


def parse(arguments: Sequence[str]) -> Options:
    """Reads the arguments. `--help` and `--version` print and raise SystemExit.

    Raises:
        InvalidTask: they make no sense; the error says what to write.
    """
    options = build_parser(arguments).parse_args(arguments, Options())
    if not options.command:
        raise InvalidTask("no command is named", fix=f"see `{options.prog} --help`")
    return options


def build_parser(words: Sequence[str]) -> ArgumentParser:
    """The parser for command lines that hold these words; other verbs are there by name only, which takes no time.

    An option that is not given leaves no trace in the result, so that it can stand before or after the verb.
    """
    purpose = "Decides by written policy which model does a piece of work, shows why, and has it done."
    parser = _Parser(
        PROG, description=purpose, formatter_class=_Formatter, argument_default=SUPPRESS, allow_abbrev=False
    )
    _everywhere(parser)
    parser.add_argument("--version", action="version", version=f"{PROG} {__version__}")
    _add_verbs(parser, VERBS, words)
    return parser


def _add_verbs(parser: ArgumentParser, verbs: Sequence[Verb], words: Sequence[str]) -> None:
    group = parser.add_subparsers(title="commands", metavar="COMMAND", prog=parser.prog, parser_class=_Parser)
    # a verb in the first place is the one that is meant; behind options it may be any
    for verb in [verb for verb in verbs if words and words[0] == verb.name] or verbs:
        one = group.add_parser(
            verb.name,
            prog=f"{parser.prog} {verb.name}",
            help=verb.purpose,
            description=f"{verb.purpose[0].upper()}{verb.purpose[1:]}.",
            formatter_class=_Formatter,
            argument_default=SUPPRESS,
            allow_abbrev=False,
        )
        if verb.name not in words:
            continue
        _everywhere(one)
        if verb.command:
            one.set_defaults(command=verb.command)
        if verb.arguments is not None:
            verb.arguments(one)
        if verb.verbs:
            one.set_defaults(prog=one.prog)
            _add_verbs(one, verb.verbs, words[1:] if words[0] == verb.name else words)


def _everywhere(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("everywhere")
    group.add_argument("--json", action="store_true", help="print one JSON document")
    group.add_argument("--workspace", type=path, metavar="DIR", help="the folder below which files may be read")
    group.add_argument("--policy", type=path, metavar="FILE", help="a policy file in place of your own")
    group.add_argument("--preset", type=word, metavar="NAME", help="a policy that ships, below your own")
    group.add_argument("--trust-workspace", action="store_true", help="for CI: count .smista/ as confirmed")
    group.add_argument("--debug", action="store_true", help="show the traceback of a defect")
