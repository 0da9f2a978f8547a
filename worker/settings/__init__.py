"""YAML files and the environment become frozen settings; all problems are reported at once, as file:line:column."""
