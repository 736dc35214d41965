"""What a change does to the stacks: two captured graphs, compared by meaning."""
