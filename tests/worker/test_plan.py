"""Which models score an edit."""

from outbox import EditSource, PatrolStatus
from tests.builders import an_edit
from worker.domain.models import BINARY, DEFAULT_MODELS, ScoringModel
from worker.scores.plan import plan

RISK = "revertrisklanguageagnostic"


def models(*names: str) -> dict[str, ScoringModel]:
    return {name: DEFAULT_MODELS[name] for name in names}


def test_an_edit_is_scored_by_the_models_of_its_wiki_in_their_order() -> None:
    assert plan(an_edit(), models("goodfaith", "damaging")) == ("goodfaith", "damaging")
    assert plan(an_edit(), models("damaging", "goodfaith")) == ("damaging", "goodfaith")


def test_a_model_of_articles_leaves_out_other_namespaces() -> None:
    assert plan(an_edit(namespace=0), models("articlequality")) == ("articlequality",)
    assert plan(an_edit(namespace=1), models("articlequality", "damaging")) == ("damaging",)


def test_a_model_of_new_pages_leaves_out_later_edits() -> None:
    assert plan(an_edit(source=EditSource.NEW, parent_revision=0), models("draftquality")) == ("draftquality",)
    assert plan(an_edit(source=EditSource.EDIT), models("draftquality")) == ()


def test_bots_are_left_out_only_by_a_model_that_says_so() -> None:
    both = {"all": ScoringModel(classes=BINARY), "people": ScoringModel(classes=BINARY, exclude_bots=True)}

    assert plan(an_edit(is_bot=False), both) == ("all", "people")
    assert plan(an_edit(is_bot=True), both) == ("all",)


def test_the_first_revision_of_a_page_is_not_scored_by_revert_risk() -> None:
    assert plan(an_edit(parent_revision=7), models(RISK)) == (RISK,)
    assert plan(an_edit(source=EditSource.NEW, parent_revision=0), models(RISK, "damaging")) == ("damaging",)


def test_a_revision_whose_parent_nobody_told_is_not_taken_for_the_first_of_its_page() -> None:
    assert plan(an_edit(source=EditSource.EDIT, parent_revision=0), models(RISK)) == (RISK,)


def test_autopatrolled_edits_are_scored_like_all_others() -> None:
    assert plan(an_edit(patrol_status=PatrolStatus.AUTOPATROLLED), models("damaging")) == ("damaging",)
