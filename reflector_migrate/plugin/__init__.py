"""Where the plugin lies: on a worker's PYTHONPATH, loaded by `-I reflector_shadow`."""

from pathlib import Path

FOLDER = Path(__file__).parent
