"""Answers that are sent again: kept ones of the API, and responses to repeated requests."""
