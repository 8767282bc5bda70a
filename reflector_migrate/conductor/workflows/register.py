"""Registers all definitions: `python -m reflector_migrate.conductor.workflows.register`."""

from reflector_migrate.conductor.register import register_all
from reflector_migrate.entrance import loaded_settings
from reflector_migrate.harness import Harness

if __name__ == "__main__":
    register_all(Harness.of(loaded_settings()))
