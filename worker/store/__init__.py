"""Everything remembered: tables, migrations and the queries on them (SQLAlchemy Core, SQLite and Postgres)."""
