"""Labels travel, and only upward."""

from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.floor import Floor
from smista_mcp.core.foreseen import label_of
from smista_mcp.core.values import Label

LABELS: st.SearchStrategy[Label | None] = st.sampled_from([None, "local", "restricted"])
RANK = {None: 0, "local": 1, "restricted": 2}


def floor(*, restricted: bool = False, bound: bool = False, withheld: tuple[int, ...] = (), kept: int = 0) -> Floor:
    return Floor(
        local=restricted or bound,
        remote_denied=False,
        restricted=restricted,
        only_models=(),
        reasons=(),
        withheld=dict.fromkeys(withheld, "why"),
        bound=bound,
        kept=frozenset(withheld[:kept]),
    )


FLOORS = st.builds(
    floor,
    restricted=st.booleans(),
    bound=st.booleans(),
    withheld=st.sets(st.integers(0, 4)).map(tuple),
    kept=st.integers(0, 5),
)


def test_an_answer_from_free_content_has_no_label() -> None:
    assert label_of(floor(), {0, 1}, [None]) is None


def test_an_answer_from_restricted_content_is_restricted() -> None:
    assert label_of(floor(restricted=True), (), []) == "restricted"
    assert label_of(floor(withheld=(1,)), {0, 1}, []) == "restricted"


def test_what_was_not_sent_leaves_no_label() -> None:
    assert label_of(floor(withheld=(1,)), {0, 2}, []) is None


def test_what_only_a_rule_keeps_here_is_local() -> None:
    assert label_of(floor(bound=True), (), []) == "local"
    assert label_of(floor(withheld=(1,), kept=1), {1}, []) == "local"
    assert label_of(floor(withheld=(1, 2), kept=1), {1, 2}, []) == "restricted"


@given(FLOORS, st.sets(st.integers(0, 4)), st.lists(LABELS))
def test_a_label_is_never_below_one_that_went_in(least: Floor, places: set[int], inherited: list[Label | None]) -> None:
    label = label_of(least, places, inherited)
    assert RANK[label] >= max((RANK[one] for one in inherited), default=0)
    assert RANK[label] >= RANK[label_of(least, (), ())]
    assert RANK[label] >= RANK[label_of(least, set(list(places)[1:]), inherited)]
