"""The running web process: context, event bus, caches and measurements."""
