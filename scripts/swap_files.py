"""Exchanges files for links while they are judged and read, many thousand times, and counts what gets out.

    python scripts/swap_files.py [--rounds 10000] [--checked]

In each round one phase is collected, the way every call does it, while another process puts a way to a restricted file
in the place of a free one and takes it away again: a link for the file, for its folder, for the folder above, a hard
link, a link renamed over it, and a link for a folder whose changes git is asked for. In the rounds named `between` the
exchange happens exactly between judging and reading. Printed is one JSON document: rounds of each kind, in how many
the free file was seen, in how many something else was met and refused, and what got out, which must be nothing (the
exit status is 1 otherwise, or where no exchange was ever met). `--checked` opens files in the way of platforms without
descriptors of folders, whose guarantee is weaker: between its last look and its read a link can still be there.
"""

import argparse
import json
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from multiprocessing.synchronize import Event
from pathlib import Path

from smista_mcp.context import reading
from smista_mcp.context.collection import Collected, CollectRequest, collect
from smista_mcp.context.survey import Caps, Survey
from smista_mcp.core.globs import GlobSet
from smista_mcp.core.task import IntentReading, Phase, Task
from smista_mcp.core.values import Confidence, Intent

CANARY, MARK = "kestrel-canary", "plain-sparrow"
RESTRICTED = GlobSet(["secrets/**"], ignore_case=True)
LINES = 120
FILES = 40
"""Changed files of the repository: the more, the longer git has the folder's name in hand."""
LONGEST_PAUSE_S = 0.0004


def grow(root: Path) -> None:
    """A workspace with free files, restricted ones of the same names, and what is put in place of the free ones."""
    for folder, word in (("top/pub", MARK), ("secrets", CANARY), ("secrets/pub", CANARY)):
        (root / folder).mkdir(parents=True)
        for number in range(FILES):
            (root / folder / f"{number}.txt").write_text(f"{word}\n" * LINES, encoding="utf-8")
    (root / "link.file").symlink_to(root / "secrets/0.txt")
    (root / "link.folder").symlink_to(root / "secrets")
    (root / "hard.file").hardlink_to(root / "secrets/0.txt")


def commit(root: Path) -> None:
    """Makes it a repository in which all free files are changed."""
    (root / ".gitignore").write_text("secrets/\nlink.*\nhard.*\n", encoding="utf-8")
    git = ("git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@example.invalid")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "start")):
        subprocess.run((*git, *words), check=True)
    for file in sorted((root / "top/pub").iterdir()):
        file.write_text(file.read_text(encoding="utf-8") + f"{MARK} changed\n", encoding="utf-8")


def exchange(first: Path, second: Path) -> None:
    """Both names change places; for a moment the first is missing."""
    aside = first.with_name(".aside")
    first.rename(aside)
    second.rename(first)
    aside.rename(second)


def put_over(first: Path, second: Path) -> None:
    """The first name gets a link of its own by one rename, or the free file again: it is never missing."""
    draft = first.with_name(".draft")
    draft.symlink_to(second.parent / "secrets/0.txt")
    draft.replace(first)
    draft.write_text(f"{MARK}\n" * LINES, encoding="utf-8")
    draft.replace(first)


Swap = Callable[[Path, Path], None]
KINDS: Mapping[str, tuple[str, str, Swap]] = {
    "file": ("top/pub/0.txt", "link.file", exchange),
    "folder": ("top/pub", "link.folder", exchange),
    "folder above": ("top", "link.folder", exchange),
    "hard link": ("top/pub/0.txt", "hard.file", exchange),
    "renamed over": ("top/pub/0.txt", "link.file", put_over),
    "diff": ("top/pub", "link.folder", exchange),
}


def keep_swapping(root: Path, kind: str, over: Event) -> None:
    """Exchanges and exchanges back until it is over."""
    first, second, swap = KINDS[kind]
    pauses = random.Random(kind)  # noqa: S311  nothing secret
    while not over.is_set():
        swap(root / first, root / second)
        time.sleep(pauses.uniform(0, LONGEST_PAUSE_S))
        if swap is exchange:
            swap(root / first, root / second)
        time.sleep(pauses.uniform(0, LONGEST_PAUSE_S))


def phase(intent: Intent) -> Phase:
    """A phase whose words name nothing."""
    return Phase(index=0, intent=IntentReading(name=intent, source="declared", confidence=Confidence.HIGH), text="go")


def collected(root: Path, kind: str) -> Collected:
    """The context of one call that asks for what is swapped."""
    paths = () if kind == "diff" else ("top/pub/0.txt",)
    task = Task(text="go", paths=paths)
    asked = phase(Intent.REVIEW if kind == "diff" else Intent.CHAT)
    return collect(CollectRequest(task, (asked,), root, RESTRICTED, dict(os.environ)))[0]


def met(root: Path, kind: str) -> str:
    """What one round came to: `leak`, `free`, or `refused`: something else was met."""
    try:
        one = collected(root, kind)
    except Exception as error:  # noqa: BLE001  a refusal of the whole call
        return f"refused: {type(error).__name__}"
    if any(CANARY in content.text and not content.item.restricted for content in one.contents):
        return "leak"
    if any(MARK in content.text and not content.item.restricted for content in one.contents):
        return "free"
    return "refused"


def between(root: Path, kind: str) -> str:
    """As `met`, with the exchange exactly between judging and reading."""
    first, second, _ = KINDS[kind]
    survey = Survey(root, RESTRICTED, Caps(), os.environ)
    place = survey.locate("top/pub/0.txt")
    exchange(root / first, root / second)
    try:
        read = survey.read(place)
    finally:
        exchange(root / first, root / second)
    if isinstance(read, reading.Unread):
        return "refused"
    withheld = survey.restriction_of(place) or survey.restriction_by_other_name(read)
    return "refused" if withheld else "leak" if CANARY in read.text else "free"


def play(kind: str, rounds: int) -> Counter[str]:
    """Rounds of one kind against a process that swaps."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        grow(root)
        if kind == "diff":
            commit(root)
        found: Counter[str] = Counter()
        if kind != "diff":
            found.update(f"between: {between(root, kind)}" for _ in range(rounds // 5))
        over = multiprocessing.Event()
        swapper = multiprocessing.Process(target=keep_swapping, args=(root, kind, over), daemon=True)
        swapper.start()
        try:
            found.update(met(root, kind) for _ in range(rounds - found.total()))
        finally:
            over.set()
            swapper.join()
        return found


def main() -> int:
    """Plays all kinds and prints what came of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10_000)
    parser.add_argument("--checked", action="store_true")
    given = parser.parse_args()
    if given.checked:
        reading.SEGMENTWISE = False
    share = -(-given.rounds // len(KINDS))
    result = {kind: play(kind, share) for kind in KINDS}
    leaks = sum(count for found in result.values() for what, count in found.items() if what.endswith("leak"))
    refused = {kind: sum(n for what, n in found.items() if "refused" in what) for kind, found in result.items()}
    rounds = sum(found.total() for found in result.values())
    print(json.dumps({"rounds": rounds, "leaks": leaks, "refused": refused, "kinds": result}, indent=2))
    return 1 if leaks or not all(refused.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
