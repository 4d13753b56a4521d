"""The shipped policies: each loads cleanly, passes its own tests, and names models that exist."""

from pathlib import Path

import pytest
from deciding import DAY, routed, world

from smista_mcp.core.catalog import Catalog
from smista_mcp.core.modelref import HOST, ModelRef, parse_target
from smista_mcp.core.policy_tests import run_tests
from smista_mcp.core.snapshot import Rulebook, rulebook
from smista_mcp.core.task import Task
from smista_mcp.core.values import Effort, Intent, Locality
from smista_mcp.loading.catalog_data import read_extract, read_families
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.layers import Settings, load
from smista_mcp.loading.presets import FIRST_RUN, preset_names

PRESETS = (FIRST_RUN, *preset_names())


def shipped(name: str, home: Path) -> Rulebook:
    variables = {"SMISTA_HOME": str(home), "HOME": str(home)}
    loaded = load(Settings(environment=Environment.read(variables), preset=name))
    assert loaded.findings == ()
    return rulebook(loaded.policy)


def test_the_presets_that_the_product_was_ordered_with_are_there() -> None:
    assert {"embedded", "local-first", "balanced", "quality", "team"} <= set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_passes_its_own_tests(tmp_path: Path, name: str) -> None:
    report = run_tests(shipped(name, tmp_path), Catalog(read_extract(), read_families(), {}, DAY))
    assert [(result.name, result.differences) for result in report.results if not result.passed] == []
    assert report.never_won == ()


@pytest.mark.parametrize("name", PRESETS)
def test_commit_texts_take_little_effort_in_every_preset(tmp_path: Path, name: str) -> None:
    task = Task(text="write it", intent=Intent.COMMIT)
    (one,) = routed(world(shipped(name, tmp_path)), task)
    assert one.decision.effort is Effort.LOW


@pytest.mark.parametrize("name", PRESETS)
def test_every_remote_model_of_a_preset_is_in_todays_catalog(tmp_path: Path, name: str) -> None:
    policy = shipped(name, tmp_path).policy
    catalog = Catalog(read_extract(), read_families(), {}, DAY)
    targets = [model for definition in policy.classes.values() for model in definition.models]
    targets += [target for placed in policy.rules for target in (placed.rule.model, *placed.rule.fallbacks)]
    refs = [ref for target in targets if isinstance(ref := parse_target(target), ModelRef) and ref.provider != HOST]
    for ref in refs:
        spec = policy.providers[ref.provider]
        if spec.locality is Locality.REMOTE:
            facts = catalog.facts(ref, spec.kind)
            assert facts.known, ref
            assert facts.price is not None, ref
