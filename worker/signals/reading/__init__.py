"""How one cell of the product's data is read: the same on every engine, and never by what other rows hold."""
