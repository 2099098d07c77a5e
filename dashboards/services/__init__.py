"""Use cases that routes and pages share."""
