"""A training run: its phases, epochs and evaluations."""
