"""The libraries that spoke ORES, each in an environment of its own, and a checker of APIs over our specification."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.front_door import LONGEST_SECONDS, Front
from tests.acceptance.running import PATIENT, merged, running
from tests.installation.environments import Environment, make_environment, pip_install
from worker.emulators.scoring.shapes import prediction, probabilities

pytestmark = pytest.mark.long

REVISIONS = list(range(1, 121))
#: Both libraries have the same `Session`; three batches of 50, four at once.
ASK = """
import json, sys
from {module} import Session
session = Session(sys.argv[1], user_agent="tests")
print(json.dumps(list(session.score("enwiki", ["damaging", "goodfaith"], json.loads(sys.argv[2])))))
"""


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    directory: Path = tmp_path_factory.mktemp("front_door_clients")
    settings = merged(PATIENT, {"endpoint": {"concurrency": 200}, "web": {"timeout_seconds": 60}})
    with running(directory, {"enwiki": f"sqlite:///{directory}/enwiki.db"}, **settings) as here:
        front = Front(here)
        yield front
        front.close()


def score(model: str, revision: int) -> dict[str, object]:
    probability = probabilities(0, "enwiki", model, revision)
    return {"score": {"prediction": prediction(probability), "probability": probability}}


def scores_of(environment: Environment, module: str, front: Front) -> object:
    done = environment.call("python", "-c", ASK.format(module=module), front.url, json.dumps(REVISIONS))
    assert done.code == 0, done.err
    return json.loads(done.out)


EXPECTED = [{model: score(model, revision) for model in ("damaging", "goodfaith")} for revision in REVISIONS]


def test_oresapi_gets_its_scores(front: Front, tmp_path: Path) -> None:
    environment = make_environment(tmp_path, "oresapi==0.1.0")

    assert scores_of(environment, "oresapi", front) == EXPECTED


def test_the_session_of_the_package_ores_gets_its_scores(front: Front, tmp_path: Path) -> None:
    # Its models and their libraries are not what is asked here.
    environment = make_environment(tmp_path, "requests", "more-itertools", "setuptools<80")
    pip_install(["--python", str(environment.program("python"))], "--no-deps", "ores==1.4.0")

    assert scores_of(environment, "ores.api", front) == EXPECTED


@pytest.fixture(scope="module")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return make_environment(tmp_path_factory.mktemp("schemathesis"), "schemathesis>=4.32,<5")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_schemathesis_finds_nothing_against_the_specification(front: Front, checker: Environment, number: int) -> None:
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    options = ("--checks", checks, "--max-examples", "40", "--seed", "1", "--no-color")
    patience = ("--request-timeout", str(LONGEST_SECONDS))
    done = checker.call("schemathesis", "run", f"{front.url}/v{number}/?spec", *options, *patience)

    assert done.code == 0, done.out[-6000:]
    assert (tried := re.search(r"(\d+) generated|No issues found", done.out)), done.out[-6000:]
    assert tried[1] is None or int(tried[1]) > 100
