"""The warm worker: its child process, models, heartbeats and lost runs."""
