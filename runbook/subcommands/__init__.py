"""One Typer app per family of sub-commands."""
