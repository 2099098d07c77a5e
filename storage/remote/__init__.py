"""What other processes need of the web process: its client, its secrets, its workers."""
