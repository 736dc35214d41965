"""The policy pack. ``rulebook`` holds the rules; ``__main__`` serves them to the Pulumi CLI."""
