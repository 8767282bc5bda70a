"""What is remembered: SQLAlchemy tables, the only sessions, alembic migrations."""
