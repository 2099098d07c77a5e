"""The transcript of a recording, assembled from span results and checked."""
