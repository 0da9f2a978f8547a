"""A state that is lost or older than the CRMs, rebuilt from what in the CRMs is ours."""
