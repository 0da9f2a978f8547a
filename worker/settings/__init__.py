"""YAML files and the environment become frozen settings; every problem at once, file:line:column."""
