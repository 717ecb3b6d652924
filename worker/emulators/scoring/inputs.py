"""What the bodies of Lift Wing calls must hold, and how the servers refuse those that do not. Pure.

Source: machinelearning/liftwing inference-services @ bce944c, python/preprocess_utils.py.
"""

from worker.emulators.documents import Document, parse_json


class InvalidInputError(ValueError):
    """What KServe calls InvalidInput: 400, with the sentence under `error`."""


class Refused(ValueError):
    """What FastAPI calls HTTPException: 400, with the sentence under `detail`."""


def json_object(body: bytes) -> Document:
    """Return the JSON object in *body*; raises ValueError."""
    inputs = parse_json(body)
    if not isinstance(inputs, dict):
        raise InvalidInputError("Input is not a JSON object.")
    return inputs


def integer(inputs: object, name: str = "rev_id") -> int:
    """Return the integer called *name*; raises InvalidInputError."""
    number = inputs.get(name) if isinstance(inputs, dict) else None
    if not isinstance(number, int) or isinstance(number, bool):
        raise InvalidInputError(f'Expected "{name}" to be an integer.')
    return number


def required(inputs: Document, name: str) -> object:
    """Return what is called *name*; raises InvalidInputError where it is missing or empty."""
    if not inputs.get(name):
        raise InvalidInputError(f"The parameter {name} is required.")
    return inputs[name]
