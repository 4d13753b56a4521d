"""Decisions for people: the golden view, every rule with why it did or did not win, and what would have to change."""

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Literal, NamedTuple

from smista_mcp.core.decision import ContextEntry, CostRange, Decision, EscalationReport, Rejected
from smista_mcp.core.effective import PlacedRule
from smista_mcp.core.globs import GlobSet
from smista_mcp.core.matching import MatchRequest, further_conditions, request_for
from smista_mcp.core.policy import Rule
from smista_mcp.core.readtools import CAPS
from smista_mcp.core.remedies import TO_LET_SERVE, remedy
from smista_mcp.core.snapshot import Rulebook
from smista_mcp.core.values import FAMILY, Grant, Intent, Layer, Status, Value
from smista_mcp.errors import Cause, Code

Outcome = Literal["won", "outranked", "no_match"]


class RuleVerdict(Value):
    """One rule and what became of it for one phase. `binds` is true where its local_only or only_models applies."""

    name: str
    layer: Layer
    line: int | None
    outcome: Outcome
    reason: str
    binds: bool = False


def judge_rules(
    book: Rulebook, intent: Intent, skill: str | None, paths: Sequence[str], tokens: int
) -> tuple[RuleVerdict, ...]:
    """Every rule that may win, best first, with why it did or did not. Linear in the number of rules."""
    request = request_for(intent, skill, paths, tokens)
    holding = list(dict.fromkeys(book.ranking.matches(request)))
    verdicts: list[RuleVerdict] = []
    for rank, position in enumerate(holding):
        placed = book.rules[position]
        reason = "the first that matches" if rank == 0 else _behind(placed.rule, book.rules[holding[0]].rule)
        verdicts.append(_verdict(placed, "won" if rank == 0 else "outranked", reason))
    held = set(holding)
    for position, placed in enumerate(book.rules):
        if position in held:
            continue
        reason = "; ".join(_unmet(placed.rule, request))
        verdicts.append(_verdict(placed, "no_match", reason))
    return tuple(verdicts)


def _verdict(placed: PlacedRule, outcome: Outcome, reason: str) -> RuleVerdict:
    rule = placed.rule
    binds = outcome != "no_match" and (rule.local_only or rule.only_models is not None)
    return RuleVerdict(
        name=rule.name,
        layer=placed.origin.layer,
        line=placed.origin.line,
        outcome=outcome,
        reason=reason,
        binds=binds,
    )


def _behind(rule: Rule, winner: Rule) -> str:
    if rule.priority != winner.priority:
        return f"matches, but priority {rule.priority} stands behind {winner.priority} of `{winner.name}`"
    return f"matches with the same priority, but `{winner.name}` is more specific or stands before it"


def _unmet(rule: Rule, request: MatchRequest) -> Iterator[str]:
    paths, tokens = request.paths, request.context_tokens
    if rule.intent is not None and not {request.intent, request.family} & set(rule.intent):
        yield f"intent is {request.intent}, not {' or '.join(rule.intent)}"
    if rule.skill is not None and request.skill not in rule.skill:
        yield f"skill is {request.skill or 'none'}, not {' or '.join(rule.skill)}"
    if rule.paths is not None and not any(map(GlobSet(rule.paths).hits, paths)):
        yield f"no path of the phase matches {', '.join(f'`{glob}`' for glob in rule.paths)}"
    if not all(condition(request) for condition in further_conditions(rule)):
        if rule.min_paths is not None and len(paths) < rule.min_paths:
            yield f"{len(paths)} paths, fewer than {rule.min_paths}"
        if rule.min_context_tokens is not None and tokens < rule.min_context_tokens:
            yield f"{tokens} tokens, fewer than {rule.min_context_tokens}"
        if rule.languages is not None:
            yield f"no path is in {' or '.join(rule.languages)}"


class Failing(NamedTuple):
    """With what an attempt ended: its cause where that is known, and whose it was."""

    code: Code
    cause: Cause | None = None
    model: str | None = None


def changes(decision: Decision, failed: Sequence[Failing] = (), *, fixed: bool = False) -> tuple[str, ...]:
    """What would have to change for a phase that was not done, or for its rejected candidates to serve.

    Args:
        decision: what was decided.
        failed: with what the attempts ended, where none of them completed.
        fixed: as for `remedy`.
    """
    said = [remedy(one.code, fixed=fixed, cause=one.cause, model=one.model) for one in failed]
    said.append(instead(decision, fixed=fixed))
    if decision.status in (Status.ROUTED, Status.HANDOFF):
        for rejected in decision.rejected:
            words = TO_LET_SERVE.get(rejected.code) or _own(rejected, fixed=fixed)
            said += [f"to let `{rejected.model}` serve: {words}"] if words else []
    else:
        said += [_own(rejected, fixed=fixed) for rejected in decision.rejected]
    return tuple(dict.fromkeys(filter(None, said)))


_ASKED_FOR = {Code.APPROVAL_REQUIRED: Code.COST_LIMIT_EXCEEDED}
"""What of a candidate makes that a person has to be asked, where it is not that it is remote."""


def instead(decision: Decision, *, fixed: bool = False) -> str:
    """What to write or do for a decision that is a refusal; empty where nothing can be said."""
    meant = (decision.code, _ASKED_FOR.get(decision.code)) if decision.code else ()
    first = next((one for one in decision.rejected if one.code in meant), None)
    return _own(first, fixed=fixed) if first else remedy(decision.code, fixed=fixed, model=decision.model)


def _own(rejected: Rejected, *, fixed: bool) -> str:
    """What would let a rejected candidate serve."""
    return rejected.detail if rejected.undeclared else remedy(rejected.code, fixed=fixed, model=rejected.model)


def golden_view(decision: Decision, columns: int | None = None) -> str:
    """One decision for a terminal; in lines of so many columns, if any number is given."""
    lines = [
        ("detected task", _task_line(decision)),
        (
            "status",
            f"{decision.status}" + (f" ({decision.code})" if decision.code not in (None, decision.status) else ""),
        ),
        ("selected model", _model_line(decision)),
        ("matched rule", _rule_line(decision)),
        ("why", decision.reason),
        ("effort", str(decision.effort)),
        ("fallbacks", ", ".join(decision.fallbacks) or "none"),
    ]
    lines += [("rejected", f"{r.model}: {r.code}, {r.detail}") for r in decision.rejected]
    lines += [("included context", _entry_line(entry)) for entry in decision.context.included] or [
        ("included context", "none")
    ]
    lines += [("excluded context", _entry_line(entry)) for entry in decision.context.excluded] or [
        ("excluded context", "none")
    ]
    lines += [
        ("estimated cost", _cost_line(decision)),
        ("permissions", ", ".join(_permission(name, grant, decision) for name, grant in decision.permissions.items())),
        ("decision", decision.decision_id[:16] + ("" if decision.recorded else " (not recorded)")),
    ]
    if decision.escalation is not None:
        lines.append(("escalation", _escalation_line(decision.escalation)))
    if decision.tools:
        lines.append(("may look with", f"{', '.join(decision.tools)} [at most {CAPS.rounds} rounds]"))
    if decision.status is Status.HANDOFF and decision.handoff is not None:
        lines.append(("host does it", decision.handoff.detail))
    width = max(len(label) for label, _ in lines) + 2
    shown = (f"{label + ':':<{width}}{text}" for label, text in lines)
    return "\n".join(shown if columns is None else (_folded(line, columns, width) for line in shown))


def _folded(line: str, columns: int, indent: int) -> str:
    if len(line) <= columns:
        return line
    lines = wrap(line, columns, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)


_KNOWN_BY = {
    "declared": "named by the call",
    "reader": "read in the words",
    "command": "a command in the words",
    "implied": "another phase asks for it",
    "default": "nothing else was recognised",
}


def _task_line(decision: Decision) -> str:
    """The intent, how sure that is, and by which words."""
    intent = decision.intent
    number = intent.source.partition(":")[2]
    how = _KNOWN_BY.get(intent.source) or f"by classification rule {number}"
    words = f": {', '.join(intent.evidence)}" if intent.evidence else ""
    other = f"; else {intent.runner_up}" if intent.runner_up and intent.confidence != "high" else ""
    return f"{intent.name}, {intent.confidence} confidence [{how}{words}{other}]"


def _model_line(decision: Decision) -> str:
    if decision.model is None:
        return "none"
    resolved = f" = {decision.resolved_model}" if decision.resolved_model != decision.model else ""
    return f"{decision.model}{resolved} [{decision.locality}]"


def _rule_line(decision: Decision) -> str:
    rule = decision.matched_rule
    return f"{rule.name} [{rule.layer}]" if rule else "none (default route)"


def _entry_line(entry: ContextEntry) -> str:
    size = f", {entry.tokens} tokens" if entry.tokens is not None else ""
    return f"{entry.path} [{entry.kind}{size}]: {entry.reason}"


def _cost_line(decision: Decision) -> str:
    cost, size = decision.cost, f"{decision.tokens} tokens in"
    if decision.model is None:
        return f"none, no model is chosen, {size}"
    if cost is None:
        return f"unknown price, {size}"
    return f"{_range(cost)} [{_paid_by(cost)}], {size}"


def _range(cost: CostRange) -> str:
    """The least and the most; one figure where they are the same."""
    return f"{cost.min} {cost.currency}" if cost.min == cost.max else f"{cost.min} to {cost.max} {cost.currency}"


def _paid_by(cost: CostRange) -> str:
    """Who pays, and where the price comes from."""
    if cost.kind == "local":
        return "it runs here"
    return f"{'a plan pays' if cost.kind == 'plan' else 'list price'}, from {_SOURCES.get(cost.source, cost.source)}"


_SOURCES = {"policy": "the policy"}


def _escalation_line(found: EscalationReport) -> str:
    if not found.models:
        gone = "; ".join(f"{one.model}: {one.code}" for one in found.rejected)
        return f"nobody [{gone or 'whoever it names is asked anyway'}]"
    cost = f"{_range(found.cost)} more" if found.cost else "unknown price"
    return f"{', then '.join(found.models)} on {', '.join(found.on)} [{cost}]"


def _permission(name: str, grant: Grant, decision: Decision) -> str:
    if name == "file_write" and grant is not Grant.DENY and FAMILY[decision.intent.name] is not Intent.EDIT:
        return f"{name} not needed"
    return f"{name} {'to be approved' if grant is Grant.ASK else grant}"
