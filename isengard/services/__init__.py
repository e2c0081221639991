"""ASK: what a person can ask for. Fast, on web threads, never the GPU; slow work becomes a job."""
