"""The commands: their names, what they are for, and the arguments that each takes."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

PORT = 7331
"""Where `serve-http` listens unless told otherwise."""


class Verb(NamedTuple):
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
    verbs: "tuple[Verb, ...]" = ()


def word(given: str) -> str:
    """An argument that may not be empty, as argparse takes it."""
    if not given.strip():
        raise ArgumentTypeError("is empty")
    return given


def path(given: str) -> Path:
    """The path of a file or folder, as argparse takes it."""
    named = Path(word(given))
    try:
        return named.expanduser()
    except RuntimeError:  # no such user: the name is taken as it is
        return named


def _count(given: str) -> int:
    if not given.isdecimal() or not 1 <= int(given[:9]) <= 1_000_000:
        raise ArgumentTypeError("is no number from 1 to 1000000")
    return int(given)


def _calling(parser: ArgumentParser) -> None:
    words = "which host calls, whatever it says of itself, for example codex"
    parser.add_argument("--host", dest="calling", type=word, metavar="NAME", help=words)


def _host_table(parser: ArgumentParser) -> None:
    parser.add_argument("text", nargs="?", type=word, metavar="NAME", help="show one host in full")
    _calling(parser)
    parser.add_argument("--client", type=word, metavar="NAME", help="the `clientInfo.name` of one that connects")


def _doctor(parser: ArgumentParser) -> None:
    words = "mask home, user, machine, project, names and addresses, so that it is safe to paste"
    parser.add_argument("--redacted", action="store_true", help=words)


def _http(parser: ArgumentParser) -> None:
    parser.add_argument("--host", help="the address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help=f"0 for any free one ({PORT})")
    group = parser.add_argument_group("for a team (docs/team-server.md)")
    words = "a name by which it is reached, with or without a port; repeatable. Tokens are asked for then"
    group.add_argument("--allowed-host", action="append", type=word, metavar="NAME", help=words)
    group.add_argument("--tls-cert", type=path, metavar="FILE", help="certificate and chain, PEM")
    group.add_argument("--tls-key", type=path, metavar="FILE", help="its key, PEM")
    words = "an address or network of a proxy that ends TLS; repeatable"
    group.add_argument("--behind-proxy", action="append", type=word, metavar="ADDRESS", help=words)
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
    parser.add_argument("--jsonl", type=path, metavar="FILE", help="one task a line; - for standard input")
    parser.add_argument("--explain", action="store_true", help="tell which words decided, and which were set aside")


def _route(parser: ArgumentParser) -> None:
    parser.add_argument("text", metavar="TEXT", help="the work in words; - for standard input")
    _task(parser)


def _dispatch(parser: ArgumentParser) -> None:
    parser.add_argument("text", nargs="?", metavar="TEXT", help="the work in words; - for standard input")
    _task(parser)
    parser.add_argument("--job", type=word, metavar="ID", help="wait for a job instead, or see its answer")
    parser.add_argument("--yes", action="store_true", help="do not ask whether to go on; never an approval")


def _explain(parser: ArgumentParser) -> None:
    parser.add_argument("text", nargs="?", metavar="ID | TEXT", help="id of a decision or trace, or a task")
    parser.add_argument("--last", action="store_true", help="the latest call")
    words = "decide what is recorded again, from what it was decided by; 1 where other bytes come out"
    parser.add_argument("--replay", action="store_true", help=words)
    _task(parser)


def _task(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("the task")
    group.add_argument("--path", action="append", metavar="P", help="a file or directory that is meant; repeatable")
    group.add_argument("--intent", metavar="I", help="the kind of work, if it is not to be read from the text")
    group.add_argument("--skill", metavar="S", help="a named workflow, for example changelog")
    group.add_argument("--diff", type=path, metavar="FILE", help="a unified diff; - for standard input")
    group.add_argument("--model", metavar="M", help="provider/model or class:NAME, where the policy allows it")
    group.add_argument("--effort", metavar="E", help="low, medium, high or xhigh")
    group.add_argument("--context", action="append", metavar="KIND", help="for example pull_request; repeatable")
    group.add_argument("--session", metavar="S", help="go on with an earlier dispatch by its id, or `new`")


def _check(parser: ArgumentParser) -> None:
    parser.add_argument("--user", type=path, metavar="F", help="a file as the user's own layer")
    parser.add_argument("--workspace-policy", type=path, metavar="F", help="a file as the workspace's layer")
    parser.add_argument("--org", type=path, metavar="F", help="a file as the organisation's layer")
    parser.add_argument("--untrusted", action="store_true", help="the workspace's file counts as not yet trusted")
    forms, words = ("text", "github"), "text for people (the default), or annotations for GitHub's checks"
    parser.add_argument("--format", choices=forms, help=words)


def _test(parser: ArgumentParser) -> None:
    parser.add_argument("files", nargs="*", type=path, metavar="FILE", help="run the tests of these test files alone")


def _diff(parser: ArgumentParser) -> None:
    parser.add_argument("old", metavar="OLD", type=word, help="a policy file, or the name of a preset")
    parser.add_argument("new", metavar="NEW", type=word, help="the one to compare it with")
    parser.add_argument(
        "--over",
        type=word,
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


def _outcome(parser: ArgumentParser) -> None:
    parser.add_argument("text", metavar="ID", type=word, help="of a trace, its receipt, a decision or a job")
    parser.add_argument("verdict", choices=("good", "bad"), help="what you say of the answer")
    parser.add_argument("--note", dest="said", metavar="TEXT", help="why, in your own words")
    words = "the word of an agent: kept apart, and never counted; without it only a person on a terminal may say it"
    parser.add_argument("--as-host", action="store_true", help=words)


def _trust(parser: ArgumentParser) -> None:
    parser.add_argument("--revoke", action="store_true", help="take back what was confirmed here")


def _token_name(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", type=word, help="whose it is; budgets may name it: `token:NAME`")


def _token(parser: ArgumentParser) -> None:
    _token_name(parser)
    words = "what it opens: `dispatch` for all tools (the default), `route` for classify, route and explain"
    parser.add_argument("--scope", choices=("route", "dispatch"), help=words)
    parser.add_argument("--days", type=_count, metavar="N", help="how long it holds (90)")
    parser.add_argument("--no-expiry", action="store_true", help="it holds until it is revoked")


def _usage(parser: ArgumentParser) -> None:
    kinds = ("model", "intent", "project", "host", "day")
    parser.add_argument("--by", choices=kinds, help="what to tell apart (model)")
    parser.add_argument("--days", type=_count, metavar="N", help="the last N days, today included (7)")
    parser.add_argument("--since", type=word, metavar="DATE", help="from this day on, for example 2026-11-01; UTC")
    words = "a month, for example 2026-11; the current one where none is named"
    parser.add_argument("--month", nargs="?", const="", metavar="MONTH", help=words)
    parser.add_argument("--here", action="store_true", help="this workspace alone, not every one on record")
    words = "count savings against this model, provider/model, whatever host asked"
    parser.add_argument("--against", type=word, metavar="M", help=words)
    words = "tell instead which routes the evidence of outcomes speaks against, over the days that the policy counts"
    parser.add_argument("--suggest", action="store_true", help=words)


def _traces(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--intent", type=word, metavar="I", help="one kind of work alone; a family with its refinements"
    )
    parser.add_argument("--model", type=word, metavar="M", help="a part of a model's name, or a pattern with *")
    words = "completed, failed, uncertain, cancelled or running; or routed, refused, approval_required, handoff"
    parser.add_argument("--status", type=word, metavar="S", help=words)
    parser.add_argument("--days", type=_count, metavar="N", help="the last N days, today included")
    parser.add_argument("--limit", type=_count, metavar="N", help="so many at most (50)")
    parser.add_argument("--here", action="store_true", help="this workspace alone, not every one on record")
    parser.add_argument("--jsonl", dest="lines", action="store_true", help="print one JSON document a line")


def _vacuum(parser: ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="only tell what would go")


def _ledger_check(parser: ArgumentParser) -> None:
    parser.add_argument("--mend", action="store_true", help="make holds, totals and the standing of jobs anew first")


def _ledger_export(parser: ArgumentParser) -> None:
    words = "only what was recorded from then on: a day, a time (UTC unless it says otherwise), or 7d for a week"
    parser.add_argument("--since", type=word, metavar="WHEN", help=words)
    group = parser.add_mutually_exclusive_group()
    words = "one decision a line, into a file that you alone can read; - for standard output (the default)"
    group.add_argument("--jsonl", type=path, metavar="FILE", help=words)
    words = "as spans to the collector that OTEL_EXPORTER_OTLP_ENDPOINT names; needs smista-mcp[otel]"
    group.add_argument("--otel", action="store_true", help=words)
    words = "paths, hosts, addresses, workspaces and names of tokens as keyed hashes"
    parser.add_argument("--masked", action="store_true", help=words)
    words = 'a file of rules, beside those of `[ledger] mask`: TOML, mask = ["drop decision.reason"]'
    parser.add_argument("--mask", type=path, metavar="FILE", help=words)


VERBS = (
    Verb("serve-stdio", "serve an MCP host over standard input and output", "serving:stdio", _calling),
    Verb("serve-http", "serve MCP hosts over HTTP, on this machine or for a team", "serving:http", _http),
    Verb("classify", "tell which kinds of work a text asks for", "classification:classify", _classify),
    Verb("route", "show which model would do a task, and why; nothing is sent", "decisions:route", _route),
    Verb("dispatch", "have a task done", "delegation:dispatch", _dispatch),
    Verb("explain", "tell every rule and why it did or did not win", "story:explain", _explain),
    Verb(
        "policy",
        "check, test, compare or show the policy, or its schema",
        verbs=(
            Verb("check", "tell what is wrong in policy files", "policy:check", _check),
            Verb("test", "run the policy's tests and those of test files beside it", "policy_cases:test", _test),
            Verb("diff", "show what another policy would change, leaks first", "policy_diff:diff", _diff),
            Verb("show", "show every value in force and where it stands", "policy:show"),
            Verb("schema", "print the JSON Schema of a policy file, for editors", "schema:schema"),
        ),
    ),
    Verb("hosts", "show what each host can do, and which one calls from here", "hosts:hosts", _host_table),
    Verb("doctor", "tell what is wrong on this machine, and what to do about it", "doctor:doctor", _doctor),
    Verb("init", "propose a policy of your own, or a change of it, from what this machine has", "init:init", _init),
    Verb("install", "put smista into the configuration of a host", "install:install", _install),
    Verb("uninstall", "take smista out of the configuration of a host", "install:uninstall", _hosts),
    Verb("trust", "confirm the policy files of this workspace, once a person has seen them", "trust:trust", _trust),
    Verb("approve", "answer what waits for a person's yes, once a person has seen it", "approval:approve", _approve),
    Verb("outcome", "say how an answer turned out", "outcome:outcome", _outcome),
    Verb(
        "evidence",
        "show how models did, and what decisions see of it",
        verbs=(
            Verb("show", "tell how the answers of each model turned out", "outcome:show"),
            Verb("freeze", "hold the evidence that is in force", "outcome:freezing"),
            Verb("thaw", "let decisions see again what is counted each day", "outcome:thawing"),
            Verb("reset", "let only what begins from now on count", "outcome:resetting"),
        ),
    ),
    Verb("usage", "tell what work has used and cost, what budgets have left, what was saved", "usage:usage", _usage),
    Verb("traces", "list the latest calls and what became of them", "traces:traces", _traces),
    Verb("providers", "list the providers, and whether each can serve now", "providers:providers"),
    Verb("models", "list the models that the policy names and local servers have", "models:models"),
    Verb(
        "token",
        "make, list or revoke what opens serve-http to others",
        verbs=(
            Verb("create", "make a token and show it, this once", "tokens:create", _token),
            Verb("list", "list the tokens by name", "tokens:listing"),
            Verb("revoke", "end a token for good", "tokens:revoke", _token_name),
        ),
    ),
    Verb(
        "ledger",
        "keep the record of what was done small and right",
        verbs=(
            Verb("vacuum", "remove what is older than `[ledger] keep_days`; totals stay", "ledger:vacuum", _vacuum),
            Verb("check", "tell whether it is whole, and its totals are right", "ledger:check", _ledger_check),
            Verb("export", "write decisions and what was done, for others", "ledger_export:export", _ledger_export),
        ),
    ),
    Verb(
        "local",
        "models that run inside smista-mcp",
        verbs=(Verb("install", "fetch a first local model (93 MB)", "local:install"),),
    ),
)
