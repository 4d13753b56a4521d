"""Rules with remote candidates whose tasks have to stay on this machine: `local_only_overlap`.

A task is meant whose paths all meet both rules: that a task over several places meets both is nothing to mend. Said of

* a rule that wins a task which another rule keeps local, by that rule's conditions as they are written (that binding
  rules hold without case, and for an intent that is a mere guess, is a precaution and no finding);
* a rule whose own paths are all restricted or blocked. Other rules meet restricted files only where a task names one,
  and that is what restrictions are for.

Nothing leaks in either case: the floor of the task allows local candidates only, and where there is none, refuses.
"""

from collections.abc import Iterator

from smista_mcp.core.checking.conditions import Contender, Field, Situation, contest, meeting
from smista_mcp.core.checking.localities import maybe_local, some_remote
from smista_mcp.core.checking.pathsets import PathKey, TooLarge
from smista_mcp.core.checking.told import not_compared, told
from smista_mcp.core.checking.witnesses import winning_witness
from smista_mcp.core.effective import Policy
from smista_mcp.core.findings import Finding, FindingCode


def overlaps(field: Field, policy: Policy) -> Iterator[Finding]:
    """All rules in force that are led to remote models and cannot always follow."""
    leaving = [rule for rule in field.winners if not rule.placed.rule.local_only and _leaves(rule, policy)]
    staying = [rule for rule in field.contenders if rule.placed.rule.local_only]
    for rule in leaving:
        for keeper in staying:
            try:
                found = _won(field, rule, keeper)
            except TooLarge as error:
                yield not_compared((keeper, rule), error)
                continue
            if found is not None:
                message = f"`{rule.name}` wins tasks that `{keeper.name}` keeps local: {_outcome(rule, policy)}"
                yield told(
                    (keeper, rule),
                    FindingCode.LOCAL_ONLY_OVERLAP,
                    (message, f"let `{keeper.name}` win (a lower `priority`), or narrow one of them"),
                    witness=winning_witness(field, found),
                )
        try:
            yield from _within(field, rule, policy)
        except TooLarge as error:
            yield not_compared((rule,), error)


def _won(field: Field, rule: Contender, keeper: Contender) -> Situation | None:
    """A task that `rule` wins and `keeper` binds."""
    if meeting(field.paths, (rule, keeper)) is None or contest(field, rule).won is None:
        return None
    return contest(field, rule, (keeper,)).won


def _leaves(rule: Contender, policy: Policy) -> bool:
    return any(some_remote(target, policy) for target in (rule.placed.rule.model, *rule.placed.rule.fallbacks))


def _outcome(rule: Contender, policy: Policy) -> str:
    local = any(maybe_local(target, policy) for target in (rule.placed.rule.model, *rule.placed.rule.fallbacks))
    return "its remote candidates are left out there" if local else "they are refused, for it has no local candidate"


def _within(field: Field, rule: Contender, policy: Policy) -> Iterator[Finding]:
    """A rule of which each task names a file that must not leave."""
    for key, patterns in (
        ("privacy.remote.blocked_paths", policy.blocked),
        ("privacy.restricted_paths", (*policy.blocked, *policy.restricted)),
    ):
        kept = PathKey(globs=tuple(dict.fromkeys(pattern for pattern, _ in patterns)), ignore_case=True)
        inside = [one for one in rule.paths if kept.globs and field.paths.find((one,), (kept,)) is None]
        if not inside:
            continue
        found = contest(field, rule).won
        if found is not None:
            message = f"each task of `{rule.name}` names a file of `{key}`: {_outcome(rule, policy)}"
            yield told(
                (rule,),
                FindingCode.LOCAL_ONLY_OVERLAP,
                (message, "name local models only, or take the pattern out of the restrictions"),
                witness=winning_witness(field, found),
            )
        return
