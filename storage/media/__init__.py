"""Media probing in a sandboxed child process."""
