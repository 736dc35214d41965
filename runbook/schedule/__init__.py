"""What a stack's schedules will do, from its settings alone."""
