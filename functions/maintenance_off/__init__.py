"""Takes the maintenance page off the air; a step of an SSM Automation document, not a Lambda function."""
