"""What a folder holds, folders below it included."""

from pathlib import Path


def files_below(directory: Path) -> list[str]:
    """Where its files lie below it, in order; what Python compiled is left out."""
    files = [path for path in directory.rglob("*") if path.is_file() and path.parent.name != "__pycache__"]
    return sorted(path.relative_to(directory).as_posix() for path in files)
