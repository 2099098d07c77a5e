"""Models and devices: catalogue, downloads, integrity and choice."""
