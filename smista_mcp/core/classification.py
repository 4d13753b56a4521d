"""From words to phases, by rule: the user's rules first, then the built-in reader. Pure, and linear in the text."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from smista_mcp.core.policy import ClassificationRule
from smista_mcp.core.reading import vocabulary as v
from smista_mcp.core.reading.acts import Act
from smista_mcp.core.reading.keywords import Met, RuleIndex, indexed
from smista_mcp.core.reading.phases import Draft, Outline, merged, outline, united
from smista_mcp.core.reading.prompt import Prompt, command, parsed
from smista_mcp.core.reading.wording import Wording, avoided_tokens, runs_skill, skill_of, with_skills, wordings
from smista_mcp.core.task import IntentReading, Phase
from smista_mcp.core.values import Confidence, ContextKind, Intent

if TYPE_CHECKING:
    from smista_mcp.core.reading.spans import Span


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads prompts under one policy.

    Attributes:
        rules: the user's rules, as written; tried by ascending priority, then in order. A rule is asked about the words
            of each phase, negated and masked ones left out; the first that matches gives that phase its intent, with
            the source `rule:N`, N counting from 1 as written.
        skills: names of the skills on disk or in routing rules.
        first: how many of the rules, from the start, are the organisation's: these are tried before the rest.
    """

    rules: tuple[ClassificationRule, ...] = ()
    skills: frozenset[str] = frozenset()
    first: int = 0
    _index: RuleIndex = field(init=False, repr=False, compare=False)
    _known: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", indexed(self.rules, self.first))
        known = {sign + name.lower(): name for name in sorted(self.skills) for sign in ("", "/", "$")}
        object.__setattr__(self, "_known", known)

    def read(
        self,
        text: str,
        *,
        intent: Intent | None = None,
        skill: str | None = None,
        kinds: frozenset[ContextKind] = frozenset(),
    ) -> tuple[Phase, ...]:
        """The phases of a task, at least one, in order of execution.

        Args:
            text: the task's words.
            intent: the declared intent; then there is one phase of it.
            skill: the named workflow of the call. It belongs to the phases whose words name it, else to all.
            kinds: which kinds of context are present.
        """
        return self._understood(text, intent, skill, kinds).phases

    def spans(
        self,
        text: str,
        *,
        intent: Intent | None = None,
        skill: str | None = None,
        kinds: frozenset[ContextKind] = frozenset(),
    ) -> "list[Span]":
        """Which words decide the phases that `read` gives for the same arguments, and which were set aside and why."""
        from smista_mcp.core.reading.spans import spans  # noqa: PLC0415  only where it is asked for

        understood = self._understood(text, intent, skill, kinds)
        return spans(understood.prompt, understood.found)

    def _understood(
        self, text: str, intent: Intent | None, skill: str | None, kinds: frozenset[ContextKind]
    ) -> "_Understood":
        prompt, commanded = _commanded(parsed(text), self._known)
        found = outline(prompt)
        if intent is not None:
            found = _only(found, Draft(intent, Confidence.HIGH, (), "declared", binding=_readings(found)))
        elif commanded:
            found = _only(
                found, Draft(Intent.SKILL, Confidence.HIGH, (), "command", (_sign(prompt),), binding=_said_after(text))
            )
        elif self._speaks_of_skills(prompt):
            found = with_skills(prompt, found, self._known)
        avoided = avoided_tokens(prompt, found.clauses, found.readings)
        words = wordings(prompt, found, avoided)
        if self.rules and intent is None and not commanded:
            ruled = self._ruled(prompt, found, words, kinds)
            if [draft.own for draft in ruled] != [draft.own for draft in found.drafts]:
                words = wordings(prompt, found._replace(drafts=ruled), avoided)
            found = found._replace(drafts=ruled)
        named = self._named(prompt, found, commanded)
        if skill is not None:
            named = [name if name == skill else None for name in named] if skill in named else [skill] * len(named)
        paths = tuple(dict.fromkeys(prompt.paths[i] for i in sorted(avoided)))
        drafts = [_skilled(draft, name, skill) for draft, name in zip(found.drafts, named, strict=True)]
        phases = tuple(_phase(prompt, i, draft, words[i], named[i], paths) for i, draft in enumerate(drafts))
        return _Understood(phases, prompt, found)

    def _named(self, prompt: Prompt, found: Outline, commanded: str) -> list[str | None]:
        """The skill that the words of each phase name."""
        if commanded:
            return [commanded] * len(found.drafts)
        if not self._speaks_of_skills(prompt):
            return [None] * len(found.drafts)
        return [skill_of(prompt, found, draft, self._known) for draft in found.drafts]

    def _speaks_of_skills(self, prompt: Prompt) -> bool:
        return "skill" in prompt.lows or not self._known.keys().isdisjoint(prompt.lows)

    def _ruled(
        self, prompt: Prompt, found: Outline, words: list[Wording], kinds: frozenset[ContextKind]
    ) -> list[Draft]:
        """The drafts as the user's rules see them; neighbours that become equal are one phase."""
        drafts: list[Draft] = []
        for draft, wording in zip(found.drafts, words, strict=True):
            for ruled in self._parted(prompt, found, draft, wording, kinds):
                if drafts and drafts[-1].intent is ruled.intent:
                    drafts[-1] = united((drafts[-1], ruled))
                else:
                    drafts.append(ruled)
        return drafts

    def _parted(
        self, prompt: Prompt, found: Outline, draft: Draft, wording: Wording, kinds: frozenset[ContextKind]
    ) -> list[Draft]:
        """A phase as the rules see it: of several requests that the reader united, only those that meet a rule."""
        whole = self._by_words(prompt, found, draft, wording.clauses, kinds)
        if whole is None:
            return [draft]
        parts = _with_context(draft, wording)
        ruled = [self._by_words(prompt, found, part, clauses, kinds) for part, clauses in parts]
        if not any(ruled):
            return [whole]
        told = merged([met or part for met, (part, _) in zip(ruled, parts, strict=True)])
        return told if any(one.intent is not whole.intent for one in told) else [whole]

    def _by_words(
        self, prompt: Prompt, found: Outline, draft: Draft, clauses: Iterable[int], kinds: frozenset[ContextKind]
    ) -> Draft | None:
        """A phase as the first rule that its words meet reads it; None where they meet none."""
        at = _spoken(prompt, found, clauses)
        met = self._index.first([prompt.lows[i] for i in at], kinds)
        return None if met is None else _by_rule(draft, met, tuple(at[met.start : met.end]))


class _Understood(NamedTuple):
    """A text read: its phases, and what they were made of."""

    phases: tuple[Phase, ...]
    prompt: Prompt
    found: Outline


def _with_context(draft: Draft, wording: Wording) -> list[tuple[Draft, list[int]]]:
    """The requests that a phase was united from, each with its clauses and those that ask for nothing before it."""
    owner = {k: place for place, part in enumerate(draft.parts) for k in part.own}
    groups: list[list[int]] = [[] for _ in draft.parts]
    waiting: list[int] = []
    for k in wording.clauses:
        waiting.append(k)
        if k in owner:
            groups[owner[k]] += waiting
            waiting = []
    if groups:
        groups[-1] += waiting
    return [*zip(draft.parts, groups, strict=True)]


def _by_rule(draft: Draft, met: Met, evidence: tuple[int, ...]) -> Draft:
    """A phase as a rule reads it; what the built-in reader saw in it comes second."""
    intent = met.rule.intent
    return draft._replace(
        intent=intent,
        confidence=Confidence.HIGH,
        source=f"rule:{met.number}",
        evidence=evidence,
        runner_up=None if draft.intent is intent or draft.source == "default" else draft.intent,
        implied=False,
        binding=draft.readings,
    )


def _commanded(prompt: Prompt, known: dict[str, str]) -> tuple[Prompt, str]:
    """The prompt without its command among the paths, and the name of the command."""
    if prompt.paths and not known.keys().isdisjoint(prompt.lows):  # "run /name" names no path
        prompt = prompt._replace(paths={i: path for i, path in prompt.paths.items() if prompt.lows[i] not in known})
    name = command(prompt.text)
    if not name:
        return prompt, ""
    sign = _sign(prompt)
    return prompt._replace(paths={i: path for i, path in prompt.paths.items() if i != sign}), known.get(
        name.lower(), name
    )


def _sign(prompt: Prompt) -> int:
    """Index of the token that a command stands in."""
    return next((i for i, raw in enumerate(prompt.raw) if raw[0] in "/$"), 0)


def _only(found: Outline, draft: Draft) -> Outline:
    """One phase of everything."""
    return found._replace(drafts=[draft._replace(own=tuple(range(len(found.clauses))))])


def _readings(found: Outline) -> tuple[Intent, ...]:
    """What the built-in reader recognises, so that a word of the call or a command lifts no rule that binds."""
    return tuple(dict.fromkeys(one for draft in found.drafts if draft.source != "default" for one in draft.readings))


def _said_after(text: str) -> tuple[Intent, ...]:
    """What is recognised behind a command, which hides it from the reader."""
    words = text.split(maxsplit=1)
    return _readings(outline(parsed(words[1]))) if len(words) > 1 else ()


def _spoken(prompt: Prompt, found: Outline, clauses: Iterable[int]) -> list[int]:
    """Indexes of the tokens of a phase that are language and not negated."""
    return [
        i
        for k in clauses
        if found.readings[k].act != Act.NEGATION
        for i in range(found.clauses[k].start, found.clauses[k].end)
        if prompt.words[i].role not in (v.MASK, v.PATH)
    ]


def _skilled(draft: Draft, name: str | None, given: str | None) -> Draft:
    """A phase whose words say nothing but the name of its skill is the running of it."""
    if name is None or draft.intent is Intent.SKILL or draft.source.startswith("rule"):
        return draft
    if draft.source == "default" and given is not None:
        return draft._replace(intent=Intent.SKILL, confidence=Confidence.HIGH, source="declared", runner_up=None)
    if given is None and draft.source == "reader" and runs_skill(draft):
        return draft._replace(intent=Intent.SKILL, runner_up=draft.intent)
    return draft


def _phase(
    prompt: Prompt, index: int, draft: Draft, words: Wording, skill: str | None, avoided: tuple[str, ...]
) -> Phase:
    confidence = draft.confidence
    if prompt.gap[0] and confidence is Confidence.HIGH and draft.source == "reader":
        confidence = Confidence.MEDIUM  # not all of the text was read
    reading = IntentReading(
        name=draft.intent,
        source=draft.source,
        confidence=confidence,
        evidence=tuple(prompt.raw[i] for i in draft.evidence),
        runner_up=draft.runner_up,
    )
    return Phase(
        index=index,
        intent=reading,
        text=words.text,
        depends_on=(index - 1,) if index else (),
        implied=draft.implied,
        skill=skill,
        binding=tuple(one for one in draft.binding if one is not draft.intent),
        mentions=words.mentions,
        avoided=avoided,
    )
