"""Presenters: records as text and rows for pages."""
