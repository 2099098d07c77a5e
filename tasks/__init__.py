"""What is done to audio and text: plain functions that a notebook could call."""
