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

OWN_NAMES = {
    "zh": "中文",
    "de": "deutsch",
    "es": "español",
    "ru": "русский",
    "ko": "한국어",
    "fr": "français",
    "ja": "日本語",
    "pt": "português",
    "tr": "türkçe",
    "pl": "polski",
    "ca": "català",
    "nl": "nederlands",
    "ar": "العربية",
    "sv": "svenska",
    "it": "italiano",
    "id": "indonesia",
    "hi": "हिन्दी",
    "fi": "suomi",
    "vi": "tiếng việt",
    "he": "עברית",
    "uk": "українська",
    "el": "ελληνικά",
    "ms": "melayu",
    "cs": "čeština",
    "ro": "română",
    "da": "dansk",
    "hu": "magyar",
    "ta": "தமிழ்",
    "no": "norsk",
    "th": "ไทย",
    "ur": "اردو",
    "hr": "hrvatski",
    "bg": "български",
    "lt": "lietuvių",
    "la": "latina",
    "mi": "māori",
    "ml": "മലയാളം",
    "cy": "cymraeg",
    "sk": "slovenčina",
    "te": "తెలుగు",
    "fa": "فارسی",
    "lv": "latviešu",
    "bn": "বাংলা",
    "sr": "српски",
    "az": "azərbaycan",
    "sl": "slovenščina",
    "kn": "ಕನ್ನಡ",
    "et": "eesti",
    "mk": "македонски",
    "br": "brezhoneg",
    "eu": "euskara",
    "is": "íslenska",
    "hy": "հայերեն",
    "ne": "नेपाली",
    "mn": "монгол",
    "bs": "bosanski",
    "kk": "қазақ тілі",
    "sq": "shqip",
    "sw": "kiswahili",
    "gl": "galego",
    "mr": "मराठी",
    "pa": "ਪੰਜਾਬੀ",
    "si": "සිංහල",
    "km": "ខ្មែរ",
    "sn": "chishona",
    "yo": "èdè yorùbá",
    "so": "soomaali",
    "ka": "ქართული",
    "be": "беларуская",
    "tg": "тоҷикӣ",
    "sd": "سنڌي",
    "gu": "ગુજરાતી",
    "am": "አማርኛ",
    "yi": "ייִדיש",
    "lo": "ລາວ",
    "uz": "o‘zbek",
    "fo": "føroyskt",
    "ht": "kreyòl ayisyen",
    "ps": "پښتو",
    "tk": "türkmen dili",
    "nn": "norsk nynorsk",
    "mt": "malti",
    "sa": "संस्कृत भाषा",
    "lb": "lëtzebuergesch",
    "my": "မြန်မာ",
    "bo": "བོད་སྐད་",
    "as": "অসমীয়া",
    "tt": "татар",
    "haw": "ʻōlelo hawaiʻi",
    "ln": "lingála",
    "ba": "башҡорт",
    "su": "basa sunda",
    "yue": "粵語",
}
"""Names of languages in themselves, in lower case, where they differ from the English ones.

They are Babel's, which would take 90 MB to read its data of all these languages.
"""

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
    shown = {name for reader in translation.LANGUAGES for name in all_named(reader).values()}
    return frozenset(name.lower() for name in shown | {*OWN_NAMES.values(), *NAMES})


@cache
def codes_anywhere() -> dict[str, str]:
    """Return our codes of languages by those that files have.

    These have two letters, or three (ISO 639-2).
    """
    from babel.core import get_global

    longer = {code: shorter for code, shorter in get_global("language_aliases").items() if shorter in NAMES}
    return longer | ALSO_KNOWN_AS | {code: code for code in NAMES}
