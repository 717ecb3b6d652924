"""What the emulated scoring endpoint says about its models: ORES' `model_info`, or broken information if that is set.

Pure. Source: wikimedia/ores ores/wsgi/routes/v3 and wikimedia/revscoring revscoring/scoring/model_info.py.
"""

import re
from collections.abc import Sequence
from typing import Any

from worker.emulators.documents import Document
from worker.emulators.scoring.servers import MODELS
from worker.emulators.scoring.settings import EmulatorSettings
from worker.emulators.scoring.statistics import matches_of, optimum, read_formula, statistics_document

VERSION = ("version",)
#: What all models say of themselves.
ABOUT: Document = {
    "type": "GradientBoosting",
    "params": {"center": True, "labels": [True, False], "scale": True},
    "environment": {"revscoring_version": "2.11.0", "machine": "x86_64"},
}
_PART = r"""(?:"[^"]*"|'[^']*'|[^."']+)"""
_PATH = re.compile(rf"{_PART}(?:\.{_PART})*")


def model_information(
    settings: EmulatorSettings, wiki: str, models: Sequence[str], paths: Sequence[str] = VERSION
) -> Document:
    """Return the `models` part of an ORES v3 reply, model → what the paths ask for: its version and thresholds.

    Raises LookupError with the path for a path or a class that a model does not have and for a malformed formula,
    which the original answers with 500.
    """
    if paths == VERSION:
        # Nearly all calls ask for no more.
        return {model: {"version": settings.version_of(model)} for model in models}
    return {model: _of_model(settings, wiki, model, paths) for model in models}


def _of_model(settings: EmulatorSettings, wiki: str, model: str, paths: Sequence[str]) -> Document:
    information: dict[str, Any] = {}
    thresholds: dict[str, list[Document | None]] = {}
    # A path that is asked for twice is answered once, so there can be fewer answers than paths.
    for path in dict.fromkeys(paths):
        match _parts(path):
            case ["version"]:
                information["version"] = settings.version_of(model)
            case ["statistics", "thresholds", label, formula] if label in MODELS[model].classes:
                information["statistics"] = {"thresholds": thresholds}
                thresholds.setdefault(label, []).append(_threshold(settings, wiki, model, label, formula))
            case ["statistics"]:
                information["statistics"] = {**_statistics(model), "thresholds": thresholds}
            case [name] if name in ABOUT:
                information[name] = ABOUT[name]
            case ["statistics", name, *rest] if name in _statistics(model):
                _place(information, ["statistics", name], _within(_statistics(model)[name], rest, path))
            case [name, *_]:
                raise LookupError(name)
            case _:
                raise LookupError(path)
    return information


def _statistics(model: str) -> Document:
    labels = dict.fromkeys(MODELS[model].classes, 0.94)
    return {
        "counts": {"n": 2000, "labels": dict.fromkeys(MODELS[model].classes, 1000)},
        "roc_auc": {"micro": 0.94, "macro": 0.94, "labels": labels},
    }


def _within(document: Any, rest: Sequence[str], path: str) -> Any:
    """*document*, or the part of it that the *rest* of a path leads to, in all that surrounds it."""
    if not rest:
        return document
    if not isinstance(document, dict) or rest[0] not in document:
        raise LookupError(path)
    return {rest[0]: _within(document[rest[0]], rest[1:], path)}


def _place(information: dict[str, Any], path: Sequence[str], part: Any) -> None:
    for name in path[:-1]:
        information = information.setdefault(name, {})
    information[path[-1]] = part


def _parts(path: str) -> list[str]:
    parts = re.findall(_PART, path) if _PATH.fullmatch(path) else []
    return [part.strip("\"'") for part in parts]


def _threshold(settings: EmulatorSettings, wiki: str, model: str, label: str, formula: str) -> Document | None:
    try:
        wanted = read_formula(formula)
    except ValueError as error:
        raise LookupError(formula) from error
    best = optimum(wanted, matches_of(settings.seed, wiki, model, settings.version_of(model), label))
    return None if best is None else statistics_document(best)


def broken_information(models: Sequence[str]) -> Document:
    """Return a `models` part in which every value is wrong."""
    return {model: {"version": 7, "statistics": ["broken"]} for model in models}
