"""`python -m reflector_migrate` is `migrate`."""

from __future__ import annotations

from reflector_migrate.cli.main import main

if __name__ == "__main__":
    main()
