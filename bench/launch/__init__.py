"""One trainer process from spawn to exit: its command, its events, its limits, and what it leaves behind."""
