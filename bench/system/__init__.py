"""What every room needs of the operating system: files, locks, signals, subprocesses, redaction."""
