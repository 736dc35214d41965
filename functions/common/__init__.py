"""What the functions share; every function's package carries it."""
