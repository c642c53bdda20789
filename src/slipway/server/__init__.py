"""A server: which models it serves, what changes that, and its life from start to drain."""
