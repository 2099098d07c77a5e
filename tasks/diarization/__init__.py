"""Speaker diarization: who speaks when."""
