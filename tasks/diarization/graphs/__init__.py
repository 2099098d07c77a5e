"""The diarization models' graphs without weights, and the script that makes them."""
