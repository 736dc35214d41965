"""Looks before and after machines are patched, and keeps a way back; steps of an SSM Automation document."""
