"""Uploads: the tus protocol, deduplication, and what follows the last byte."""
