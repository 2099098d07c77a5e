"""The languages that Whisper models support, by code, with OpenAI's English names."""

from functools import cache

from storage.domain import translation
from storage.domain.translation import ENGLISH, language

NAMES = {
    "en": "english",
    "zh": "chinese",
    "de": "german",
    "es": "spanish",
    "ru": "russian",
    "ko": "korean",
    "fr": "french",
    "ja": "japanese",
    "pt": "portuguese",
    "tr": "turkish",
    "pl": "polish",
    "ca": "catalan",
    "nl": "dutch",
    "ar": "arabic",
    "sv": "swedish",
    "it": "italian",
    "id": "indonesian",
    "hi": "hindi",
    "fi": "finnish",
    "vi": "vietnamese",
    "he": "hebrew",
    "uk": "ukrainian",
    "el": "greek",
    "ms": "malay",
    "cs": "czech",
    "ro": "romanian",
    "da": "danish",
    "hu": "hungarian",
    "ta": "tamil",
    "no": "norwegian",
    "th": "thai",
    "ur": "urdu",
    "hr": "croatian",
    "bg": "bulgarian",
    "lt": "lithuanian",
    "la": "latin",
    "mi": "maori",
    "ml": "malayalam",
    "cy": "welsh",
    "sk": "slovak",
    "te": "telugu",
    "fa": "persian",
    "lv": "latvian",
    "bn": "bengali",
    "sr": "serbian",
    "az": "azerbaijani",
    "sl": "slovenian",
    "kn": "kannada",
    "et": "estonian",
    "mk": "macedonian",
    "br": "breton",
    "eu": "basque",
    "is": "icelandic",
    "hy": "armenian",
    "ne": "nepali",
    "mn": "mongolian",
    "bs": "bosnian",
    "kk": "kazakh",
    "sq": "albanian",
    "sw": "swahili",
    "gl": "galician",
    "mr": "marathi",
    "pa": "punjabi",
    "si": "sinhala",
    "km": "khmer",
    "sn": "shona",
    "yo": "yoruba",
    "so": "somali",
    "af": "afrikaans",
    "oc": "occitan",
    "ka": "georgian",
    "be": "belarusian",
    "tg": "tajik",
    "sd": "sindhi",
    "gu": "gujarati",
    "am": "amharic",
    "yi": "yiddish",
    "lo": "lao",
    "uz": "uzbek",
    "fo": "faroese",
    "ht": "haitian creole",
    "ps": "pashto",
    "tk": "turkmen",
    "nn": "nynorsk",
    "mt": "maltese",
    "sa": "sanskrit",
    "lb": "luxembourgish",
    "my": "myanmar",
    "bo": "tibetan",
    "tl": "tagalog",
    "mg": "malagasy",
    "as": "assamese",
    "tt": "tatar",
    "haw": "hawaiian",
    "ln": "lingala",
    "ha": "hausa",
    "ba": "bashkir",
    "jw": "javanese",
    "su": "sundanese",
    "yue": "cantonese",
}

UNDETERMINED = "und"
"""The code of a language that nobody knows (ISO 639-2)."""

LANGUAGES = {code: name.title() for code, name in sorted(NAMES.items(), key=lambda item: item[1])}
"""The same for display: capitalised names, in alphabetical order."""

ALSO_KNOWN_AS = {
    "cmn": "zh",
    "fil": "tl",
    "in": "id",
    "iw": "he",
    "ji": "yi",
    "jv": "jw",
    "nb": "no",
}
"""Codes that clients send for languages that the models know by another: older, newer and narrower ones."""


def named(code: str) -> str:
    """Return a language's name for the reader; the code if it is unknown."""
    return all_named(language()).get(code, code)


@cache
def all_named(reader: str) -> dict[str, str]:
    """Return the names of all languages in one of them, in alphabetical order."""
    if reader == ENGLISH:
        return LANGUAGES
    from babel import Locale

    known = Locale(reader).languages
    names = {code: known.get(code) or english for code, english in LANGUAGES.items()}
    return dict(sorted(((code, name[:1].upper() + name[1:]) for code, name in names.items()), key=lambda one: one[1]))


@cache
def names_anywhere() -> frozenset[str]:
    """Return codes and names of languages in lower case.

    Names are in English, in the languages of the pages, and in themselves.
    """
    from babel import Locale, localedata

    shown = {name for reader in translation.LANGUAGES for name in all_named(reader).values()}
    own = {Locale(code).languages.get(code, code) for code in NAMES if localedata.exists(code)}
    return frozenset(name.lower() for name in shown | own | set(NAMES))


@cache
def codes_anywhere() -> dict[str, str]:
    """Return our codes of languages by those that files have.

    These have two letters, or three (ISO 639-2).
    """
    from babel.core import get_global

    longer = {code: shorter for code, shorter in get_global("language_aliases").items() if shorter in NAMES}
    return longer | ALSO_KNOWN_AS | {code: code for code in NAMES}
