"""Letters of other alphabets that look like Latin ones: they would hide a secret's name from a pattern (pure).

The table is the part of Unicode's confusables (UTS #39, confusables.txt) that writes the names of secrets, letters
that look the same in small or upright type with it; compatibility forms are Unicode's own (NFKC).
"""

import re
import unicodedata
from functools import lru_cache

from hemostat.diagnosis.redaction.named import says_secret

_PAIRS = (
    ("аАВсСԁеЕһНіІјЈкКӏӀмМоОрРԛԚгѕЅтТѵԝԜхХуУүҮ", "aABcCdeEhHiIjJkKlImMoOpPqQrsStTvwWxXyYyY"),  # Cyrillic
    ("αΑΒϲϹεΕΗιΙϳκΚΜηΝοΟρΡστΤυΥνωχΧγΖ", "aABcCeEHiIjkKMnNoOpPotTuYvwxXyZ"),  # Greek
    ("օոսհյզցԼՏՍ", "onuhjqgLSU"),  # Armenian
    ("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢıɑɡɩ", "abcdefghijklmnoprstuvwyziagi"),  # Latin, small capitals
)
_TABLE = {ord(odd): plain for odds, plains in _PAIRS for odd, plain in zip(odds, plains, strict=True)}
_WORD = re.compile(r"\w++")
_LATIN = re.compile(r"[A-Za-z]")


def unmasked(text: str) -> str:
    """Return the text with words in plain Latin letters that mix them with others, or hide a secret's name.

    Words of one other alphabet stay, and so do those with a letter that looks like none of Latin's.
    """
    return text if text.isascii() else _WORD.sub(lambda match: _plain(match[0]), text)


@lru_cache(4096)
def _plain(word: str) -> str:
    if word.isascii():
        return word
    seen = unicodedata.normalize("NFKC", word).translate(_TABLE)
    if not seen.isascii() or not _WORD.fullmatch(seen):
        return word
    return seen if _LATIN.search(word) or says_secret(seen) else word
