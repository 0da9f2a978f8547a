"""``plgsync up``: one machine, one tree of supervised processes on SQLite, no broker."""
