"""From records to numbers: frames of runs, epochs and configurations, and statistics that keep a miss a miss."""
