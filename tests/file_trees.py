"""The files in a folder and in all folders below it."""

from pathlib import Path


def files_below(directory: Path) -> list[str]:
    """The paths of its files, relative to it and in order, without those that Python compiled."""
    files = [path for path in directory.rglob("*") if path.is_file() and path.parent.name != "__pycache__"]
    return sorted(path.relative_to(directory).as_posix() for path in files)
