"""Opens, clears and closes escalations: reads what alarms say, and keeps the record for the state machine."""
