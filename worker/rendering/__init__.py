"""What people read on a terminal: tables and lines made of results; nothing here prints."""
