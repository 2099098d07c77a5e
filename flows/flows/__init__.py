"""Prefect flows, one a module; `prefect.yaml` names their entrypoints."""
