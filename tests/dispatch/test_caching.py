"""When a request is marked to be kept, and when it is not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from smista_mcp.core.caching import CacheFacts, Keeping, Outlook
from smista_mcp.core.catalog import ModelFacts
from smista_mcp.core.decision import ContextReport
from smista_mcp.core.digests import digest_of
from smista_mcp.core.facts import ContextItem
from smista_mcp.core.modelref import ModelRef
from smista_mcp.core.pieces import Block, Piece, PieceKind
from smista_mcp.core.selection import Candidate
from smista_mcp.core.turns import MAX_TURNS, Turn
from smista_mcp.core.values import Locality
from smista_mcp.dispatch.caching import Layout, Thread, is_whole, opening_of, order_of, outlook, with_marks
from smista_mcp.dispatch.exchanges import Looking
from smista_mcp.dispatch.prompts import Order
from smista_mcp.providers.base import Message

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
FACTS = ModelFacts(
    ref=ModelRef("anthropic", "m"),
    known=True,
    context_window=None,
    max_output_tokens=None,
    capabilities={},
    price=None,
    price_kind="unknown",
    source="",
    nearest=(),
    token_factor=1.0,
    cache=CacheFacts("marks", 1000, 300),
)
ME = "anthropic/m"
TO = Candidate(ME, ME, "anthropic", Locality.REMOTE, FACTS, 0, None, 0, ContextReport(), (), needs_approval=False)
KEY = b"k" * 32
SYSTEM, STAYS, TURN, ASKED = Message("system", "do it"), *(Message("user", "x") for _ in range(3))
AHEAD = Outlook(frozenset((opening_of([SYSTEM], ()),)))


def turn(age: float, model: str = ME) -> Turn:
    return Turn(1, "words", "answer", model=model, at=(NOW - timedelta(seconds=age)).timestamp(), opening="o")


@pytest.mark.parametrize(
    ("turns", "soon"),
    [
        ((), False),
        ((turn(299),), True),
        ((turn(301),), False),  # what was kept is gone by now
        ((turn(-1),), False),  # a clock that was set back tells nothing
        ((turn(10, "anthropic/other"),), False),
        ((turn(200), turn(10, "anthropic/other")), True),
    ],
)
def test_a_session_is_kept_while_this_model_is_asked_soon_enough(turns: tuple[Turn, ...], soon: bool) -> None:
    assert outlook(Thread("s", turns), TO, "t", NOW, KEY).openings == ({"o"} if soon else set())


def test_a_key_is_the_same_for_a_session_and_a_model_and_for_nothing_else() -> None:
    def key(name: str, to: Candidate = TO, secret: bytes = KEY) -> str | None:
        return outlook(Thread(name), to, "t", NOW, secret).key

    other = TO._replace(resolved="anthropic/n")
    keys = [key("s"), key("r"), key("s", other), key("s", secret=b"x"), outlook(None, TO, "t", NOW, KEY).key]
    assert len(set(keys)) == 5
    assert key("s") == keys[0]
    assert outlook(None, TO, None, NOW, KEY).key is None
    assert outlook(Thread("s"), TO._replace(facts=FACTS._replace(cache=None)), "t", NOW, KEY) == Outlook()


def piece(name: str, kind: PieceKind, *forms: str) -> Piece:
    return Piece(Block(name, name), name, digest_of(name), 1, kind=kind, forms=forms)


def test_what_comes_again_stands_first_and_the_turns_from_the_oldest_on() -> None:
    conventions = replace(piece("AGENTS.md", "instructions", "AGENTS.md"), block=Block("a", "a", "conventions"))
    workflow = replace(piece("SKILL.md", "skill", "SKILL.md"), block=Block("s", "s", "workflow"))
    pieces = [
        piece("new.py", "file", "new.py"),
        piece("old.py", "file", "old.py"),
        piece("diff", "git_diff", "old.py"),
        conventions,
        workflow,
        piece("turn 2", "turn"),
        piece("turn 1", "turn", "old.py"),
    ]
    assert order_of(pieces, FACTS) == Order((4, 3, 1, 6, 5), apart=True)
    assert order_of(pieces, FACTS._replace(cache=None)) == Order((4, 3, 1, 6, 5), apart=False)
    assert order_of(pieces[:5], FACTS) == Order()


def test_where_a_turn_no_longer_fits_every_request_begins_differently() -> None:
    items = [ContextItem(f"turn {n}", "answer", 1, required=False, digest="") for n in range(3)]
    sent = [replace(piece("x", "turn"), place=place) for place in (0, 2)]
    assert not is_whole(items, [], sent)
    assert is_whole(items, [1], sent)
    many = items * MAX_TURNS
    assert not is_whole(many, list(range(len(many))), [])


def kept(
    counts: list[int], facts: ModelFacts = FACTS, *, tools: bool = False, ahead: Outlook | None = None
) -> list[int]:
    looking = Looking(rounds=2 if tools else 0)
    asked = (SYSTEM, STAYS, TURN, ASKED)
    marked, keeping = with_marks(facts, asked, Layout(Order((0, 1)), counts, looking, True), ahead or AHEAD)
    assert keeping in (None, Keeping("marks"))
    return [place for place, message in enumerate(marked) if message.kept]


def test_marks_stand_where_the_last_request_ended_and_where_this_one_does() -> None:
    assert kept([10, 800, 200, 10]) == [1, 2]
    assert kept([10, 800, 100, 9000]) == []  # too short to be kept
    assert kept([10, 800, 200, 10], FACTS._replace(token_factor=0.9)) == []
    assert kept([10, 800, 200, 10], ahead=Outlook()) == []
    other = opening_of([replace(SYSTEM, content="to do something else")], ())
    assert kept([10, 800, 200, 10], ahead=Outlook(frozenset((other,)))) == []
    assert kept([10, 800, 200, 10], FACTS._replace(cache=None)) == []
