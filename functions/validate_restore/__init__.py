"""Measures a database that a restore test brought back, and keeps the evidence (``004_… Monthly Operations``)."""
