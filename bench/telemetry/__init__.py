"""The sampler of GPU and host while a run lasts: its schedule, its GPU source, its CSV file."""
