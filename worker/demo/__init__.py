"""A believable company to try everything on: product data and two CRMs, made from a seed."""
