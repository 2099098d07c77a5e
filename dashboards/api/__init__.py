"""HTTP APIs: jobs, transcripts, search, OpenAI-compatible, workers, admin."""
