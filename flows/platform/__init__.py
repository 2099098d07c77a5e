"""The platform on one machine: supervisor, Prefect server, deployments."""
