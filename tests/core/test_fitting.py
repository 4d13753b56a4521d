"""What goes to each model: nothing of the context is lost between what is included and what is not."""

import math
from collections import Counter

import pytest
from deciding import world
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.facts import ContextItem, HostFacts, ItemKind, LeftOut, PhaseContext
from smista_mcp.core.fitting import FRAME_TOKENS, FRAMED_ROOM, LISTED, UNNAMED, fit, listed
from smista_mcp.core.routing import Routed, route
from smista_mcp.core.secretscan import SecretFact
from smista_mcp.core.selection import OUTPUT_ROOM
from smista_mcp.core.task import IntentReading, Phase, Task
from smista_mcp.core.values import Confidence, Intent, Locality

TARGETS = ("openai-compat:small/m", "openai-compat:large/m", "openai-compat:here/m", "host/current")
POLICY = f"""
[routing.default]
model = "{TARGETS[0]}"
fallbacks = {list(TARGETS[1:])}

[privacy]
restricted_paths = ["secret*"]

[privacy.remote]
mode = "allow"

[providers."openai-compat:small"]
base_url = "https://small.example.org/v1"
[providers."openai-compat:large"]
base_url = "https://large.example.org/v1"
[providers."openai-compat:here"]
base_url = "http://127.0.0.1:1/v1"
locality = "local"

[catalog."openai-compat:small/m"]
context_window = 700
[catalog."openai-compat:large/m"]
context_window = 1500
[catalog."openai-compat:here/m"]
context_window = 900
"""
KINDS: tuple[ItemKind, ...] = ("skill", "file", "git_diff", "attachment", "instructions")


@st.composite
def contexts(draw: st.DrawFn) -> PhaseContext:
    items: list[ContextItem] = []
    for number in range(draw(st.integers(0, 8))):
        required = draw(st.booleans())
        free = not required or draw(st.integers(0, 5)) > 0
        items.append(
            ContextItem(
                path=f"item{number}",
                kind=draw(st.sampled_from(KINDS)),
                tokens=draw(st.integers(0, 400)),
                required=required,
                digest="",
                forms=(f"item{number}",) if free and draw(st.booleans()) else (f"secret{number}",),
                restricted=None,
                secrets=() if draw(st.integers(0, 5)) else (SecretFact("github_token", 1),),
            )
        )
    gone = tuple(LeftOut(f"gone{number}", "file", "binary") for number in range(draw(st.integers(0, 4))))
    return PhaseContext(items=tuple(items), left_out=gone)


def routed(context: PhaseContext, host: HostFacts) -> Routed:
    reading = IntentReading(name=Intent.EDIT, source="declared", confidence=Confidence.HIGH)
    phase = Phase(index=0, intent=reading, text="do it")
    (one,) = route(Task(text="do it"), [phase], [context], world(POLICY, host=host))
    return one


@given(contexts(), st.sampled_from([Locality.LOCAL, Locality.REMOTE]))
def test_every_piece_stands_once_in_every_candidates_report(context: PhaseContext, locality: Locality) -> None:
    one = routed(context, HostFacts(locality=locality))
    everything = Counter([*(item.path for item in context.items), *(gone.path for gone in context.left_out)])
    reports = [candidate.context for candidate in one.candidates]
    for report in (*reports, *([] if one.candidates else [one.decision.context])):
        assert Counter(entry.path for entry in (*report.included, *report.excluded)) == everything
        assert all(entry.reason for entry in (*report.included, *report.excluded))


@given(contexts())
def test_what_must_go_along_is_never_cut_and_the_sums_are_right(context: PhaseContext) -> None:
    one = routed(context, HostFacts())
    for candidate in one.candidates:
        if candidate.provider == "host":
            continue
        chosen = [context.items[place] for place in candidate.included]
        text = one.candidates[0].tokens - sum(context.items[p].tokens for p in one.candidates[0].included)
        assert [entry.path for entry in candidate.context.included] == [item.path for item in chosen]
        assert {item.path for item in context.items if item.required} <= {item.path for item in chosen}
        assert candidate.tokens == text + sum(item.tokens for item in chosen)
        assert candidate.tokens <= candidate.window - OUTPUT_ROOM
        if candidate.locality is Locality.REMOTE:
            assert not any(item.secrets or item.forms[0].startswith("secret") for item in chosen)


@given(contexts(), st.integers(0, 2000), st.sampled_from([1.0, 1.3]))
def test_what_only_helps_goes_in_order_as_long_as_it_fits(context: PhaseContext, room: int, factor: float) -> None:
    found = fit(context, {}, 10, factor, room)
    spent = 10 + sum(item.tokens for item in context.items if item.required)
    for place, item in enumerate(context.items):
        fits = item.required or math.ceil((spent + item.tokens) * factor) <= room
        assert (place in found.included) == fits
        spent += item.tokens if fits and not item.required else 0
    assert found.tokens == math.ceil(spent * factor)
    assert found.fits == (found.tokens <= room and found.spare >= 0)
    needed = 10 + sum(item.tokens for item in context.items if item.required)
    assert found.spare <= room + FRAMED_ROOM - math.ceil((needed + FRAME_TOKENS) * factor)


@pytest.mark.parametrize("count", [LISTED, LISTED + 1, LISTED + 5])
def test_a_printed_report_names_so_many_and_counts_the_rest(count: int) -> None:
    items = tuple(ContextItem(f"item{n}", "file", 2, required=True, digest="") for n in range(count))
    gone = tuple(LeftOut(f"gone{n}", "file", "binary") for n in range(count))
    report = listed(fit(PhaseContext(items=items, left_out=gone), {}, 0, 1.0, 10_000).report)
    for entries in (report.included, report.excluded):
        assert len(entries) == min(count, LISTED + 1)
    if count > LISTED:
        assert (report.included[-1].path, report.included[-1].tokens) == (
            f"{count - LISTED} more",
            2 * (count - LISTED),
        )


def test_what_was_collected_as_a_count_is_counted_as_many() -> None:
    named = tuple(LeftOut(f"gone{n}", "file", "binary") for n in range(LISTED))
    gone = (*named, LeftOut("980 more", "file", UNNAMED), LeftOut("5 more", "file", "binary"))
    report = listed(fit(PhaseContext(left_out=gone), {}, 0, 1.0, 10).report)
    assert report.excluded[-1].path == "981 more"
