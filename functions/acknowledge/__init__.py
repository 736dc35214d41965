"""Takes an acknowledgement and stops the escalation."""
