"""Marks that end sentences and clauses, in the scripts of all languages that models know."""

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
