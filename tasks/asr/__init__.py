"""Speech recognition: the engine, decoding, confidence, word timing and languages."""
