"""Paths in the settings: whether they can be used is checked when the settings are read, not hours later."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator


def unwritable(path: Path) -> str | None:
    """Why this process could not write a file there; None where it can."""
    folder = path.parent
    if not folder.is_dir():
        return f"there is no directory {folder}"
    if path.is_dir():
        return "it is a directory"
    return None if os.access(path if path.exists() else folder, os.W_OK) else "we have no right to"


def _read(path: Path) -> Path:
    try:
        if path.is_dir():
            raise IsADirectoryError(0, "it is a directory")
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise ValueError(_sentence(path, error)) from None
    return path


def _list(path: Path) -> Path:
    try:
        next(path.iterdir(), None)
    except OSError as error:
        raise ValueError(_sentence(path, error)) from None
    return path


def _sentence(path: Path, error: OSError) -> str:
    return f"{path} can't be read: {error.strerror}; correct the path, or give us the right to read it"


#: A file that this process can read.
ReadableFile = Annotated[Path, AfterValidator(_read)]
#: A directory that this process can list.
ReadableDirectory = Annotated[Path, AfterValidator(_list)]
