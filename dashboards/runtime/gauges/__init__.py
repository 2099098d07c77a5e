"""What `/metrics` says of the platform's state, read when somebody asks."""
