"""Export formats: subtitles, text, JSON and Word documents."""
