"""Audio: decoding, channels, voice activity detection, spans and windows."""
