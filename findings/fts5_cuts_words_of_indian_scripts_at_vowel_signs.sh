#!/usr/bin/env bash
# Guess: FTS5's tokenizer unicode61, "by the rules of Unicode", takes a Hindi, Bengali or Tamil word for one token, as it does
#   an English one, and a word that is searched for is found where it stands, and nowhere else.
# What happens: vowel signs are marks to Unicode (Mc, Mn), and separators to unicode61, whatever remove_diacritics says.
#   The words for a day, a gift and a valley in Hindi all become the same two tokens, so that a search for one finds all
#   three, and bm25 takes them for one word. Hebrew and Arabic with vowel points are cut at each: their plain words do not
#   find them. With categories "L* N* Co Mn Mc", marks belong to words: then the Indian words are right, and the pointed
#   ones still are not found by the plain ones.
# Versions: SQLite 3.54.1 by apsw 3.54.1.0
# Date: 2026-11-30
# Source: measured here; https://www.sqlite.org/fts5.html#unicode61_tokenizer (tokens are of L*, N* and Co unless told)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check apsw==3.54.1.0
"$folder/venv/bin/python" - <<'PYTHON'
import apsw

WORDS = {"Hindi": ("दिन", "दान", "दून"), "Bengali": ("দিন", "দান", "দুন"), "Tamil": ("மீன்", "மான்", "மின்")}
POINTED = {"Hebrew": ("שָׁלוֹם", "שלום"), "Arabic": ("مُحَمَّد", "محمد")}


def found(tokenizer: str, texts: tuple[str, ...], asked: str) -> list[str]:
    con = apsw.Connection(":memory:")
    con.execute(f'CREATE VIRTUAL TABLE said USING fts5(text, tokenize = "{tokenizer}")')
    con.executemany("INSERT INTO said VALUES (?)", [(text,) for text in texts])
    return [text for (text,) in con.execute("SELECT text FROM said WHERE said MATCH ?", (f'"{asked}"',))]


print("SQLite", apsw.sqlite_lib_version())
for tokenizer in ("unicode61", "unicode61 remove_diacritics 0", "unicode61 categories 'L* N* Co Mn Mc'"):
    print(tokenizer)
    with_marks = "categories" in tokenizer
    for language, words in WORDS.items():
        hits = found(tokenizer, words, words[0])
        print(f"  {language}: a search for {words[0]} finds {', '.join(hits)}")
        assert hits == ([words[0]] if with_marks else list(words)), "the behaviour has changed"
    for language, (pointed, plain) in POINTED.items():
        hits = found(tokenizer, (pointed,), plain)
        print(f"  {language}: a search for {plain} in {pointed} finds {', '.join(hits) or 'nothing'}")
        assert hits == [], "the behaviour has changed"
PYTHON
