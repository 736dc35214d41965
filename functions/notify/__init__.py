"""Sends one rung of an escalation through its channel."""
