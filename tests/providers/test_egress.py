"""The check at egress: every text in the bytes has a name, and none of what must stay is among them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from canaries import CANARIES
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core import clearance
from smista_mcp.core.clearance import ClearedPayload, Manifest, manifest_of
from smista_mcp.core.digests import digest_of
from smista_mcp.core.globs import GlobSet
from smista_mcp.core.pieces import Block, Part, Piece, PieceKind
from smista_mcp.core.secretscan import secrets_in
from smista_mcp.core.values import Effort, Intent, Label
from smista_mcp.dispatch.prompts import FRAMES, messages
from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.base import ClearedWire, CompletionRequest, WireProtocol, WireRequest
from smista_mcp.providers.egress import Watch, check_departure
from smista_mcp.providers.ollama import Ollama
from smista_mcp.providers.openai_compat import OpenAiCompat

SEAL: object = vars(clearance)["_SEAL"]
TOKEN = next(canary.value for canary in CANARIES if canary.kind == "github_token")
BLOCK = next(canary.text for canary in CANARIES if canary.kind == "private_key" and "\n" in canary.text)
WORDS = "explain the file"
KEPT = "a text of more than a few letters that must stay"
WATCH = Watch(GlobSet([".env", "secrets/**"], ignore_case=True), frozenset(), frozenset({digest_of(WORDS)}), FRAMES)


def piece(
    text: str = "x = 1\n",
    path: str = "src/a.py",
    *,
    kind: PieceKind = "file",
    forms: tuple[str, ...] | None = None,
    label: Label | None = None,
    restricted: str | None = None,
) -> Piece:
    known = (path,) if forms is None else forms
    return Piece(
        Block(path, text), path, digest_of(text), 2, kind=kind, forms=known, label=label, restricted=restricted
    )


def departing(
    *pieces: Piece, words: str = WORDS, protocol: WireProtocol | None = None, intent: Intent = Intent.REVIEW
) -> ClearedWire:
    """What would leave if no gate stood before this one."""
    asked = messages(intent, words, [one.block for one in pieces])
    request = CompletionRequest(model="m", messages=asked, effort=Effort.LOW, max_output_tokens=100)
    manifest = manifest_of(pieces, [message.parts for message in asked])
    payload = ClearedPayload(request, manifest, pieces, (), seal=SEAL)
    return ClearedWire(payload, (protocol or OpenAiCompat()).encode(request))


def check(one: ClearedWire, watch: Watch = WATCH, protocol: WireProtocol | None = None, model: str = "m") -> None:
    check_departure(one, model, (protocol or OpenAiCompat()).words, watch)


def stopped(one: ClearedWire, watch: Watch = WATCH) -> ProviderError:
    with pytest.raises(ProviderError) as refused:
        check(one, watch)
    assert not refused.value.sent
    assert refused.value.code in (Code.RESTRICTED_CONTENT, Code.SECRET_DETECTED)
    assert TOKEN not in str(refused.value)
    return refused.value


def changed(one: ClearedWire, change: Callable[[dict[str, Any]], object]) -> ClearedWire:
    """The same with another body."""
    body = json.loads(one.wire.body)
    change(body)
    return replace(one, wire=replace(one.wire, body=json.dumps(body, ensure_ascii=False).encode()))


# ------------------------------------------------------------------------------------------------------- what may leave


@pytest.mark.parametrize("protocol", [OpenAiCompat(), OpenAiCompat({"repeat_penalty": 1.05}), Ollama()])
@pytest.mark.parametrize("intent", list(Intent))
def test_what_consists_of_its_items_leaves(protocol: WireProtocol, intent: Intent) -> None:
    check(departing(protocol=protocol, intent=intent), protocol=protocol)
    one = departing(
        piece(), piece("``` ````\n", "b\n.md"), piece("yes", "x", kind="answer", forms=()), protocol=protocol
    )
    check(one, protocol=protocol)


TEXTS = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=30)


@given(
    st.lists(TEXTS, max_size=3),
    st.text(alphabet=st.characters(), max_size=20),
    st.sampled_from([OpenAiCompat(), Ollama()]),
)
def test_any_text_can_be_accounted_for(texts: Sequence[str], words: str, protocol: WireProtocol) -> None:
    pieces = [piece(text, f"f{place}") for place, text in enumerate(texts)]
    sendable = words.encode("utf-8", "replace").decode()
    check(
        departing(*pieces, words=words, protocol=protocol),
        WATCH._replace(words=frozenset({digest_of(sendable)})),
        protocol,
    )


@pytest.mark.parametrize("words", ["user", "stream", "m", ":\n", "call00001", ""])
def test_words_that_are_also_words_of_the_protocol_leave(words: str) -> None:
    check(departing(words=words), WATCH._replace(words=frozenset({digest_of(words)})))


# ------------------------------------------------------------------------------------------------ every text has a name


def _message(body: dict[str, Any], text: str) -> None:
    body["messages"].append({"role": "user", "content": text})


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "a message more": lambda body: _message(body, "and this"),
    "a text of one letter more": lambda body: _message(body, "y"),
    "a message twice": lambda body: body["messages"].append(body["messages"][1]),
    "a message less": lambda body: body["messages"].pop(),
    "a letter more": lambda body: body["messages"][1].update(content=body["messages"][1]["content"] + "!"),
    "a letter less": lambda body: body["messages"][1].update(content=body["messages"][1]["content"][:-1]),
    "another letter": lambda body: body["messages"][1].update(
        content=body["messages"][1]["content"].replace("x = 1", "x = 2")
    ),
    "a field more": lambda body: body.update(note="x = 1"),
    "the name of a field": lambda body: body.update({"x = 1": 1}),
    "another model": lambda body: body.update(model="n"),
    "another role": lambda body: body["messages"][0].update(role="root"),
    "a list": lambda body: body["messages"][1].update(content=[body["messages"][1]["content"], "more"]),
    "a long number": lambda body: body.update(max_tokens=int("1234567890" * 4)),
    "a text of ours that is not": lambda body: body["messages"][0].update(content="You are free."),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_body_that_is_not_what_the_manifest_names_is_stopped(name: str) -> None:
    one = departing(piece())
    check(one)
    assert stopped(changed(one, CHANGES[name])).code is Code.RESTRICTED_CONTENT


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[1]", b'{"messages": []}', b"\xff", b"[" * 100_000, b'{"a": NaN}'],
    ids=["none", "half", "list", "empty", "no text", "deep", "no number"],
)
def test_a_body_that_cannot_be_read_again_is_stopped(body: bytes) -> None:
    one = departing(piece())
    stopped(replace(one, wire=replace(one.wire, body=body)))


def test_a_name_that_stands_twice_hides_nothing() -> None:
    one = departing(piece())
    body = one.wire.body.replace(b'{"model"', b'{"messages":"hidden text","model"', 1)
    assert json.loads(body) == json.loads(one.wire.body)
    stopped(replace(one, wire=replace(one.wire, body=body)))


def test_the_words_are_those_of_the_caller() -> None:
    stopped(departing(words="other words"))


def test_a_manifest_without_texts_names_nothing() -> None:
    one = departing(piece())
    bare = ClearedPayload(one.payload.request, Manifest((), ()), (), (), seal=SEAL)
    stopped(replace(one, payload=bare))


def test_a_stretch_of_the_manifest_has_to_be_there() -> None:
    one = departing(piece())
    manifest = one.payload.manifest
    for place in (None, 1, -1):
        texts = tuple(
            tuple(span._replace(place=place) if span.kind == "item" else span for span in spans)
            for spans in manifest.texts
        )
        lying = ClearedPayload(one.payload.request, Manifest(manifest.items, texts), (), (), seal=SEAL)
        stopped(replace(one, payload=lying))


def test_a_title_is_the_name_of_its_item() -> None:
    one = departing(piece())
    items = [item._replace(title="src/b.py") for item in one.payload.manifest.items]
    lying = Manifest(tuple(items), one.payload.manifest.texts)
    stopped(replace(one, payload=ClearedPayload(one.payload.request, lying, (), (), seal=SEAL)))


@pytest.mark.parametrize("text", ["free text", "secrets", "``", ""])
def test_a_frame_is_a_text_of_ours(text: str) -> None:
    request = departing().payload.request
    parts = (Part(WORDS, "words"), Part(text, "frame"))
    body = OpenAiCompat().encode(replace(request, messages=(replace(request.messages[0], content=WORDS + text),)))
    payload = ClearedPayload(request, manifest_of((), [parts]), (), (), seal=SEAL)
    stopped(ClearedWire(payload, body))


CALLED = '{"path":"src/a.py","lines":["1","20"]}'


def _called(arguments: object, manifest_of_call: str = CALLED) -> ClearedWire:
    """A request in which an earlier call of a tool stands."""
    call = piece(manifest_of_call, "what the model asked", kind="tool_call", forms=())
    one = departing()
    manifest = manifest_of([call], [*(m.parts for m in one.payload.request.messages), [Part(CALLED, "item", 0)]])
    payload = ClearedPayload(one.payload.request, manifest, (call,), (), seal=SEAL)
    said = {"role": "assistant", "tool_calls": [{"function": {"name": "tool", "arguments": arguments}}]}
    return changed(replace(one, payload=payload), lambda body: body["messages"].append(said))


def test_the_arguments_of_a_call_are_named_as_a_text_or_as_an_object() -> None:
    check(_called(CALLED))
    frames = WATCH._replace(frames=FRAMES | {"path", "lines"})
    check(_called(json.loads(CALLED)), frames)
    for other in (
        {"path": "src/b.py", "lines": ["1", "20"]},
        {"path": "src/a.py", "lines": ["1", "20", "1"]},
        {"path": "src/a.py"},
        {},
        CALLED + " ",
    ):
        stopped(_called(other), frames)
    stopped(_called(CALLED, CALLED + " "))
    forged = _called({"path": "src/b.py", "lines": []})
    other = replace(forged.payload.pieces[0], block=Block("forged", '{"path":"src/b.py","lines":[]}'))
    payload = ClearedPayload(forged.payload.request, forged.payload.manifest, (other,), (), seal=SEAL)
    stopped(replace(forged, payload=payload), frames)
    stopped(_called(json.loads(CALLED), "{"), frames)


def test_a_request_that_nobody_cleared_is_stopped() -> None:
    one = departing(piece())
    stopped(ClearedWire(one.payload.request, one.wire))  # pyright: ignore[reportArgumentType]


# ------------------------------------------------------------------------------------------------------------- items


SPELLINGS = [
    ".env",
    "SECRETS/a",
    "./secrets/a",
    "src/../secrets/a",
    "secrets//a",
    "\\secrets\\a",
    "/secrets/a",
    "deploy/.ENV",
    "secrets/a/",
]


@pytest.mark.parametrize("form", SPELLINGS)
def test_a_restricted_path_in_any_spelling_is_stopped(form: str) -> None:
    assert stopped(departing(piece(forms=("src/a.py", form)))).code is Code.RESTRICTED_CONTENT


def test_names_are_compared_as_they_look() -> None:
    watch = WATCH._replace(unsendable=GlobSet(["caf\u00e9/**"], ignore_case=True))
    stopped(departing(piece(forms=("cafe\u0301/a",))), watch)
    stopped(departing(piece(forms=("CAFE\u0301/a",))), watch)


STAYS = {
    "label": piece(kind="answer", label="local"),
    "mark": piece(restricted="cannot be judged"),
    "name alone": replace(piece(), path="secrets/a"),
    "title alone": replace(piece(), block=Block("secrets/a", "x = 1\n")),
    "no path": piece(forms=()),
    "no path of a diff": piece(kind="git_diff", forms=()),
}


@pytest.mark.parametrize("name", STAYS)
def test_an_item_that_must_stay_is_stopped(name: str) -> None:
    assert stopped(departing(STAYS[name])).code is Code.RESTRICTED_CONTENT


KNOWN = {
    "label": piece(KEPT, "answer of phase 0", kind="answer", forms=(), label="restricted"),
    "mark": piece(KEPT, restricted="restricted by a pattern"),
    "path": piece(KEPT, "secrets/a"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_what_the_call_keeps_is_not_sent_under_another_name(name: str) -> None:
    watch = WATCH._replace(known=(KNOWN[name],))
    check(departing(piece()), watch)
    stopped(departing(piece(KEPT)), watch)
    stopped(departing(piece(f"so: {KEPT}\n")), watch)
    words = f"what does this say? {KEPT}"
    stopped(departing(words=words), watch._replace(words=frozenset({digest_of(words)})))


def test_a_short_text_that_must_stay_is_known_by_its_hash_alone() -> None:
    watch = WATCH._replace(known=(piece("x", "secrets/a"), piece("\n", "secrets/b")))
    check(departing(piece("x = 1\n"), piece("\n")), watch)
    stopped(departing(piece("x")), watch)


def test_a_released_text_leaves_and_its_source_does_not() -> None:
    answer = piece(KEPT, "answer of phase 0", kind="answer", forms=(), label="restricted")
    source = piece("the source of all that is said there", "secrets/a")
    watch = WATCH._replace(known=(answer, source), released=frozenset({answer.sha256, source.sha256}))
    check(departing(answer), watch)
    stopped(departing(source), watch)


def test_a_phase_that_must_stay_is_stopped() -> None:
    stopped(departing(), WATCH._replace(stays=("rule `r` is local_only",)))
    stopped(departing(), WATCH._replace(named=[("link", "Secrets/a")]))
    check(departing(), WATCH._replace(named=[("src/a.py",)]))


# ----------------------------------------------------------------------------------------------------------- secrets


@pytest.mark.parametrize("number", range(len(CANARIES)))
def test_a_secret_of_every_kind_is_stopped(number: int) -> None:
    canary = CANARIES[number]
    failure = stopped(departing(piece(f"first line\n{canary.text}\n")))
    assert failure.code is Code.SECRET_DETECTED
    assert "src/a.py" in failure.message
    assert canary.value not in str(failure)


@pytest.mark.parametrize("cut", [20, 30])
def test_a_key_that_is_broken_over_lines_is_stopped(cut: int) -> None:
    text = f"key:\n{TOKEN[:cut]}\n{TOKEN[cut:]}\n"
    one = departing(piece(text))
    assert secrets_in(one.wire.body.decode()) == ()  # where JSON has escaped the line's end, nobody sees it
    assert stopped(one).code is Code.SECRET_DETECTED


def test_a_secret_in_the_words_or_a_title_is_stopped() -> None:
    words = f"what is {TOKEN}?"
    assert "the task" in stopped(departing(words=words), WATCH._replace(words=frozenset({digest_of(words)}))).message
    assert stopped(departing(piece(path=f"src/{TOKEN}"))).code is Code.SECRET_DETECTED


def test_a_secret_in_the_head_is_stopped() -> None:
    one = departing(piece())
    headers = {**one.wire.headers, "x-note": TOKEN}
    for wire in (replace(one.wire, headers=headers), replace(one.wire, path=f"/{TOKEN}")):
        assert stopped(replace(one, wire=wire)).code is Code.SECRET_DETECTED


@pytest.mark.parametrize("number", range(len(CANARIES)))
def test_an_allowed_false_alarm_leaves_in_any_surroundings(number: int) -> None:
    canary = CANARIES[number]
    content = f'first "line"\n{canary.text}\nlast\tline\n'
    allowed = frozenset(fact.fingerprint for fact in secrets_in(content) if fact.fingerprint)
    if secrets_in(content, allowed):
        return  # a value that people choose cannot be allowed
    check(departing(piece(content), piece("x = 1\n", "b.py")), WATCH._replace(allowed=allowed))
    with_other = departing(piece(content), piece(f"other = '{TOKEN[:-4]}abcd'\n", "b.py"))
    assert stopped(with_other, WATCH._replace(allowed=allowed)).code is Code.SECRET_DETECTED


def test_an_allowed_false_alarm_at_the_end_of_a_text_leaves() -> None:
    (fact,) = secrets_in(TOKEN)
    assert fact.fingerprint is not None
    for words in (TOKEN, f"is it {TOKEN}"):
        watch = WATCH._replace(words=frozenset({digest_of(words)}), allowed=frozenset({fact.fingerprint}))
        one = departing(words=words)
        texts = [*(m.parts for m in one.payload.request.messages), [Part("abcdef", "item", 0)]]
        more = piece("abcdef", "next", kind="turn", forms=())
        payload = ClearedPayload(one.payload.request, manifest_of([more], texts), (more,), (), seal=SEAL)
        check(changed(replace(one, payload=payload), lambda body: _message(body, "abcdef")), watch)


def test_a_key_block_that_is_allowed_leaves() -> None:
    (fact,) = secrets_in(BLOCK)
    assert fact.fingerprint is not None
    stopped(departing(piece(BLOCK)))
    check(departing(piece(BLOCK)), WATCH._replace(allowed=frozenset({fact.fingerprint})))


def test_the_request_itself_is_not_changed() -> None:
    one = departing(piece())
    before = WireRequest(one.wire.path, bytes(one.wire.body), dict(one.wire.headers), one.wire.method)
    check(one)
    assert one.wire == before
