"""The top package of the platform's wheel, in which its four folders overwrite nobody's."""
