"""Marks that end sentences and clauses, in the scripts of all languages that models know."""

import re

SENTENCE_ENDS = (
    *(".", "?", "!", "…"),
    *("。", "｡", "．", "？", "！"),  # Chinese, Japanese
    *("؟", "۔"),  # Arabic, Persian, Urdu
    *("।", "॥"),  # Hindi, Bengali and other languages of India
    *("։", "՞", "՜"),  # Armenian
    *("።", "፧"),  # Amharic
    *("။", "។", "៕", "།"),  # Burmese, Khmer, Tibetan
)
CLAUSE_ENDS = (
    *(",", ";", ":", "–", "—", ")", "]"),
    *("、", "，", "；", "：", "）", "」", "』"),
    *("،", "؛"),
    *("՝",),
    *("፣", "፤"),
    *("၊",),
)
CLOSING_QUOTES = "\"'”’»“)]）」』"
ABBREVIATIONS = {
    *("mr.", "mrs.", "ms.", "dr.", "prof.", "st.", "vs.", "e.g.", "i.e."),
    *("nr.", "z.b.", "d.h.", "bzw.", "ca.", "hr.", "fr.", "inkl."),
    *("sr.", "sra.", "dra.", "mme.", "mlle."),
}
"""Titles and the like, which a full stop follows in the middle of a sentence."""
INITIAL, ORDINAL = re.compile(r"[A-HJ-Z]\."), re.compile(r"\d{1,2}\.")  # "So do I." is a sentence
WRITE_ORDINALS_WITH_A_STOP = {
    *("bs", "cs", "da", "de", "et", "fi", "fo", "hr", "hu", "is"),
    *("lb", "lv", "nn", "no", "pl", "sk", "sl", "sr", "tr"),
}
"""Languages in which a small number with a full stop is an ordinal (am 3. Oktober) more often than an end."""


def ends_sentence(word: str, language: str | None = None) -> bool:
    """Return whether a sentence ends with a word of a language, by its punctuation."""
    bare = word.strip().rstrip(CLOSING_QUOTES)
    if not bare.endswith(SENTENCE_ENDS):
        return False
    is_ordinal = language in WRITE_ORDINALS_WITH_A_STOP and ORDINAL.fullmatch(bare)
    return not (bare.lower() in ABBREVIATIONS or INITIAL.fullmatch(bare) or is_ordinal)
