"""DO: slow work on worker threads. Services ask, workers do; they meet only in the queue."""
