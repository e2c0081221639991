"""The child process: the only place where torch is imported."""
