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
INITIAL_OR_ORDINAL = re.compile(r"[^\W\d_]\.|\d{1,2}\.")


def ends_sentence(word: str) -> bool:
    """Return whether a sentence ends with a word, by its punctuation.

    A letter or a small number with a full stop is an initial (J. F. Kennedy) or an ordinal (am 3. Oktober) more often.
    """
    bare = word.strip().rstrip(CLOSING_QUOTES)
    if not bare.endswith(SENTENCE_ENDS):
        return False
    return bare.lower() not in ABBREVIATIONS and not INITIAL_OR_ORDINAL.fullmatch(bare)
