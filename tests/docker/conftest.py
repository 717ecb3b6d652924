"""The compose file, brought up once by pytest-docker where a Docker engine answers.

Without an engine these tests are not part of the run; where OUTPATROL_REQUIRE_DOCKER is set there has to be one.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from worker.demo.processes import free_port

COMPOSE_FILE = Path(__file__).resolve().parents[2] / "docker" / "compose.yaml"
REQUIRED_VARIABLE = "OUTPATROL_REQUIRE_DOCKER"


def engine_answers() -> bool:
    return (
        shutil.which("docker") is not None and subprocess.run(["docker", "info"], capture_output=True).returncode == 0
    )


def compose_command() -> str | None:
    """The compose of this machine: the engine's plugin, else the older program."""
    if subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0:
        return "docker compose"
    return "docker-compose" if shutil.which("docker-compose") else None


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    if collection_path.name.startswith("test_") and not engine_answers():
        if os.environ.get(REQUIRED_VARIABLE):
            raise pytest.UsageError(f"{REQUIRED_VARIABLE} is set, and no Docker engine answers; start one, or unset it")
        return True
    return None


@pytest.fixture(scope="session")
def docker_compose_file() -> str:
    return str(COMPOSE_FILE)


@pytest.fixture(scope="session")
def docker_compose_command() -> str:
    command = compose_command()
    assert command is not None, "a Docker engine answers, but neither `docker compose` nor docker-compose is installed"
    return command


@pytest.fixture(scope="session")
def docker_compose_project_name() -> str:
    # Ports of its own too, so that a run disturbs neither another one nor what the user has brought up.
    for service in ("MARIADB", "REDIS", "SCORING"):
        os.environ[f"OUTPATROL_{service}_PORT"] = str(free_port())
    name = f"outpatrol-test-{os.getpid()}"
    os.environ["OUTPATROL_IMAGE"] = f"{name}:latest"
    # The classic builder: it takes base images that were made on this machine and are in no registry.
    os.environ["DOCKER_BUILDKIT"] = os.environ.get("DOCKER_BUILDKIT", "0")
    return name


@pytest.fixture(scope="session")
def docker_setup() -> list[str]:
    return ["up --detach --build"]


@pytest.fixture(scope="session")
def docker_cleanup() -> list[str]:
    return ["down --volumes --rmi local"]
