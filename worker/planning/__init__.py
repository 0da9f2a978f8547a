"""What the CRMs should hold against what they hold."""
