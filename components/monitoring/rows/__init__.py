"""The lines of the matrix, by what they watch."""
