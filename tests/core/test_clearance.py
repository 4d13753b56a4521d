"""The gate by type: who may make a ClearedPayload, what is in it, and what is not."""

import copy
import dataclasses
import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from canaries import CANARIES

from smista_mcp.core.clearance import Bounds, Built, ClearedPayload, Manifest, Matter, clear
from smista_mcp.core.digests import digest_of
from smista_mcp.core.facts import PathFact
from smista_mcp.core.floor import Floor, Guard
from smista_mcp.core.globs import GlobSet
from smista_mcp.core.matching import index_of
from smista_mcp.core.pieces import OF_PATHS, Block, Part, Piece, PieceKind
from smista_mcp.core.secretscan import secrets_in
from smista_mcp.core.secretscan.memory import Scans
from smista_mcp.core.values import Grant, Label
from smista_mcp.errors import Code, ProviderError

TOKEN = next(canary.value for canary in CANARIES if canary.kind == "github_token")
(FACT,) = secrets_in(TOKEN)
OPEN = Floor(local=False, remote_denied=False, restricted=False, only_models=(), reasons=(), withheld={})
PATTERNS = GlobSet([".env", "secrets/**"], ignore_case=True)


def bounds(
    *, mode: Grant = Grant.ALLOW, released: frozenset[str] = frozenset(), allowed: frozenset[str] = frozenset()
) -> Bounds:
    blocked = GlobSet(["vault/**"], ignore_case=True)
    guard = Guard(PATTERNS, blocked, GlobSet([]), mode, (), index_of([]))
    return Bounds(guard, Scans(allowed), released)


def piece(
    text: str = "a text",
    *,
    path: str = "src/a.py",
    kind: PieceKind = "file",
    forms: tuple[str, ...] | None = None,
    label: Label | None = None,
    required: bool = True,
    restricted: str | None = None,
    place: int | None = None,
) -> Piece:
    known = (path,) if forms is None and kind in OF_PATHS else forms or ()
    return Piece(
        Block(path, text),
        path,
        digest_of(text),
        2,
        required=required,
        place=place,
        restricted=restricted,
        label=label,
        kind=kind,
        forms=known,
    )


def build(pieces: Sequence[Piece]) -> Built[str]:
    parts = [Part(one.block.text, "item", place) for place, one in enumerate(pieces)]
    return Built("".join(part.text for part in parts), tuple(pieces), (parts,))


def cleared(
    *pieces: Piece,
    words: str = "do it",
    named: Sequence[PathFact] = (),
    least: Floor = OPEN,
    by: Bounds | None = None,
) -> ClearedPayload[str]:
    return clear(Matter(words, pieces, named, least), by or bounds(), build)


def refusal(
    *pieces: Piece,
    words: str = "do it",
    named: Sequence[PathFact] = (),
    least: Floor = OPEN,
    by: Bounds | None = None,
) -> Code:
    with pytest.raises(ProviderError) as refused:
        cleared(*pieces, words=words, named=named, least=least, by=by)
    assert not refused.value.sent
    assert TOKEN not in str(refused.value)
    return refused.value.code


# ---------------------------------------------------------------------------------------------------------- who and how


def test_what_is_free_goes() -> None:
    payload = cleared(piece("one"), piece("two", path="b.py"))
    assert (payload.request, [item.path for item in payload.manifest.items]) == ("onetwo", ["src/a.py", "b.py"])
    assert [span.sha256 for span in payload.manifest.texts[0]] == [digest_of("one"), digest_of("two")]
    assert payload.withheld == ()


def test_nobody_else_makes_one() -> None:
    with pytest.raises(TypeError):
        ClearedPayload("request", Manifest((), ()), (), (), seal=object())
    made = cleared()
    with pytest.raises(TypeError):
        dataclasses.replace(made, seal=None)
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            copied(made)


def test_none_can_be_changed() -> None:
    payload = cleared(piece())
    for name in ("request", "manifest", "pieces", "withheld"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(payload, name, None)
    with pytest.raises((AttributeError, TypeError)):
        object.__setattr__(payload, "other", 1)


def test_a_request_of_other_pieces_is_not_sealed() -> None:
    other = piece("never judged")
    with pytest.raises(ProviderError) as refused:
        clear(Matter("do it", [piece()], (), OPEN), bounds(), lambda _: build([other]))
    assert refused.value.code is Code.RESTRICTED_CONTENT


ASKS = """
from smista_mcp.core.clearance import ClearedPayload
from smista_mcp.providers.base import ClearedWire, CompletionRequest, Decoder, Remote, Timeouts, WireRequest
from smista_mcp.providers.egress import Watch
from smista_mcp.providers.openai_compat import OpenAiCompat
from smista_mcp.providers.sender import Sender
from smista_mcp.providers.targets import LocalTarget, RemoteTarget

PROTOCOL, THERE, HERE = OpenAiCompat(), RemoteTarget("https://models.example/v1", "m"), LocalTarget("http://127.0.0.1")


def ask(sender: Sender, decoder: Decoder, given: {given}, watch: Watch) -> None:
    wire = Remote(PROTOCOL).encode(given)
    sender.stream(wire, decoder, target=THERE, timeouts=Timeouts(), protocol=PROTOCOL, watch=watch)


def send(sender: Sender, decoder: Decoder, wire: {wire}, watch: Watch) -> None:
    sender.stream(wire, decoder, target=THERE, timeouts=Timeouts(), protocol=PROTOCOL, watch=watch)


def keep(sender: Sender, decoder: Decoder, wire: WireRequest) -> None:
    sender.stream(wire, decoder, target=HERE, timeouts=Timeouts(), protocol=PROTOCOL)


USED = (ClearedPayload, ClearedWire, CompletionRequest, ask, send, keep)
"""


def test_the_type_checker_refuses_a_plain_request_on_the_way_to_a_remote_target(tmp_path: Path) -> None:
    cases = {
        "cleared": ("ClearedPayload[CompletionRequest]", "ClearedWire"),
        "plain": ("CompletionRequest", "ClearedWire"),
        "bytes": ("ClearedPayload[CompletionRequest]", "WireRequest"),
    }
    for name, (given, wire) in cases.items():
        (tmp_path / f"{name}.py").write_text(ASKS.format(given=given, wire=wire), encoding="utf-8")
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}', encoding="utf-8")
    asked = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson", "-p", str(tmp_path)]
    done = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=False)
    errors = [line for line in done.stdout.splitlines() if '"rule"' in line or '"file"' in line]
    wrong = {line.rpartition("/")[2].strip('",') for line in errors if '"file"' in line}
    rules = {line.split('"')[3] for line in errors if '"rule"' in line}
    assert (wrong, done.returncode) == ({"plain.py", "bytes.py"}, 1), done.stdout
    assert rules <= {"reportArgumentType", "reportCallIssue"}


# --------------------------------------------------------------------------------------------------------------- pieces

STAYS = {
    "restricted path": (piece(path="secrets/a"), Code.RESTRICTED_CONTENT),
    "restricted form": (piece(forms=("src/a.py", "SECRETS/a")), Code.RESTRICTED_CONTENT),
    "blocked path": (piece(path="vault/a"), Code.RESTRICTED_CONTENT),
    "mark": (piece(restricted="restricted by a pattern"), Code.RESTRICTED_CONTENT),
    "unknown origin": (piece(forms=()), Code.RESTRICTED_CONTENT),
    "diff of nothing": (piece(kind="git_diff", forms=()), Code.RESTRICTED_CONTENT),
    "restricted answer": (piece(kind="answer", label="restricted"), Code.RESTRICTED_CONTENT),
    "local answer": (piece(kind="answer", label="local"), Code.RESTRICTED_CONTENT),
    "turn": (piece(kind="turn", label="restricted"), Code.RESTRICTED_CONTENT),
    "tool result": (piece(kind="tool_result", forms=("a", ".env")), Code.RESTRICTED_CONTENT),
    "secret": (piece(f"key = '{TOKEN}'"), Code.SECRET_DETECTED),
    "marked secret": (piece(f"key = '{TOKEN}'", restricted="holds a secret"), Code.SECRET_DETECTED),
    "secret in an answer": (piece(TOKEN, kind="answer"), Code.SECRET_DETECTED),
    "secret in a name": (piece(path=f"src/{TOKEN}.py"), Code.SECRET_DETECTED),
    "another text": (dataclasses.replace(piece(), sha256=digest_of("the text")), Code.RESTRICTED_CONTENT),
    "kept by the floor": (piece(place=0), Code.RESTRICTED_CONTENT),
}


@pytest.mark.parametrize("name", STAYS)
def test_what_is_needed_and_must_stay_refuses_the_call_and_what_helps_is_left_out(name: str) -> None:
    one, code = STAYS[name]
    least = OPEN._replace(withheld={0: "kept local by rule `r`"}) if name == "kept by the floor" else OPEN
    assert refusal(piece("free"), one, least=least) is code
    payload = cleared(piece("free"), dataclasses.replace(one, required=False), least=least)
    assert (payload.request, [item.path for item in payload.withheld]) == ("free", [one.path])
    assert all(TOKEN not in item.reason for item in payload.withheld)


@pytest.mark.parametrize("kind", ["answer", "turn", "tool_call", "tool_result"])
def test_what_models_and_tools_wrote_needs_no_path(kind: PieceKind) -> None:
    assert cleared(piece("free", kind=kind)).request == "free"


def test_a_released_text_goes_and_no_other(subtests: pytest.Subtests) -> None:
    text = "an anonymised summary"
    by = bounds(released=frozenset({digest_of(text), digest_of(TOKEN), digest_of("the file")}))
    assert cleared(piece(text, kind="answer", label="restricted"), by=by).request == text
    for other, code in (
        (piece(f"{text}!", kind="answer", label="restricted"), Code.RESTRICTED_CONTENT),
        (piece(TOKEN, kind="answer", label="restricted"), Code.SECRET_DETECTED),
        (piece("the file", path="secrets/a"), Code.RESTRICTED_CONTENT),
    ):
        with subtests.test(code=code):
            assert refusal(other, by=by) is code


def test_an_allowed_false_alarm_goes() -> None:
    assert FACT.fingerprint is not None
    assert cleared(piece(TOKEN), words=TOKEN, by=bounds(allowed=frozenset({FACT.fingerprint}))).request == TOKEN


# ---------------------------------------------------------------------------------------------------------------- phase


def test_words_with_a_secret_stay() -> None:
    assert refusal(words=f"what is {TOKEN}?") is Code.SECRET_DETECTED


def test_what_the_floor_says_holds() -> None:
    bound = OPEN._replace(local=True, bound=True, reasons=("rule `r` is local_only",))
    assert refusal(least=bound) is Code.RESTRICTED_CONTENT
    assert refusal(least=bound._replace(secret=True)) is Code.SECRET_DETECTED


def test_where_remote_models_are_denied_nothing_goes() -> None:
    assert refusal(by=bounds(mode=Grant.DENY)) is Code.MODEL_NOT_ALLOWED


def test_a_phase_about_a_restricted_path_stays_though_nothing_of_it_was_read() -> None:
    assert refusal(named=[PathFact("secrets/a", "call")]) is Code.RESTRICTED_CONTENT
    assert refusal(named=[PathFact("link", "call", forms=("link", ".env"))]) is Code.RESTRICTED_CONTENT
    assert cleared(piece(), named=[PathFact("secrets/a", "named", required=False)]).request == "a text"


def test_no_text_is_searched_twice() -> None:
    by = bounds()
    by.scans.note(digest_of("a text"), (FACT,))
    assert refusal(piece(), by=by) is Code.SECRET_DETECTED
