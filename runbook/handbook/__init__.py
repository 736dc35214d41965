"""The run book as pages and pictures, written from a stack's graph and settings."""
