"""Rules with remote candidates whose tasks have to stay on this machine: `local_only_overlap`.

A task is meant whose paths all meet both rules: that a task over several places meets both is nothing to mend. Said of

* a rule that wins a task which another rule keeps local, by that rule's conditions as they are written; where one of
  its patterns never meets the rule as it is written, also without regard to case, as what keeps local binds (that it
  binds too for an intent that is a mere guess is a precaution and no finding);
* a rule whose own paths are all restricted or blocked;
* a rule of which some paths are, by a pattern of the user's or another file (not of a preset, nor one that is built in)
  that names a folder, such as `src/keys/**`. Patterns such as `*.key` hold everywhere and name no place that a rule
  could steer clear of. It is a warning where the rule has no local candidate and its own pattern names a folder, and
  information where it has one behind a remote one or names none (`*.rs`). Where a local one comes first, nothing is
  said, nor of a pattern that names every file.

Nothing leaks in any case: the floor of the task allows local candidates only, and where there is none, refuses.
"""

from collections.abc import Iterator, Sequence

from smista_mcp.core.checking.conditions import Contender, Field, Situation, contest, meeting
from smista_mcp.core.checking.localities import maybe_local, some_remote
from smista_mcp.core.checking.pathsets import PathKey, TooLarge
from smista_mcp.core.checking.told import not_compared, told
from smista_mcp.core.checking.witnesses import winning_witness
from smista_mcp.core.effective import Origin, Policy
from smista_mcp.core.findings import Finding, FindingCode, Severity
from smista_mcp.core.restrictions import DEFAULT_RESTRICTED
from smista_mcp.core.values import Layer

_RESTRICTED, _BLOCKED = "privacy.restricted_paths", "privacy.remote.blocked_paths"


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
            yield from _restricted(field, rule, policy)
        except TooLarge as error:
            yield not_compared((rule,), error)


def _won(field: Field, rule: Contender, keeper: Contender) -> Situation | None:
    """A task that `rule` wins and `keeper` binds."""
    found = _won_as_written(field, rule, keeper)
    if found is not None:
        return found
    otherwise = _spelled_otherwise(field, rule, keeper)
    return None if otherwise is None else _won_as_written(field, rule, otherwise)


def _won_as_written(field: Field, rule: Contender, keeper: Contender) -> Situation | None:
    if meeting(field.paths, (rule, keeper)) is None or contest(field, rule).won is None:
        return None
    return contest(field, rule, (keeper,)).won


def _spelled_otherwise(field: Field, rule: Contender, keeper: Contender) -> Contender | None:
    """The keeper by those of its patterns that never meet the rule as they are written, without regard to case.

    A pattern that does meet it would make each task whose paths are spelled oddly a finding. None where case matters
    to no pattern.
    """
    written = [glob for key in (*rule.paths, *keeper.paths) for glob in key.globs]
    if not any(glob != glob.lower() or "[" in glob for glob in written):
        return None
    keys = [key for key in keeper.paths if key.globs]
    if not keys:
        return None
    languages = tuple(key for key in keeper.paths if not key.globs)
    apart = [
        glob
        for glob in keys[0].globs
        if meeting(field.paths, (rule, keeper._replace(paths=(PathKey(globs=(glob,)), *languages)))) is None
    ]
    folded = PathKey(globs=tuple(apart), ignore_case=True)
    return keeper._replace(paths=(folded, *languages)) if apart else None


def _leaves(rule: Contender, policy: Policy) -> bool:
    return any(some_remote(target, policy) for target in _targets(rule))


def _targets(rule: Contender) -> Sequence[str]:
    return rule.placed.rule.targets


def _has_local(rule: Contender, policy: Policy) -> bool:
    return any(maybe_local(target, policy) for target in _targets(rule))


def _outcome(rule: Contender, policy: Policy) -> str:
    if _has_local(rule, policy):
        return "its remote candidates are left out there"
    return "they are refused, for it has no local candidate"


def _restricted(field: Field, rule: Contender, policy: Policy) -> Iterator[Finding]:
    """A rule that names files that must not leave."""
    own = next((key for key in rule.paths if key.globs), None)
    whole = _within(field, rule, policy)
    if whole is not None:
        yield from whole
    elif own is not None and _leaves_first(rule, policy):
        yield from _in_part(field, rule, own, policy)


def _within(field: Field, rule: Contender, policy: Policy) -> Sequence[Finding] | None:
    """Where each task of a rule names a file that must not leave; None where not each one does."""
    for key, patterns in ((_BLOCKED, policy.blocked), (_RESTRICTED, (*policy.blocked, *policy.restricted))):
        kept = PathKey(globs=tuple(dict.fromkeys(pattern for pattern, _ in patterns)), ignore_case=True)
        inside = [one for one in rule.paths if kept.globs and field.paths.find((one,), (kept,)) is None]
        if not inside:
            continue
        found = contest(field, rule).won
        if found is None:
            return ()
        message = f"each task of `{rule.name}` names a file of `{key}`: {_outcome(rule, policy)}"
        one = told(
            (rule,),
            FindingCode.LOCAL_ONLY_OVERLAP,
            (message, "name local models only, or take the pattern out of the restrictions"),
            witness=winning_witness(field, found),
        )
        return (one,)
    return None


def _in_part(field: Field, rule: Contender, own: PathKey, policy: Policy) -> Iterator[Finding]:
    """Where some tasks of a rule name a file of a folder that must not leave."""
    named = tuple(glob for glob in own.globs if _names_folder(glob))
    anywhere = tuple(glob for glob in own.globs if glob.strip("*/"))
    for globs in dict.fromkeys((named, anywhere)):
        met: dict[str, Situation] = {}
        for pattern in _stated_folders(policy):
            found = _won_within(field, rule, globs, pattern) if globs else None
            if found is not None:
                met[pattern] = found
        if met:
            refused = bool(globs == named) and not _has_local(rule, policy)
            shown = ", ".join(f"`{pattern}`" for pattern in met)
            message = f"`{rule.name}` wins tasks on files that must not leave ({shown}): {_outcome(rule, policy)}"
            yield told(
                (rule,),
                FindingCode.LOCAL_ONLY_OVERLAP,
                (message, f"give {shown} a `local_only` rule that comes before it, or narrow its `paths`"),
                severity=Severity.WARNING if refused else Severity.INFO,
                witness=winning_witness(field, next(iter(met.values()))),
            )
            return


def _won_within(field: Field, rule: Contender, globs: tuple[str, ...], pattern: str) -> Situation | None:
    """A task that `rule` wins by a file of these globs and of the pattern.

    As it is written, first: that it also forbids what is spelled oddly says nothing of a rule that steers clear of it.
    """
    written = rule._replace(paths=(PathKey(globs=(pattern,)), PathKey(globs=globs)))
    if meeting(field.paths, (rule, written)) is None:
        written = rule._replace(paths=(PathKey(globs=(pattern,), ignore_case=True), PathKey(globs=globs)))
    return _won_as_written(field, rule, written)


def _stated_folders(policy: Policy) -> Sequence[str]:
    """What files besides presets restrict or block, as far as it names a folder."""
    patterns = (pattern for pattern, origin in (*policy.blocked, *policy.restricted) if _stated(pattern, origin))
    return tuple(dict.fromkeys(patterns))


def _stated(pattern: str, origin: Origin) -> bool:
    own = origin.file is not None and origin.layer is not Layer.PRESET
    return own and pattern not in DEFAULT_RESTRICTED and _names_folder(pattern)


def _names_folder(pattern: str) -> bool:
    """Whether a pattern has a folder in it by its name."""
    return any(part and not {*part} & {*"*?["} for part in pattern.split("/")[:-1])


def _leaves_first(rule: Contender, policy: Policy) -> bool:
    """Whether a remote candidate comes before every local one."""
    first = next(
        (target for target in _targets(rule) if some_remote(target, policy) or maybe_local(target, policy)), ""
    )
    return bool(first) and some_remote(first, policy)
