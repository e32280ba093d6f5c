"""Optimizers, schedules, weight averaging and the training step."""
