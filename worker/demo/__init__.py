"""The demo: product data of a made-up company and the records of two CRMs, generated from a seed."""
