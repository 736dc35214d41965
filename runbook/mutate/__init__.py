"""Mutation test of the rules: every property of a real stack is removed, weakened or opened, and a rule must notice."""
