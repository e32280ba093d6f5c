"""The device that trains: selected, described, its compiler configured."""
