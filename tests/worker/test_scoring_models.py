"""The default scoring models, and what settings make of them."""

import pytest

from outbox import EditSource
from worker.domain.models import DEFAULT_MODELS, LiftWingServer, with_overrides


def test_without_changes_the_models_are_the_defaults() -> None:
    assert with_overrides({}) == DEFAULT_MODELS


def test_a_change_of_one_field_keeps_the_others() -> None:
    changed = with_overrides({"draftquality": {"exclude_bots": True}})["draftquality"]

    assert changed == DEFAULT_MODELS["draftquality"].model_copy(update={"exclude_bots": True})


def test_a_change_of_one_model_keeps_the_other_models() -> None:
    changed = with_overrides({"damaging": {"namespaces": [0]}})

    assert {name for name in changed if changed[name] != DEFAULT_MODELS[name]} == {"damaging"}


def test_a_change_leaves_the_defaults_themselves_alone() -> None:
    with_overrides({"damaging": {"namespaces": [0]}})

    assert DEFAULT_MODELS["damaging"].namespaces == frozenset()


def test_a_new_model_is_added() -> None:
    added = with_overrides({"fluency": {"classes": {"no": 0, "yes": 1}, "sources": ["mw.new"]}})["fluency"]

    assert added.sources == {EditSource.NEW}
    assert added.server is LiftWingServer.REVSCORING


@pytest.mark.parametrize(
    ("override", "place"),
    [
        ({"fluency": {}}, "models.fluency.classes"),
        ({"damaging": {"classes": {"true": "one"}}}, "models.damaging.classes.true"),
        ({"damaging": {"colour": "red"}}, "models.damaging.colour"),
    ],
)
def test_a_wrong_change_is_refused_by_the_name_of_its_field(override: dict[str, dict[str, object]], place: str) -> None:
    with pytest.raises(ValueError, match=f"^{place}: "):
        with_overrides(override)


def test_a_model_of_two_classes_is_binary() -> None:
    assert DEFAULT_MODELS["damaging"].is_binary
    assert not DEFAULT_MODELS["articlequality"].is_binary
