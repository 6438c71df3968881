"""Values that are secret by the name they stand at, in environments, JSON, YAML, flags and sentences (pure)."""

import re

from hemostat.diagnosis.redaction.marks import CLASS, MARK, MARKS, Rule, replaced, rule
from hemostat.diagnosis.redaction.random import random, short

KEYS = "api|access|private|secret|encryption|signing|account|shared|master|auth|client|storage|license"
_WORDS = (
    r"p[a4@][s5$]{2}w(?:[o0]r)?[dt]s?|passphrase|passcode|kennwort|losungswort|geheim(?:wort|zahl|code)"
    r"|zugangs(?:code|kennung)|contrase[nñ]as?|(?:mot[ _-]?de[ _-]?)passe|senhas?|wachtwoord|has[lł]o|heslo"
    r"|l[öo]senord|salasana|парол[ьея]|密[码碼]|パスワード|비밀번호"
)
"""What a password is called, by people who write in one of the languages that logs are written in."""
_KINDS = (
    ("password", rf"{_WORDS}|(?<![a-z])pwd?|_pwd|(?<![a-z])(?:user)?pass|(?<![a-z])(?:otp|mdp)"),
    (
        "key",
        rf"(?:{KEYS})[ _-]?keys?(?:[_-]?base|[_-]?data)?|(?:api|zugriffs|zugangs|geheim)[ _-]?schl(?:ü|ue)ssel",
    ),
    ("token", r"token|authorization|(?:set-)?cookie|(?:j|php)?sess(?:ion)?[_-]?id|(?<![a-z])jwt|csrf|xsrf"),
    ("secret", r"secrets?(?:[_-]?id)?|credentials?|connection[_-]?string|geheimnis(?:se)?|(?:zugangs|anmelde)daten"),
)
_FIRST = "(?=[_acegjklmopstuxhswzп密パ비])"
"""Letters that names begin with: most places in a text are passed over at once."""
NAME = f"{_FIRST}(?:" + "|".join(f"(?P<{kind}>{names})" for kind, names in _KINDS) + ")"
ANY = f"{_FIRST}(?:" + "|".join(names for _, names in _KINDS) + ")"
SUFFIX = r"(?:[_-]?(?:\d{1,3}|value|plain|text|raw|b64|base64|old|new|prod|dev|test|staging|primary|secondary|hash))?"
_FLAGS = re.IGNORECASE
_DOUBLE = r"\"(?P<v{0}d>(?:[^\"\\\n]|\\.)*+)"
_SINGLE = r"'(?P<v{0}s>(?:[^'\\\n]|\\.)*+)"
_ESCAPED = r"\\{{1,31}}[\"'](?P<v{0}e>(?:(?!\\{{1,31}}[\"'])[^\n])*+)"
"""JSON in JSON, up to six times."""
_TICKED = r"`(?P<v{0}t>[^`\n]++)"
_LIST = r"\[(?!\{{)(?P<v{0}l>[^\]\n]*+)"
_NEXT = r"(?![&;,]\s{{0,3}}[\w.-]{{1,40}}\s?[=:])"
"""What a value ends before: the next one of a query, a connection string or a list."""
_BARE = rf"(?P<v{{0}}b>(?:{_NEXT}[^\s\"'`<>\[{{{{])(?:{_NEXT}[^\s\"'`<>])*+)"
_SCHEME = r"(?:(?:bearer|basic|digest|negotiate|ntlm|token|apikey|aws4-hmac-sha256) {{1,3}})?"
CLOSED = r"(?:\\{0,31}[\"'`]|%2[27]|&quot;|&#3[49];|\\{1,3}u002[27])?\]?"
SEPARATOR = r"[ \t]{0,24}(?::=|=>|[:=]|%3[AaDd]|&#(?:58|61);|\\{1,3}u003[AaDd])[ \t]{0,24}"
"""Also as URLs, HTML and JSON escape it."""

_BENIGN = re.compile(
    r"(?:(?i:true|false|null|nil|none|undefined|unset|empty|missing|invalid|expired|required|incorrect|wrong|revoked"
    r"|denied|failed|valid|ok|unknown|unauthori[sz]ed|authenticated|present|absent|set|provided|rotated|unexpected"
    r"|redacted|hidden|masked|filtered)|\*++|[Xx]{3,}+|-++|<\w+>"
    r"|\$\{[\w.]++\}|\$\([\w.]++\)|\$[A-Z_][A-Z0-9_]*+|\{\{[^}]*+\}\}|(?:/[a-z0-9._-]++)++/?)[.,;:!)}\]]*+"
)
"""What is written in place of a secret, references to one, and words about one. Paths: those where it is kept."""
_DIGITS = re.compile(r"\d{1,9}[.,;:)}\]]*+")
_TERM = re.compile(
    r"(?i:(?:sha|md|pbkdf|bcrypt|scrypt|argon|utf|base|oauth|saml|x|http|ipv|tls|aes|rsa|v|key|step|line|attempt|user|rfc)"
    r"-?\d[\w.-]*+|\d++(?:ms|s|m|h|d|x|fa|b|kb|mb|st|nd|rd|th)|[\d.:TZ+-]++)[.,;:!]*+"
)
"""What stands behind the word in sentences about it: methods, counts, times."""


_SECRET = re.compile(ANY, re.IGNORECASE)


def secret_in(word: str) -> int:
    """Return how many letters of a word are the name of a secret."""
    found = _SECRET.search(word)
    return 0 if found is None else len(found[0])


def kept(kind: str, value: str) -> bool:
    """Tell whether a value is none: `token` and `pass` are also what is counted."""
    if _BENIGN.fullmatch(value):
        return True
    return kind in ("token", "secret") and _DIGITS.fullmatch(value) is not None


def _value(number: int) -> str:
    """Return the pattern of a value; groups are numbered, for a pattern may have two."""
    forms = (_DOUBLE, _SINGLE, _ESCAPED, _TICKED, _LIST, _SCHEME + _BARE)
    return "(?:[bru](?=[\"']))?(?:" + "|".join(form.format(number) for form in forms) + ")"


def kind_of(match: re.Match[str]) -> str:
    """Return which kind the name is of that was found."""
    return next(name for name, _ in _KINDS if match[name])


def named(pattern: str, flags: int = 0) -> Rule:
    """Return a rule whose pattern has the groups of `NAME`, which say the kind."""
    compiled = re.compile(pattern, _FLAGS | flags)
    values = [index for name, index in compiled.groupindex.items() if name.startswith("v")]

    def replace(match: re.Match[str]) -> str:
        kind = kind_of(match)
        return replaced(match, values, lambda value: value if kept(kind, value) else MARK[kind])

    return lambda text: compiled.sub(replace, text)


VALUE = _value(1)

NAMED: tuple[Rule, ...] = (
    # a YAML block: every line that is indented further
    named(
        rf"^(?P<indent>[+ ]?[ ]*+)(?:-[ ]+)?[\w\"'.-]*?{NAME}{SUFFIX}[\"']?:[ ]*[|>][+-]?\d?[ ]*\n"
        r"(?P<v>(?:(?P=indent)[ ]+[^\n]*\n?)++)",
        re.MULTILINE,
    ),
    # a line of YAML: the rest of it, for such a value may have spaces
    rule(
        "password",
        rf"^[ \t+-]{{0,80}}+[\w\"'.-]{{0,80}}?(?:{_WORDS}){SUFFIX}[\"']?:[ \t]++"
        rf"(?P<v>[^\s\"'|>&*{{\[{CLASS}][^\n]*)",
        lambda value: not kept("password", value.strip()),
        _FLAGS | re.MULTILINE,
    ),
    # name[...] = value, and name = Kind(value)
    named(rf"{NAME}{SUFFIX}\[[^\]\n]{{1,60}}\]{SEPARATOR}{VALUE}"),
    named(rf"{NAME}{SUFFIX}{CLOSED}{SEPARATOR}[\w.]{{1,40}}\((?:\w{{1,20}}=)?(?=[\"']){VALUE}"),
    # name=value, name: value, "name": "value", and what a diff says it became
    named(
        rf"{NAME}{SUFFIX}{CLOSED}{SEPARATOR}{VALUE}"
        rf"(?:[\"']?[ ]{{0,2}}(?:->|=>|→)[ ]{{0,2}}{_value(2)})?"
    ),
    # <name>value</name>, also as text in HTML
    named(rf"(?:<|&lt;)[\w:.-]{{0,40}}?{NAME}{SUFFIX}(?:>|&gt;)(?:<!\[CDATA\[)?(?P<v>(?:(?!&lt;)[^<\n])++)(?:<|&lt;)/"),
    # ('name', value), as Python writes headers, and setName('value')
    named(rf"\(b?[\"'][\w.-]{{0,80}}?{NAME}{SUFFIX}[\"'],[ ]{{0,4}}{VALUE}"),
    named(rf"(?<![A-Za-z])set[\w.-]{{0,40}}?{NAME}{SUFFIX}\((?=[\"']){VALUE}"),
    # --name value, and the same as a list of arguments
    named(
        rf"(?<![\w-])--?[\w-]{{0,40}}?{NAME}{SUFFIX}"
        rf"(?:[\"']?\s{{0,4}},\s{{0,20}}|[\"']?\n[ ]{{0,40}}-[ ]+|[ ]+){VALUE}"
    ),
)

_HEADER = r"[^\n\"'\\]"
SPOKEN: tuple[Rule, ...] = (
    rule(
        "token",
        rf"(?:authorization|cookie|x-[\w-]{{1,30}}(?:token|key|secret))[\"']?[:=][ ]{{0,4}}[\"']?(?P<v>{_HEADER}++)",
        lambda value: not kept("token", value),
        _FLAGS,
    ),
    rule(
        "token",
        r"(?<![\w-])(?:bearer|basic|negotiate)[ ]{1,3}(?P<v>(?=[A-Za-z_.~+/=-]{0,60}[\d=])[\w.~+/=-]{8,}+)",
        flags=_FLAGS,
    ),
    rule(
        "password",
        r"(?<![\w-])(?:-u|--(?:proxy-)?user)[ =][\"']?[^\s:\"']{1,64}:(?P<v>[^\s\"']++)",
        lambda value: not value.isdigit(),
    ),
    rule("password", r"(?<!\w)(?:mysql|mysqldump|mysqladmin|mariadb)[ ][^\n|;]{0,200}?(?<=[ ])-p(?P<v>[^\s\"']++)"),
    rule("password", r"(?<!\w)(?:sshpass[ ]-p|redis-cli[ ][^\n|;]{0,80}?(?<=[ ])-a)[ ]?[\"']?(?P<v>[^\s\"']++)"),
    rule("password", r"(?<!\w)requirepass[ ]{1,4}(?P<v>[^\s\"']++)"),
    rule("password", r"(?<!\w)login[ ]\S{1,80}[ ]password[ ](?P<v>\S++)"),
    rule(
        "password",
        rf"(?:(?:{_WORDS})|identified[ ]{{1,3}}by)[ ]{{1,3}}(?P<q>[\"'])(?P<v>[^\"'\n]++)(?P=q)",
        flags=_FLAGS,
    ),
    rule(
        "password",
        rf"(?:{_WORDS})(?:[ ][\w.-]{{1,32}}){{0,4}}?[ ]"
        r"(?:is|was|set[ ]to|changed[ ]to|ist|war|lautet?|ge(?:setzt|ändert)[ ]auf):?[ ]"
        r"(?P<v>(?=\S{0,40}[\d!@#$%^&*])\S{4,}+)",
        flags=_FLAGS,
    ),
    rule(
        "password",  # right behind the name, or what it is for and a sign
        rf"(?<![\w-])(?:{_WORDS}|pwd)(?:[ ]{{1,3}}|[ ](?:[\w.()-]{{1,32}}[ ]){{0,3}}[\w.()-]{{1,32}}[ ]?[:=][ ]{{0,3}})"
        rf"(?P<v>(?=[^\s\d]{{0,40}}\d)(?=[^\sA-Za-z]{{0,40}}[A-Za-z])[^\s:=\"'`<>()\[\]{{}},;{CLASS}]{{5,}}+)",
        lambda value: not _TERM.fullmatch(value),
        _FLAGS,
    ),
    rule(
        "password",  # what a diff says of it
        rf"(?:{_WORDS}|(?:{KEYS})[_-]?key)\w*[ ](?P<v1>[^\s:=]++)[ ](?:->|=>|→)[ ](?P<v2>[^\s;,]++)",
        lambda value: not _BENIGN.fullmatch(value),
        _FLAGS,
    ),
    rule(
        "secret",
        rf"{ANY}s?[ ](?:(?!trace|span|req|id|uid|digest|sha|commit|revision)[a-z]{{1,12}}[ ]){{0,3}}?"
        r"[\"'`(\[]?(?P<v>[\w+/.~=-]{16,}+)",
        random,
        _FLAGS,
    ),
    rule(
        "secret",  # short ones, right behind the name
        rf"{ANY}s?(?:[ ](?:is|was|value|has[ ]been[ ]set[ ]to|set[ ]to|changed[ ]to))?:?[ ][\"'`(\[]?"
        r"(?P<v>[A-Za-z0-9+/]{6,15}(?:={1,2}(?![\w=])|(?![\w+/=.@-])))",
        short,
        _FLAGS,
    ),
    rule(
        "secret",
        r"(?<![A-Za-z])(?:auth|sig|signature|salt)[\"']?[:=][ ]?[\"']?(?P<v>[A-Za-z0-9+/]{8,15}+={0,2})",
        short,
        _FLAGS,
    ),
    rule(
        "secret",
        r"(?<![A-Za-z])(?:auth|key|sig|signature|sid|session|salt|nonce|code)"
        r"[\"']?[:=][ ]?[\"']?(?P<v>[\w+/%~=-]{16,}+)",
        random,
        _FLAGS,
    ),
)
"""Headers, commands, sentences."""

_DOCUMENT = re.compile(r"^---[^\n]*\n", re.MULTILINE)
_IS_SECRET = re.compile(r"[\"']?kind[\"']?:[ ]{0,4}[\"']?(?:Secret|SecretList)(?![\w-])")
_YAML_DATA = re.compile(
    r"^(?P<indent>[ ]*+)(?:-[ ]+)?(?:data|stringData):[ \t]*\n(?P<v>(?:(?P=indent)[ ]+[^\n]*\n?)++)", re.MULTILINE
)
_JSON_DATA = re.compile(
    r"\\{0,3}\"(?:data|stringData)\\{0,3}\"\s{0,4}:\s{0,4}\{(?P<v>(?:[^{}\"]|\"(?:[^\"\\]|\\.)*+\"?)*+)"
)


def manifests(text: str) -> str:
    """Redact the data of Secrets, all of it at once: the names of its keys say too much of themselves."""
    if not _IS_SECRET.search(text):
        return text
    parts, start = [], 0
    for end in [*(match.end() for match in _DOCUMENT.finditer(text)), len(text)]:
        parts.append(_without_data(text[start:end]))
        start = end
    return "".join(parts)


def _without_data(document: str) -> str:
    if not _IS_SECRET.search(document):
        return document
    for pattern in (_YAML_DATA, _JSON_DATA):
        document = pattern.sub(_blank, document)
    return document


def _blank(match: re.Match[str]) -> str:
    value = match["v"]
    if not value.strip(MARKS + " \n"):
        return match[0]
    inside = MARK["secret"] if not value.endswith("\n") else f"{' ' * (len(match['indent']) + 2)}{MARK['secret']}\n"
    return match[0].replace(value, inside)
