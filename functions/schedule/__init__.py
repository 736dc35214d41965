"""Stops and starts what follows a schedule."""
