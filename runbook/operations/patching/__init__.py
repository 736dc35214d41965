"""How the patches of an environment stand, and which of them prod may have."""
