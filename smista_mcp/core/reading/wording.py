"""Which words, paths and skill belong to which phase."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from smista_mcp.core.reading import vocabulary as v
from smista_mcp.core.reading.acts import Act, Reading
from smista_mcp.core.reading.clauses import Clause
from smista_mcp.core.reading.kinds import CHAT, EDIT, HIGH, PROMPT, SKILL
from smista_mcp.core.reading.phases import Draft, Outline
from smista_mcp.core.reading.prompt import FENCE, Prompt

_UNASKED: Final = frozenset((Act.QUESTION, Act.SYMPTOM))
_UNBIDDEN: Final = frozenset((*_UNASKED, Act.NEGATION))
_EXCLUDING: Final = frozenset((v.COMMA, v.BUT, v.AND, v.OPENING))
_SENTENCE_ENDS: Final = ".!?…。！？)"
_INVOKING: Final = frozenset(("make", "build", "run", "use", "begin", "give", "commit", "prompt", ""))
_MEANS: Final = frozenset(("with", "using", "via", "through", "by", "per"))
_DETERMINERS: Final = frozenset(("the", "our", "my", "your", "this", "that", "a", "an"))
_NAMES: Final = frozenset((v.UNKNOWN, v.MASK, v.NOUN, v.VERB))
_RUNNING: Final = frozenset(("run", "use", "begin", ""))


class Wording(NamedTuple):
    """The words of one phase: its text, the paths it names, the clauses it consists of."""

    text: str
    mentions: tuple[str, ...]
    clauses: tuple[int, ...]


def wordings(prompt: Prompt, outline: Outline, avoided: frozenset[int]) -> list[Wording]:
    """The words of each draft. A clause that asks for nothing goes to the next phase, or to the last."""
    drafts, parts = outline.drafts, outline.clauses
    if len(drafts) == 1:
        named = [path for i, path in prompt.paths.items() if i not in avoided]
        everything = tuple(range(len(parts)))
        return [Wording(prompt.text.strip(), tuple(dict.fromkeys((*named, *prompt.passed))), everything)]
    groups = _groups(prompt, outline)
    offsets = prompt.offsets(len(prompt.raw))
    placed = placed_paths(prompt, parts)
    found: list[Wording] = []
    for draft, group in zip(drafts, groups, strict=True):
        mentions = prompt.passed
        if placed:
            named = [prompt.paths[i] for k in group for i in placed.get(k, ()) if i not in avoided]
            mentions = tuple(dict.fromkeys((*named, *mentions)))
        if not mentions and draft.deictic and found:
            mentions = found[-1].mentions
        found.append(Wording(_text(prompt, parts, group, offsets), mentions, tuple(group)))
    return found


def placed_paths(prompt: Prompt, parts: list[Clause]) -> dict[int, list[int]]:
    """For each clause that names paths, the indexes of the tokens that do."""
    if not prompt.paths:
        return {}
    placed: dict[int, list[int]] = {}
    k = 0
    for i in prompt.paths:
        while k < len(parts) and parts[k].end <= i:
            k += 1
        if k < len(parts):
            placed.setdefault(k, []).append(i)
    return placed


def _groups(prompt: Prompt, outline: Outline) -> list[list[int]]:
    owners: dict[int, list[int]] = {}
    for number, draft in enumerate(outline.drafts):
        for k in draft.own:
            owners.setdefault(k, []).append(number)
    groups: list[list[int]] = [[] for _ in outline.drafts]
    waiting: list[int] = []
    last = 0
    for k in range(len(outline.clauses)):
        if k not in owners:
            if k - 1 in owners and prompt.raw[outline.clauses[k].start].startswith(FENCE):
                owners[k] = owners[k - 1][:1]  # a block belongs to what was asked right before it
                groups[last].append(k)
                continue
            waiting.append(k)
            continue
        for place, number in enumerate(owners[k]):
            groups[number] += [*waiting, k] if place == 0 else [k]
        last, waiting = owners[k][0], []
    groups[last] += waiting
    return [sorted(group) for group in groups]


def _text(prompt: Prompt, parts: list[Clause], group: list[int], offsets: list[int]) -> str:
    pieces: list[str] = []
    i = 0
    while i < len(group):
        k = i
        while k + 1 < len(group) and group[k + 1] == group[k] + 1:
            k += 1
        first, last = parts[group[i]], parts[group[k]]
        begin = 0 if group[i] == 0 else offsets[first.start]
        following = group[k] + 1
        until = offsets[parts[following].start] if following < len(parts) else len(prompt.text)
        pieces.append(prompt.text[begin : _end(prompt, last, offsets, until)].strip().rstrip(" ,;，、"))
        i = k + 1
    return " ".join(pieces)


def _end(prompt: Prompt, part: Clause, offsets: list[int], until: int) -> int:
    """The end of a clause's words: with the sign that ends a sentence, and the output that is pasted below it."""
    if part.sign >= len(offsets):
        return len(prompt.text)
    signed = prompt.raw[part.sign][0] in _SENTENCE_ENDS
    end = offsets[part.sign] + (len(prompt.raw[part.sign]) if signed else 0)
    while until > end and (prompt.text[until - 1].isspace() or not prompt.shown[until - 1].isspace()):
        until -= 1
    return until


def avoided_tokens(prompt: Prompt, parts: list[Clause], readings: list[Reading]) -> frozenset[int]:
    """Indexes of the tokens that name a path which the words forbid to touch."""
    found: set[int] = set()
    for k, places in placed_paths(prompt, parts).items():
        if readings[k].act == Act.NEGATION:
            found.update(places)
        elif readings[k].act not in _UNASKED:
            after = _exception(prompt, parts[k])
            found.update(i for i in places if i > after)
    if not found:
        return frozenset()
    free = {path for i, path in prompt.paths.items() if i not in found}
    return frozenset(i for i in found if prompt.paths[i] not in free)


def _exception(prompt: Prompt, part: Clause) -> int:
    """Where "except", "without …ing" or ", not" stands in a clause that asks for something; its end if nowhere."""
    words, lows = prompt.words, prompt.lows
    for i in range(part.start, part.end):
        role = words[i].role
        if (
            role == v.EXCEPT
            or lows[i] == "without"
            or (role == v.NEG and i > part.start and words[i - 1].role in _EXCLUDING)
        ):
            return i
    return part.end


def skill_of(prompt: Prompt, outline: Outline, draft: Draft, skills: Mapping[str, str]) -> str | None:
    """The skill that a phase's own words name: a known one as its object, or "skill x", "the x skill" to be run.

    Whatever else a phase does, it may do it "with the x skill" or with `$x`.
    """
    words, lows = prompt.words, prompt.lows
    head = draft.evidence[0] if draft.evidence and draft.verb else -1
    for k in draft.own:
        part = outline.clauses[k]
        if outline.readings[k].act in _UNBIDDEN:
            continue
        for i in range(part.start, part.end):
            if i == head:
                continue
            known = skills.get(lows[i])
            if draft.verb not in _INVOKING:
                if known is not None and (lows[i][0] in "/$" or _is_means(lows, i, part)):
                    return known
                continue
            if known is not None and not (
                i + 1 < part.end and words[i + 1].role in (v.UNKNOWN, v.NOUN) and lows[i + 1] != "skill"
            ):
                return known
            if lows[i] == "skill" and draft.intent is SKILL:
                return _named(prompt, part, (i, head), skills)
    return None


def _is_means(lows: Sequence[str], i: int, part: Clause) -> bool:
    """Whether a name stands in "with the x skill": what is worked with, not on."""
    before = [low for low in lows[max(part.start, i - 2) : i] if low not in _DETERMINERS]
    return i + 1 < part.end and lows[i + 1] == "skill" and bool(before) and before[-1] in _MEANS


def with_skills(prompt: Prompt, found: Outline, skills: Mapping[str, str]) -> Outline:
    """With a phase for each clause that only says to use a known skill: without one it would lead on to the next."""
    owned = {k for draft in found.drafts for k in draft.own}
    added: list[Draft] = []
    for k, reading in enumerate(found.readings):
        if k in owned or reading.verb != "use" or reading.act > Act.DESIRE:
            continue
        draft = Draft(SKILL, HIGH, (k,), "reader", reading.evidence, EDIT, "use")
        if skill_of(prompt, found, draft, skills) is not None:
            added.append(draft)
    if not added:
        return found
    return found._replace(drafts=sorted((*found.drafts, *added), key=lambda draft: draft.own[0]))


def _named(prompt: Prompt, part: Clause, at: tuple[int, int], skills: Mapping[str, str]) -> str | None:
    """The name beside the word "skill" at `at[0]`; the verb at `at[1]` is none."""
    i, head = at
    for k in (i - 1, i + 1):
        if part.start <= k < part.end and k != head and prompt.words[k].role in _NAMES:
            name = prompt.raw[k].strip("`\"'“”")
            if name[:1].isalnum() and " " not in name:
                return skills.get(name.lower(), name)
    return None


def runs_skill(draft: Draft) -> bool:
    """Whether a phase with a skill is the running of it, as its verb says nothing else."""
    return draft.verb in _RUNNING and draft.intent in (EDIT, CHAT, PROMPT, SKILL)
