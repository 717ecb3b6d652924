"""What ORES would answer, made from what the emulated endpoint says."""

from typing import Any

from worker.emulators.scoring.shapes import prediction, probabilities

VERSION = "0.5.1"
VERSIONS = {"damaging": {"version": VERSION}, "goodfaith": {"version": VERSION}}


def score(model: str, revision: int, wiki: str = "enwiki") -> dict[str, Any]:
    probability = probabilities(0, wiki, model, revision)
    return {"prediction": prediction(probability), "probability": probability}


def scores(*revisions: int, models: tuple[str, ...] = ("damaging", "goodfaith")) -> dict[str, Any]:
    """The `scores` of v3."""
    return {str(each): {model: {"score": score(model, each)} for model in models} for each in revisions}


def gone(revision: int) -> dict[str, Any]:
    message = f"RevisionNotFound: Could not find revision ({{revision}}:{revision})"
    return {"error": {"type": "RevisionNotFound", "message": message}}


def error(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message}
