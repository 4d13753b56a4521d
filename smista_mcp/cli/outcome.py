"""`outcome` and `evidence`: what a person says of an answer, and what the record teaches of models."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from smista_mcp.app.learning import Learned, freeze, learned, reset, say, thaw
from smista_mcp.cli.failures import DONE
from smista_mcp.cli.inputs import opened
from smista_mcp.cli.parser import Options
from smista_mcp.cli.person import check_is_there
from smista_mcp.cli.printing import one_line, put, put_json, put_table
from smista_mcp.core.costing import usd
from smista_mcp.core.evidence import Evidence, wilson
from smista_mcp.core.explained import EvidenceReport, OutcomeReport
from smista_mcp.errors import InvalidTask
from smista_mcp.ledger.outcomes import MAX_NOTE, Outcome, Saying, Tried

_SHORT = 16


def outcome(options: Options) -> int:
    """Records what a person says of an answer; with --as-host what an agent says, which counts for nothing."""
    verdict: Saying = "good" if options.verdict == "good" else "bad"
    given = options.text or ""
    if len(options.said or "") > MAX_NOTE:
        raise InvalidTask(f"the note has more than {MAX_NOTE} characters", fix="write it shorter")
    world = opened(options).world
    if not options.as_host:
        elsewhere = (
            f"a person runs `smista-mcp outcome {given[:8]} {verdict}` in a terminal of their own; with --as-host it is"
            " kept as the word of a host, which counts for nothing"
        )
        check_is_there(world.settings.environment, "judge an answer", elsewhere)
    source, via = ("host", "command line") if options.as_host else ("person", "terminal")
    said = say(world, given, verdict, source, via, options.said or "")
    if options.json:
        put_json([one._asdict() for one in said])
    else:
        put(*map(_said, said))
    return DONE


def _said(one: Outcome) -> str:
    whose = "a host's word: kept, not counted" if one.source == "host" else "your word, in place of what was reported"
    return f"trace {one.trace_id[:_SHORT]}, {one_line(one.model)}: {one.verdict}; {whose}"


def show(options: Options) -> int:
    """Prints how the answers of each model turned out, and what decisions see of that now."""
    found = learned(opened(options).world)
    if options.json:
        put_json(_plain(found))
        return DONE
    put(*_standing(found), "")
    rows = [_row(one, found) for one in found.tried]
    if not rows:
        put(f"nothing was tried since {found.since:%Y-%m-%d %H:%M} UTC")
        return DONE
    head = ("host", "intent", "model", "good", "bad", "95 % between", "said", "not judged", "seconds", "USD")
    put_table([head, *rows])
    put("", *_host_words(found.tried))
    return DONE


def _row(one: Tried, found: Learned) -> tuple[str, ...]:
    spent = found.spent.get((one.host, one.intent, one.model))
    lower, upper = wilson(one.good, one.bad)
    between = f"{lower:.2f} and {upper:.2f}" if one.good or one.bad else "-"
    took = f"{spent.seconds / spent.requests:.1f}" if spent and spent.requests else "-"
    unknown = f" and {spent.unknown} unknown" if spent and spent.unknown else ""
    cost = "-" if spent is None else f"{usd(Decimal(spent.cost))}{unknown}"
    figures = (one.good, one.bad, between, one.said, one.unjudged, took, cost)
    return (one_line(one.host), one.intent, one_line(one.model), *map(str, figures))


def _host_words(tried: Sequence[Tried]) -> Iterator[str]:
    yield "good and bad: by a person's word, or else as the provider reported; seconds of a request, USD of whole days"
    said = sum(one.host_good + one.host_bad for one in tried)
    if said:
        good = sum(one.host_good for one in tried)
        yield f"hosts said of {said} answers that they were good or bad ({good} good), which counts for nothing"


def _standing(found: Learned) -> Iterator[str]:
    rules, held = found.rules, found.standing
    if found.in_force is None:
        yield "[routing.adaptive] is off: decisions see none of this"
    else:
        until = f"before {found.in_force.until} (UTC)" if found.in_force.until else "that can be read: none"
        seen = found.in_force
        yield f"decisions see evidence {seen.digest[:_SHORT]}: attempts {until}, {seen.window_days} days"
    yield f"enough: {rules.min_attempts} judged attempts against a model, as many good ones for another"
    if held.frozen is not None:
        since = (held.frozen_at or "")[:19]
        yield f"frozen since {since}Z as {held.frozen[:_SHORT]}; `smista-mcp evidence thaw` ends that"
    if held.reset_at is not None:
        yield f"begun anew at {held.reset_at[:19]}Z: what was before does not count"


def _plain(found: Learned) -> dict[str, object]:
    rows: list[dict[str, object]] = []
    for one in found.tried:
        spent = found.spent.get((one.host, one.intent, one.model))
        lower, upper = wilson(one.good, one.bad)
        took = None if spent is None else spent._asdict()
        rows.append({**one._asdict(), "lower": str(lower), "upper": str(upper), "spent": took})
    return {
        "since": found.since.isoformat(),
        "until": found.until.isoformat(),
        "rules": found.rules._asdict(),
        "in_force": None if found.in_force is None else _body(found.in_force),
        "frozen": found.standing.frozen,
        "frozen_at": found.standing.frozen_at,
        "reset_at": found.standing.reset_at,
        "tried": rows,
    }


def _body(one: Evidence) -> dict[str, object]:
    cells = [cell._asdict() for cell in one.cells]
    return {"digest": one.digest, "until": one.until, "window_days": one.window_days, "cells": cells}


def freezing(options: Options) -> int:
    """Holds the evidence that is in force."""
    held = freeze(opened(options).world)
    return _done(options, {"frozen": held.digest}, f"held: {held.digest[:_SHORT]}, until `smista-mcp evidence thaw`")


def thawing(options: Options) -> int:
    """Lets decisions see again what is counted each day."""
    thaw(opened(options).world)
    return _done(options, {"frozen": None}, "decisions see again what is counted each day")


def resetting(options: Options) -> int:
    """Lets only what begins from now on count."""
    reset(opened(options).world)
    return _done(
        options, {"reset": True}, "begun anew: only attempts from now on count; the record itself is as it was"
    )


def _done(options: Options, document: object, words: str) -> int:
    if options.json:
        put_json(document)
    else:
        put(words)
    return DONE


def evidence_lines(report: EvidenceReport | None) -> Iterator[str]:
    """What a decision saw of how models did. The values must be fit to be shown."""
    if report is None:
        return
    window = f"{report.window_days} days before {report.until}"
    yield f"\nevidence {report.digest[:_SHORT]} ({report.intent} for {report.host}, {window}):"
    for one in report.models:
        judged = one.good + one.bad
        yield f"  {one.model}: {one.good} of {judged} good, 95 % between {one.lower} and {one.upper}"
    if not report.models:
        yield "  nothing was counted of these models"


def outcome_lines(said: Sequence[OutcomeReport]) -> Iterator[str]:
    """What was said of answers. The values must be fit to be shown."""
    for one in said:
        counted = "" if one.counts else ", replaced" if one.source == "person" else ", not counted"
        note = f": {one.note}" if one.note else ""
        yield f"\na {one.source} said {one.verdict} of the answer of {one.model}, {one.at[:19]}Z{counted}{note}"
