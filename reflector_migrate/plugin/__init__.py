"""Where the plugin lies: on a worker's PYTHONPATH, loaded by `-I reflector_shadow`."""

import shutil
from pathlib import Path

FOLDER = Path(__file__).parent


def copy_to(folder: Path) -> tuple[Path, ...]:
    """Copy the plugin's files into a folder, made if it is not there; the copies."""
    folder.mkdir(parents=True, exist_ok=True)
    return tuple(Path(shutil.copy(path, folder)) for path in sorted(FOLDER.glob("reflector_*.py")))
