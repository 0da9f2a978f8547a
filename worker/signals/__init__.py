"""Product data → one row of measurements per account, computed inside the user's database."""
