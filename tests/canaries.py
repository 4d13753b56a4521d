"""Made-up secrets of every kind that the scan knows, to be planted and looked for."""

import json
import stat
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from fake_ollama import FakeOllama

_PAIRS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "core/secret_pairs.json").read_text(encoding="utf-8")
)


class Canary(NamedTuple):
    """A secret, and the words in which it is known for one."""

    kind: str
    value: str
    text: str

    @property
    def is_name(self) -> bool:
        """Whether it is known by itself, and a file could be called so."""
        return self.text == f"value: {self.value} end" and "/" not in self.value and len(self.value) < 150


def _own() -> tuple[Canary, ...]:
    word = "Tq7" + "vRz2k" + "Wm9"
    body = "\n".join("MIIEvQ" + f"{line}Zk7Yt3" * 7 for line in range(4))
    block = f"-----BEGIN {'PRIVATE'} KEY-----\n{body}\n-----END {'PRIVATE'} KEY-----"
    return (
        Canary("assigned_password", f"{word}a!", f"DB_PASSWORD={word}a!"),
        Canary("assigned_password", f"{word}b!", f'"password": "{word}b!"'),
        Canary("url_password", f"{word}c", f"postgres://app:{word}c@db.internal/x"),
        Canary("command_password", f"{word}d", f"curl -u admin:{word}d https://api.internal"),
        Canary("told_password", f"{word}e!", f"the password for the server is {word}e!"),
        Canary("private_key", body.splitlines()[1], block),
    )


CANARIES = (
    *(Canary(p["kind"], "".join(p["secret"]), f"{p['before']}{''.join(p['secret'])}{p['behind']}") for p in _PAIRS),
    *_own(),
)
NAMES = tuple(canary for canary in CANARIES if canary.is_name)


def batches(canaries: Sequence[Canary], size: int) -> list[Sequence[Canary]]:
    return [canaries[start : start + size] for start in range(0, len(canaries), size)]


def found_in(text: str, canaries: Sequence[Canary] = CANARIES) -> list[str]:
    """The kinds of the canaries that stand in a text, as they are or as JSON writes them."""
    return [c.kind for c in canaries if c.value in text or json.dumps(c.value)[1:-1] in text]


def left_below(folder: Path) -> list[tuple[str, str]]:
    """Files below a folder with the kinds of canaries in them; answers kept for the user alone are left aside."""
    found: list[tuple[str, str]] = []
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        if file.parent.name == "answers":
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            continue
        found += [(file.name, kind) for kind in found_in(file.read_bytes().decode("utf-8", "replace"))]
    return found


class Parrot(FakeOllama):
    """A model that answers with all that it was sent; where the prompt says `break off`, its server's error does."""

    def write(self, question: str, send: Any) -> None:
        self.asked.set()
        if "break off" in question:
            send({"error": question})
            return
        send({"model": "tiny", "message": {"role": "assistant", "content": question}, "done": False})
        end = {"done": True, "done_reason": "stop", "prompt_eval_count": 7000, "eval_count": 1}
        send({"model": "tiny", "message": {"role": "assistant", "content": ""}, **end})


@contextmanager
def parrot() -> Generator[FakeOllama]:
    with Parrot.serving() as fake:
        yield fake
