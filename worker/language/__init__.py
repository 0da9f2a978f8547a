"""The language admins write conditions, expressions and templates in. Pure: text in, answers out."""
