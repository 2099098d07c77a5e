"""What flow runs share: engines, retries, sub-runs, outcomes and artifacts."""
