"""Classification rules that nothing but their place in the file ranks: `ambiguous_classification`.

Two rules of one file with one priority and different intents are ambiguous where one keyword of a text meets both, or
one of them asks for no keyword: an error. Where it takes a keyword of each, as a text over two subjects has them, that
is information. Each is shown with a text that the reader itself has read under either rule.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import product

from smista_mcp.core.classification import Reader
from smista_mcp.core.effective import Policy
from smista_mcp.core.findings import Finding, FindingCode, Severity, finding_in
from smista_mcp.core.policy import ClassificationRule, TestTask
from smista_mcp.core.reading.keywords import forms_of
from smista_mcp.core.sources import LayerDocument
from smista_mcp.core.values import ContextKind

_Phrase = tuple[frozenset[str], ...]
_MOST_TEXTS = 40
"""Texts that are tried for a pair of rules; the first is nearly always read as it is meant."""


def ambiguous_readings(source: LayerDocument, policy: Policy) -> Iterator[Finding]:
    """All ties between the classification rules of one document."""
    skills = frozenset(name for placed in policy.rules for name in placed.rule.skill or ())
    rules = source.document.classification.rules
    phrases = [[forms for keyword in rule.keywords if (forms := forms_of(keyword))] for rule in rules]
    by_priority: dict[int, list[int]] = defaultdict(list)
    for index, rule in enumerate(rules):
        by_priority[rule.priority].append(index)
    for places in by_priority.values():
        for number, later in enumerate(places):
            told = False
            for earlier in places[:number]:
                if rules[earlier].intent is rules[later].intent:
                    continue
                pair = rules[earlier], rules[later]
                task = _read_alike(_shared(phrases[earlier], phrases[later], pair), pair, skills)
                if task is not None:
                    yield _finding(source, earlier, later, task, Severity.ERROR)
                elif not told:
                    task = _read_alike(_joined(phrases[earlier], phrases[later]), pair, skills)
                    if task is not None:
                        told = True
                        yield _finding(source, earlier, later, task, Severity.INFO)


def _shared(one: Sequence[_Phrase], other: Sequence[_Phrase], pair: Sequence[ClassificationRule]) -> Iterator[str]:
    """Texts of one keyword that may meet both rules."""
    if not all(rule.keywords for rule in pair):
        yield from ([_spoken(phrase) for phrase in (*one, *other)] or ["go"])
        return
    for left, right in product(one, other):
        longer, shorter = (left, right) if len(left) >= len(right) else (right, left)
        for start in range(len(longer) - len(shorter) + 1):
            words = list(longer)
            for place, forms in enumerate(shorter, start):
                words[place] = _common(words[place], forms)
            if all(words):
                yield _spoken(words)


def _common(one: frozenset[str], other: frozenset[str]) -> frozenset[str]:
    """Words that meet both; those of scripts without spaces are met within longer ones."""
    if one & other or len(one) > 1 or len(other) > 1:
        return one & other
    (left,), (right,) = one, other
    return one if right in left else other if left in right else frozenset()


def _joined(one: Sequence[_Phrase], other: Sequence[_Phrase]) -> Iterator[str]:
    """Texts with a keyword of each rule."""
    for left, right in product(one, other):
        yield f"{_spoken(left)} {_spoken(right)}"
        yield f"{_spoken(left)} the {_spoken(right)}"
        yield f"{_spoken(right)} {_spoken(left)}"


def _spoken(phrase: Sequence[frozenset[str]]) -> str:
    return " ".join(min(forms, key=lambda form: (len(form), form)) for forms in phrase)


def _read_alike(
    texts: Iterator[str], pair: tuple[ClassificationRule, ClassificationRule], skills: frozenset[str]
) -> TestTask | None:
    """The first text that is one phase, and is read by either rule where it is the only one."""
    kinds = _kinds(*pair)
    readers = [Reader((rule,), skills) for rule in pair]
    for text, _ in zip(texts, range(_MOST_TEXTS), strict=False):
        read = [reader.read(text, kinds=frozenset(kinds)) for reader in readers]
        if all(len(phases) == 1 and phases[0].intent.source == "rule:1" for phases in read):
            return TestTask(text=text, context=kinds)
    return None


def _kinds(one: ClassificationRule, other: ClassificationRule) -> tuple[ContextKind, ...]:
    """The fewest kinds of context that both rules are content with."""
    left, right = one.requires_any_context, other.requires_any_context
    both = [kind for kind in left if kind in right]
    return (both[0],) if both else (*left[:1], *right[:1])


def _finding(source: LayerDocument, earlier: int, later: int, task: TestTask, severity: Severity) -> Finding:
    rules = source.document.classification.rules
    names = tuple(f"classification.rules[{index}]" for index in (earlier, later))
    texts = "one text" if severity is Severity.ERROR else "a text with keywords of both"
    words = (
        f"{texts} meets `{names[0]}` ({rules[earlier].intent}) and `{names[1]}` ({rules[later].intent}),"
        " and nothing but the place in the file decides",
        "give the one that shall win a lower `priority`",
    )
    path = ("classification", "rules", later)
    code = FindingCode.AMBIGUOUS_CLASSIFICATION
    found = finding_in(source, path, code, words, severity=severity, rules=names)
    return found.model_copy(update={"witness": task})
