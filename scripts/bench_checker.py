"""How much processor time `policy check` takes: 100 patterns pairwise, and 300 rules under ever fewer priorities.

The fewer there are, the more rules tie. Prints one line of JSON for each; the seed makes all the same everywhere.
"""

import json
import random
import time
from collections import Counter
from itertools import combinations

from smista_mcp.core.checking import check
from smista_mcp.core.globs import refusal
from smista_mcp.core.globs.search import PathSet, find_path
from smista_mcp.core.layering import merge
from smista_mcp.core.sources import LayerDocument
from smista_mcp.core.values import Intent, Layer
from smista_mcp.loading.documents import parse

_WORDS = (
    "src lib docs tests auth net db api core util crypto ui web job main app x y z [a-f]* *_test *.rs *.py a?c".split()
)
_FLOATING = ("*.rs", "*.py", "*.test.ts", "Makefile", ".env*", "*_test.go")
_ENDS = ("/**", "/*", "", "/*.rs", "/**/*.py")
_MODELS = ("ollama/a", "ollama/b", "anthropic/claude-opus", "openai/gpt-5.5")


def glob(choice: random.Random) -> str:
    """A pattern as people write them."""
    if choice.random() < 0.15:
        return choice.choice(_FLOATING)
    segments = [choice.choice(_WORDS) for _ in range(choice.randint(1, 4))]
    if choice.random() < 0.3:
        segments.insert(choice.randrange(len(segments)), "**")
    found = "/".join(segments) + choice.choice(_ENDS)
    return found if refusal(found) is None else glob(choice)


def policy(choice: random.Random, rules: int, priorities: list[int]) -> str:
    """A policy of random rules."""
    text = ['[routing.default]\nmodel = "ollama/x"\n']
    for number in range(rules):
        text.append(f'[[routing.rules]]\nname = "r{number}"\nmodel = "{choice.choice(_MODELS)}"\n')
        text.append(f"priority = {choice.choice(priorities)}\n")
        if choice.random() < 0.5:
            text.append(f"intent = {json.dumps(choice.sample([str(one) for one in Intent], choice.randint(1, 3)))}\n")
        if choice.random() < 0.8:
            text.append(f"paths = {json.dumps([glob(choice) for _ in range(choice.randint(1, 4))])}\n")
        if choice.random() < 0.15:
            text.append(f'skill = "s{choice.randint(0, 3)}"\n')
        if choice.random() < 0.15:
            text.append(f'languages = ["{choice.choice(["rust", "python", "go"])}"]\n')
        if choice.random() < 0.1:
            text.append(f"min_paths = {choice.choice([2, 5, 20])}\n")
        if choice.random() < 0.05:
            text.append("local_only = true\n")
    return "".join(text)


def pairwise(choice: random.Random, count: int) -> None:
    """Searches for a path in each two of some patterns."""
    sets = [PathSet([glob(choice)]) for _ in range(count)]
    start = time.process_time()
    meeting = sum(find_path(pair) is not None for pair in combinations(sets, 2))
    seconds = round(time.process_time() - start, 2)
    print(json.dumps({"patterns": count, "pairs": count * (count - 1) // 2, "meeting": meeting, "seconds": seconds}))


def whole(choice: random.Random, rules: int, priorities: list[int]) -> None:
    """Checks a policy."""
    parsed = parse(policy(choice, rules, priorities).encode(), Layer.USER, "user.toml")
    if parsed.document is None:
        raise SystemExit(str(parsed.findings))
    layers = [LayerDocument(Layer.USER, parsed.document, "user.toml", parsed.lines, digest=parsed.digest)]
    merged = merge(layers)
    start = time.process_time()
    found = Counter(finding.code.value for finding in check(layers, merged))
    seconds = round(time.process_time() - start, 2)
    print(json.dumps({"rules": rules, "priorities": len(priorities), "seconds": seconds, "found": found}))


if __name__ == "__main__":
    chosen = random.Random(7)  # noqa: S311  patterns, no keys
    pairwise(chosen, 100)
    whole(chosen, 300, list(range(10, 310)))
    whole(chosen, 300, [10, 20, 30, 40, 1000])
    whole(chosen, 300, [1000])
