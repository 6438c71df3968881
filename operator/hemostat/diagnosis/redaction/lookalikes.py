"""Letters of other alphabets that look like Latin ones: they would hide a secret's name from a pattern (pure).

The table is the part of Unicode's confusables (UTS #39, confusables.txt) that writes the names of secrets, letters
that look the same in small or upright type with it; compatibility forms are Unicode's own (NFKC), and so are the names
of Latin letters with something added, which count where they hide the name of a secret.
"""

import re
import unicodedata
from functools import lru_cache

from hemostat.diagnosis.redaction.named import secret_in

_PAIRS = (
    ("аАВсСԁеЕһНіІјЈкКӏӀмМоОрРԛԚгѕЅтТѵԝԜхХуУүҮ", "aABcCdeEhHiIjJkKlImMoOpPqQrsStTvwWxXyYyY"),  # Cyrillic
    ("αΑΒϲϹεΕΗιΙϳκΚΜηΝοΟρΡστΤυΥνωχΧγΖ", "aABcCeEHiIjkKMnNoOpPotTuYvwxXyZ"),  # Greek
    ("օոսհյզցԼՏՍ", "onuhjqgLSU"),  # Armenian
    ("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢıɑɡɩƿ", "abcdefghijklmnoprstuvwyziagip"),  # Latin, small capitals
    ("ⲀⲂⲈⲎⲒⲔⲘⲚⲞⲢⲤⲦⲨⲬⲟⲣⲥⲩⲭ", "ABEHIKMNOPCTYXopcyx"),  # Coptic
    ("ᎪᏴᏟᎠᎬᏀᎻᎥᎫᏦᏞᎷᏢᎡᏚᎢᏙᎳᏃ", "ABCDEGHIJKLMPRSTVWZ"),  # noqa: RUF001 - Cherokee
    ("ꭺꮟꮯꭰꭼꮐꮋꭵꭻꮶꮮꮇꮲꭱꮪꭲꮩꮃꮓ", "abcdeghijklmprstvwz"),
    ("ꓐꓑꓓꓔꓖꓗꓙꓚꓜꓝꓟꓠꓡꓢꓣꓦꓧꓪꓫꓬꓮꓰꓲꓳꓴ", "BPDTGKJCZFMNLSRVHWXYAEIOU"),  # noqa: RUF001 - Lisu
    ("⍺⍴⍳⍵⍷", "apiwe"),  # noqa: RUF001 - APL
)
_TABLE = {ord(odd): plain for odds, plains in _PAIRS for odd, plain in zip(odds, plains, strict=True)}
_WORD = re.compile(r"(?:\w|[\u2336-\u237a])++")
_ADDED = re.compile(r"LATIN (SMALL|CAPITAL) LETTER ([A-Z]) WITH ")
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
    if seen.isascii() and _WORD.fullmatch(seen):
        return seen if _LATIN.search(word) or secret_in(seen) else word
    bare = "".join(_bare(letter) for letter in unicodedata.normalize("NFD", seen))
    return bare if bare.isascii() and secret_in(bare) > secret_in(word) else word


def _bare(letter: str) -> str:
    """Return a letter without accent, stroke, hook or tail."""
    if unicodedata.combining(letter):
        return ""
    found = None if letter.isascii() else _ADDED.match(unicodedata.name(letter, ""))
    return letter if found is None else found[2].lower() if found[1] == "SMALL" else found[2]
