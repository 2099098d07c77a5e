"""The APIs of whoever operates the platform."""
