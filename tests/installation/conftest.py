"""The distributions, built once, and the environments that they are installed in."""

import tarfile
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT
from tests.installation.environments import Environment, build, make_environment


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution of this checkout."""
    return build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def wheel_of_sdist(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that is built where there is nothing but the source distribution."""
    directory = tmp_path_factory.mktemp("wheel_of_sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(directory, filter="data")
    (source,) = directory.iterdir()
    return build("wheel", source, directory / "dist")


@pytest.fixture(scope="session")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel and what it needs at least: what a wiki installs."""
    return make_environment(tmp_path_factory.mktemp("bare"), str(wheel))


@pytest.fixture(scope="session")
def full(wheel_of_sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel with what a worker and the demo need."""
    return make_environment(tmp_path_factory.mktemp("full"), f"{wheel_of_sdist}[worker,demo]")
