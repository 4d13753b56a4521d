"""Answers that are none, with a status of 200: in the words of every protocol, streamed and whole."""

from collections.abc import Iterator

from answers_said import PROTOCOLS, Said, streamed, whole
from fault_rows import EMPTY, INVALID, PROTOCOL, UNAVAILABLE, Fault
from scripted_server import answer


def too_little() -> Iterator[Fault]:
    """Answers that are none, in the words of every protocol, streamed and whole, with their count and without."""
    kinds = (
        ("nothing said", Said(), EMPTY, True),
        ("only blanks said", Said(" \n\t"), EMPTY, True),
        ("only thought", Said(thought="hm"), EMPTY, True),
        ("cut before it began", Said(end="length"), EMPTY, True),
        ("declined", Said(end="declined"), INVALID, False),
    )
    for protocol in PROTOCOLS:
        for name, said, code, goes_on in kinds:
            if protocol == "ollama" and said.end == "declined":
                continue  # it has no word for that
            counted = protocol != "ollama"
            bodies = {"stream": streamed(protocol, said), "whole": [whole(protocol, said)]}
            for at, body in bodies.items():
                full = f"{protocol}, {'whole' if at == 'whole' else 'streamed'}: {name}"
                place = "whole" if at == "whole" else "stream"
                yield Fault(full, protocol, answer(*body), code, next=goes_on, counted=counted, at=place)
        sound = Said("half an answer")
        ends = {"gemini": 1, "anthropic": 2}.get(protocol, 1)
        cut = streamed(protocol, sound)[:-ends]
        yield Fault(
            f"{protocol}, whole: cut in the middle",
            protocol,
            answer(whole(protocol, sound)[:-9]),
            PROTOCOL,
            charged=protocol != "ollama",
            at="whole",
        )
        if cut and protocol != "chat":
            yield Fault(
                f"{protocol}, streamed: the end is missing",
                protocol,
                answer(*cut),
                PROTOCOL,
                charged=protocol != "ollama",
            )
        for name, body in (("a list", b"[1, 2]"), ("null", b"null"), ("nothing in it", b"{}"), ("a page", b"<html>")):
            yield Fault(
                f"{protocol}, whole: {name}",
                protocol,
                answer(body),
                PROTOCOL,
                charged=protocol != "ollama",
                at="whole",
            )


def errors_in_200() -> Iterator[Fault]:
    """Error objects in place of an answer, which began well as far as HTTP is concerned."""
    for protocol in PROTOCOLS:
        body = (
            b'{"error": "the model failed"}' if protocol == "ollama" else b'{"error": {"message": "no", "code": 502}}'
        )
        yield Fault(
            f"{protocol}, whole: an error with status 200",
            protocol,
            answer(body),
            UNAVAILABLE,
            charged=protocol != "ollama",
            at="whole",
        )


ANSWERS = (*too_little(), *errors_in_200())
