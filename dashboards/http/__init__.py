"""HTTP: middleware, identity, errors, request bodies and health."""
