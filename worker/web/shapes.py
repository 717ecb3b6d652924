"""The documents of ORES' three versions. Pure.

Source: wikimedia/ores ores/wsgi/routes/v1/util.py, v2/util.py and v3/util.py @ 8369ea0.
"""

from worker.domain.failures import Failure
from worker.domain.json_text import JsonObject
from worker.domain.scores import Answer, NoAnswer, Score
from worker.web.scoring import Scored

BINARY = {"true", "false"}
#: ORES' name for a failure (a class there), and a sentence of ours, since the endpoint's own words contain its address.
FAILED = "The scoring endpoint gave no score this time.  Try again in a few minutes."
FULL = "Queue size is too full.  Try again in a few minutes."


def v3(scored: Scored) -> JsonObject:
    """`{wiki: {models: {model: info}, scores: {revision: {model: {score} | {error}}}}}`."""
    document: JsonObject = {"models": models_of(scored)}
    if scored.answers:
        document["scores"] = {
            str(revision): {model: entry_of(answer) for model, answer in by_model.items()}
            for revision, by_model in scored.answers.items()
        }
    return {scored.question.wiki: document}


def models_of(scored: Scored) -> JsonObject:
    """What is said of each model in v3: its version, where nothing else was asked for."""
    if scored.info:
        return dict(scored.info)
    return {model: _version(scored, model) for model in scored.question.models}


def v2(scored: Scored) -> JsonObject:
    """`{scores: {wiki: {model: {version, info, scores: {revision: score | error}, features}}}}`."""
    return {"scores": {scored.question.wiki: {model: _v2_model(scored, model) for model in scored.question.models}}}


def _v2_model(scored: Scored, model: str) -> JsonObject:
    document = _version(scored, model)
    if scored.info:
        document["info"] = scored.info[model]
    if scored.answers:
        entries = {str(revision): entry_of(by_model[model]) for revision, by_model in scored.answers.items()}
        document["scores"] = {revision: entry.get("score", entry) for revision, entry in entries.items()}
        features = {revision: entry["features"] for revision, entry in entries.items() if "features" in entry}
        if features:
            document["features"] = features
            for revision in features:
                document["scores"][revision] = entries[revision]["score"]
    return document


def v1(scored: Scored, model: str | None) -> JsonObject:
    """`{revision: {model: score | error}}`, or `{revision: score | error}` for the *model* of the path.

    Without revisions it is what is known of the models.
    """
    if not scored.answers:
        return {"models": dict(scored.info)} if model is None else dict(scored.info[model])
    entries = {
        str(revision): {name: _v1_entry(answer) for name, answer in by_model.items()}
        for revision, by_model in scored.answers.items()
    }
    return entries if model is None else {revision: by_model[model] for revision, by_model in entries.items()}


def _v1_entry(answer: Answer) -> JsonObject:
    entry = entry_of(answer)
    score: JsonObject = entry.get("score", entry)
    return score


def _version(scored: Scored, model: str) -> JsonObject:
    version = scored.versions.get(model)
    return {} if version is None else {"version": version}


def entry_of(answer: Answer) -> JsonObject:
    """The answer of one model for one revision: `{score}` or `{error}`."""
    if isinstance(answer, Score):
        score = {"score": {"prediction": prediction_of(answer), "probability": answer.probability}}
        return score if answer.features is None else score | {"features": answer.features}
    if isinstance(answer, NoAnswer):
        return {"error": failure_of(answer)}
    return {"error": {"type": answer.type, "message": answer.message}}


def prediction_of(score: Score) -> bool | str | list[str]:
    """The prediction as ORES writes it: true or false as such, not as text."""
    if isinstance(score.prediction, str):
        return score.prediction == "true" if score.probability.keys() == BINARY else score.prediction
    return list(score.prediction)


def failure_of(answer: NoAnswer) -> JsonObject:
    """Why there is no score this time, by ORES' name for it."""
    if answer.failure is Failure.LATE:
        is_ours = answer.error.startswith("Timed out")
        return {"type": "TimeoutError", "message": answer.error if is_ours else "Timed out."}
    if answer.failure is Failure.THROTTLED:
        return {"type": "ScoreProcessorOverloaded", "message": FULL}
    return {"type": "RequestError", "message": FAILED}
