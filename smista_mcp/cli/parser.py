"""What the command line understands, as one parser and one typed value for what it found."""

from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, HelpFormatter, Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from smista_mcp import __version__
from smista_mcp.errors import InvalidTask

PROG = "smista-mcp"
_WIDTH = 100
_PORT = 7331


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
    host: str = "127.0.0.1"
    port: int = _PORT
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
    _add_verbs(parser, _VERBS, words)
    return parser


class _Verb(NamedTuple):
    """One command, or a word that stands before others.

    Attributes:
        purpose: what it does, for `--help`.
        command: as in `Options`.
        arguments: adds its own arguments.
        verbs: those that may follow it.
    """

    name: str
    purpose: str
    command: str = ""
    arguments: Callable[[ArgumentParser], None] | None = None
    verbs: "tuple[_Verb, ...]" = ()


def _add_verbs(parser: ArgumentParser, verbs: Sequence[_Verb], words: Sequence[str]) -> None:
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
    group.add_argument("--workspace", type=_path, metavar="DIR", help="the folder below which files may be read")
    group.add_argument("--policy", type=_path, metavar="FILE", help="a policy file in place of your own")
    group.add_argument("--preset", type=_word, metavar="NAME", help="a policy that ships, below your own")
    group.add_argument("--trust-workspace", action="store_true", help="for CI: count .smista/ as confirmed")
    group.add_argument("--debug", action="store_true", help="show the traceback of a defect")


def _word(given: str) -> str:
    if not given.strip():
        raise ArgumentTypeError("is empty")
    return given


def _path(given: str) -> Path:
    path = Path(_word(given))
    try:
        return path.expanduser()
    except RuntimeError:  # no such user: the name is taken as it is
        return path


def _count(given: str) -> int:
    if not given.isdecimal() or not 1 <= int(given[:9]) <= 1_000_000:
        raise ArgumentTypeError("is no number from 1 to 1000000")
    return int(given)


def _calling(parser: ArgumentParser) -> None:
    words = "which host calls, whatever it says of itself, for example codex"
    parser.add_argument("--host", dest="calling", type=_word, metavar="NAME", help=words)


def _host_table(parser: ArgumentParser) -> None:
    parser.add_argument("text", nargs="?", type=_word, metavar="NAME", help="show one host in full")
    _calling(parser)
    parser.add_argument("--client", type=_word, metavar="NAME", help="the `clientInfo.name` of one that connects")


def _doctor(parser: ArgumentParser) -> None:
    words = "mask home, user, machine, project, names and addresses, so that it is safe to paste"
    parser.add_argument("--redacted", action="store_true", help=words)


def _http(parser: ArgumentParser) -> None:
    parser.add_argument("--host", help="the address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help=f"0 for any free one ({_PORT})")
    group = parser.add_argument_group("for a team (docs/team-server.md)")
    words = "a name by which it is reached, with or without a port; repeatable. Tokens are asked for then"
    group.add_argument("--allowed-host", action="append", type=_word, metavar="NAME", help=words)
    group.add_argument("--tls-cert", type=_path, metavar="FILE", help="certificate and chain, PEM")
    group.add_argument("--tls-key", type=_path, metavar="FILE", help="its key, PEM")
    words = "an address or network of a proxy that ends TLS; repeatable"
    group.add_argument("--behind-proxy", action="append", type=_word, metavar="ADDRESS", help=words)
    group.add_argument("--rate", type=_count, metavar="N", help="requests a minute of one token (600)")
    group.add_argument("--at-once", type=_count, metavar="N", help="requests of one token at the same time (32)")
    group.add_argument("--grace", type=_count, metavar="S", help="seconds for calls under way after a signal (8)")
    group.add_argument(
        "--no-tokens", action="store_true", help="on loopback: let everyone in although there are tokens"
    )


def _classify(parser: ArgumentParser) -> None:
    parser.add_argument("text", nargs="?", metavar="TEXT", help="the work in words; - for standard input")
    parser.add_argument("--path", action="append", metavar="P", help="a path that is meant; repeatable")
    parser.add_argument("--skill", metavar="S", help="a named workflow")
    parser.add_argument("--context", action="append", metavar="KIND", help="a kind of context; repeatable")
    parser.add_argument("--jsonl", type=_path, metavar="FILE", help="one task a line; - for standard input")
    parser.add_argument("--explain", action="store_true", help="tell which words decided, and which were set aside")


def _route(parser: ArgumentParser) -> None:
    parser.add_argument("text", metavar="TEXT", help="the work in words; - for standard input")
    _task(parser)


def _dispatch(parser: ArgumentParser) -> None:
    parser.add_argument("text", nargs="?", metavar="TEXT", help="the work in words; - for standard input")
    _task(parser)
    parser.add_argument("--job", type=_word, metavar="ID", help="wait for a job instead, or see its answer")
    parser.add_argument("--yes", action="store_true", help="do not ask whether to go on; never an approval")


def _explain(parser: ArgumentParser) -> None:
    parser.add_argument("text", nargs="?", metavar="ID | TEXT", help="id of a decision or trace, or a task")
    parser.add_argument("--last", action="store_true", help="the latest call")
    _task(parser)


def _task(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("the task")
    group.add_argument("--path", action="append", metavar="P", help="a file or directory that is meant; repeatable")
    group.add_argument("--intent", metavar="I", help="the kind of work, if it is not to be read from the text")
    group.add_argument("--skill", metavar="S", help="a named workflow, for example changelog")
    group.add_argument("--diff", type=_path, metavar="FILE", help="a unified diff; - for standard input")
    group.add_argument("--model", metavar="M", help="provider/model or class:NAME, where the policy allows it")
    group.add_argument("--effort", metavar="E", help="low, medium, high or xhigh")
    group.add_argument("--context", action="append", metavar="KIND", help="for example pull_request; repeatable")
    group.add_argument("--session", metavar="S", help="go on with an earlier dispatch by its id, or `new`")


def _check(parser: ArgumentParser) -> None:
    parser.add_argument("--user", type=_path, metavar="F", help="a file as the user's own layer")
    parser.add_argument("--workspace-policy", type=_path, metavar="F", help="a file as the workspace's layer")
    parser.add_argument("--org", type=_path, metavar="F", help="a file as the organisation's layer")
    parser.add_argument("--untrusted", action="store_true", help="the workspace's file counts as not yet trusted")
    forms, words = ("text", "github"), "text for people (the default), or annotations for GitHub's checks"
    parser.add_argument("--format", choices=forms, help=words)


def _test(parser: ArgumentParser) -> None:
    parser.add_argument("files", nargs="*", type=_path, metavar="FILE", help="run the tests of these test files alone")


def _diff(parser: ArgumentParser) -> None:
    parser.add_argument("old", metavar="OLD", type=_word, help="a policy file, or the name of a preset")
    parser.add_argument("new", metavar="NEW", type=_word, help="the one to compare it with")
    parser.add_argument(
        "--over",
        type=_word,
        metavar="WHAT",
        help="`ledger`, `tests`, or a file with one task a line as JSON; - for standard input (the ledger, where it"
        " holds decisions, else the tests of both policies)",
    )
    parser.add_argument(
        "--as", dest="layer", choices=("user", "workspace"), help="the layer that both stand for (user)"
    )
    parser.add_argument("--untrusted", action="store_true", help="files of the workspace count as not yet trusted")
    parser.epilog = (
        "Exit status: 0 where nothing becomes worse, whatever else changes; 1 where a task leaks or is newly refused,"
        " or a policy cannot be used. No model is called and nothing is recorded."
    )


def _init(parser: ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="write it without asking")
    parser.add_argument("--force", action="store_true", help="replace a policy that is there; it is kept as .bak")


def _install(parser: ArgumentParser) -> None:
    _hosts(parser)
    parser.add_argument("--note", action="store_true", help="a short note on delegating for its model, too")
    parser.add_argument("--print", dest="print_only", action="store_true", help="print what to paste; write nothing")


def _hosts(parser: ArgumentParser) -> None:
    words = "claude-code, codex, cursor, vscode, gemini-cli, opencode, copilot-cli, windsurf, zed or aider"
    parser.add_argument("text", nargs="?", metavar="HOST", help=words)
    parser.add_argument("--all", dest="every", action="store_true", help="every host that this machine has")
    parser.add_argument("--project", action="store_true", help="the files of this workspace, not your own")
    parser.add_argument("--yes", action="store_true", help="write it without asking")


def _approve(parser: ArgumentParser) -> None:
    words = "of the request; without one, those that wait are listed, and every yes that holds"
    parser.add_argument("text", nargs="?", metavar="ID", help=words)
    parser.add_argument("--show", action="store_true", help="show it and ask nothing")
    words = "for 24 hours, to the same provider from this workspace; never for restricted content, nor over a limit"
    parser.add_argument("--for-session", action="store_true", help=words)
    parser.add_argument("--revoke", action="store_true", help="take back a yes, or end a request; asks nothing")


def _trust(parser: ArgumentParser) -> None:
    parser.add_argument("--revoke", action="store_true", help="take back what was confirmed here")


def _token_name(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", type=_word, help="whose it is; budgets may name it: `token:NAME`")


def _token(parser: ArgumentParser) -> None:
    _token_name(parser)
    words = "what it opens: `dispatch` for all tools (the default), `route` for classify, route and explain"
    parser.add_argument("--scope", choices=("route", "dispatch"), help=words)
    parser.add_argument("--days", type=_count, metavar="N", help="how long it holds (90)")
    parser.add_argument("--no-expiry", action="store_true", help="it holds until it is revoked")


_VERBS = (
    _Verb("serve-stdio", "serve an MCP host over standard input and output", "serving:stdio", _calling),
    _Verb("serve-http", "serve MCP hosts over HTTP, on this machine or for a team", "serving:http", _http),
    _Verb("classify", "tell which kinds of work a text asks for", "classification:classify", _classify),
    _Verb("route", "show which model would do a task, and why; nothing is sent", "decisions:route", _route),
    _Verb("dispatch", "have a task done", "delegation:dispatch", _dispatch),
    _Verb("explain", "tell every rule and why it did or did not win", "story:explain", _explain),
    _Verb(
        "policy",
        "check, test, compare or show the policy, or its schema",
        verbs=(
            _Verb("check", "tell what is wrong in policy files", "policy:check", _check),
            _Verb("test", "run the policy's tests and those of test files beside it", "policy_cases:test", _test),
            _Verb("diff", "show what another policy would change, leaks first", "policy_diff:diff", _diff),
            _Verb("show", "show every value in force and where it stands", "policy:show"),
            _Verb("schema", "print the JSON Schema of a policy file, for editors", "schema:schema"),
        ),
    ),
    _Verb("hosts", "show what each host can do, and which one calls from here", "hosts:hosts", _host_table),
    _Verb("doctor", "tell what is wrong on this machine, and what to do about it", "doctor:doctor", _doctor),
    _Verb("init", "propose a policy of your own, or a change of it, from what this machine has", "init:init", _init),
    _Verb("install", "put smista into the configuration of a host", "install:install", _install),
    _Verb("uninstall", "take smista out of the configuration of a host", "install:uninstall", _hosts),
    _Verb("trust", "confirm the policy files of this workspace, once a person has seen them", "trust:trust", _trust),
    _Verb("approve", "answer what waits for a person's yes, once a person has seen it", "approval:approve", _approve),
    _Verb("models", "list the models that the policy names and local servers have", "models:models"),
    _Verb(
        "token",
        "make, list or revoke what opens serve-http to others",
        verbs=(
            _Verb("create", "make a token and show it, this once", "tokens:create", _token),
            _Verb("list", "list the tokens by name", "tokens:listing"),
            _Verb("revoke", "end a token for good", "tokens:revoke", _token_name),
        ),
    ),
    _Verb(
        "local",
        "models that run inside smista-mcp",
        verbs=(_Verb("install", "fetch a first local model (93 MB)", "local:install"),),
    ),
)
