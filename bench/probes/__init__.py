"""What this machine is: each probe reads one side of it, starts no process, and leaves empty what it cannot know."""
