"""Facts of local servers in a file, so that decisions in quick succession ask once."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from smista_mcp.core.facts import ProviderFacts
from smista_mcp.providers import wirejson
from smista_mcp.providers.livefacts import from_json, to_json
from smista_mcp.providers.probe import DEADLINE_S, ProbeTarget, probe_all

MAX_AGE_S = 30.0
UNREACHABLE_AGE_S = 3.0
"""A server that was not there is looked for again sooner: someone may just be starting it."""
_CAP = 4 * 1024 * 1024


def known_facts(
    targets: Sequence[ProbeTarget], *, cache: Path | None, now: float, deadline_s: float = DEADLINE_S
) -> dict[str, ProviderFacts]:
    """Facts of each target by name, from the file where it is fresh, else from the servers themselves.

    Args:
        targets: the servers; their keys are not kept, whether one is given is.
        cache: the file; None for no cache. That it cannot be read or written is no error.
        now: seconds since the epoch.
        deadline_s: so long the servers may take in all.
    """
    if not targets:
        return {}
    if cache is not None and (known := cached_facts(cache, targets, now=now)) is not None:
        return known
    facts = probe_all(targets, deadline_s=deadline_s)
    if cache is not None:
        store_facts(cache, targets, facts, now=now)
    return facts


def cached_facts(
    path: Path, targets: Sequence[ProbeTarget], *, now: float, max_age_s: float = MAX_AGE_S
) -> dict[str, ProviderFacts] | None:
    """The facts in the file; None where they are too old, of other targets, not readable, or not there."""
    try:
        with path.open("rb") as file:
            content = wirejson.parse_object(file.read(_CAP))
        facts = from_json(content.get("facts"), {target.name: target.locality for target in targets})
    except (OSError, ValueError):
        return None
    at = content.get("at")
    if content.get("targets") != _fingerprint(targets) or set(facts) != {target.name for target in targets}:
        return None
    unreachable = any(one.reachable is False for one in facts.values())
    age = now - at if isinstance(at, int | float) else -1.0
    return facts if 0 <= age <= (min(max_age_s, UNREACHABLE_AGE_S) if unreachable else max_age_s) else None


def store_facts(path: Path, targets: Sequence[ProbeTarget], facts: Mapping[str, ProviderFacts], *, now: float) -> bool:
    """Replaces the file (0600) as a whole. False where it cannot be written."""
    content = {"at": now, "targets": _fingerprint(targets), "facts": to_json(facts)}
    part = path.with_name(f"{path.name}.{os.urandom(8).hex()}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(content, file)
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            return False
    except OSError:
        return False
    return True


def _fingerprint(targets: Sequence[ProbeTarget]) -> str:
    asked = [
        [
            target.name,
            target.kind,
            target.base_url,
            target.locality.value,
            target.key is not None,
            sorted(target.wanted),
        ]
        for target in sorted(targets, key=lambda target: target.name)
    ]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()
