"""Restores on trial: of the database into isolation, of a host's files in place, and the monthly drill of both."""
