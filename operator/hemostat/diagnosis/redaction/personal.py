"""Personal data: addresses, numbers, and what stands at the name of a person's attribute (pure)."""

import re
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network

from hemostat.diagnosis.redaction.marks import Rule, rule

_HOST = (
    r"(?!v?\d+\.[\dx])(?:[\w-]{1,63}\.){1,8}(?!(?:service|socket|timer|target|slice|scope|mount|device|path|swap)\b)"
    r"[^\W\d_]{2,24}"
)
"""Neither a version, as Go's modules have it, nor a unit of systemd."""
_PHONE = r"(?<![A-Za-z])(?:phone|mobile|tel|fax|msisdn)(?:[ _-]?(?:number|no|nr))?"
_VALUE = r"(?:\"(?P<vd>[^\"\n]++)|'(?P<vs>[^'\n]++)|(?P<vb>[^\s\"',;&{}\[]++))"
_ISSUERS = re.compile(
    r"4\d{15}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|6(?:011|5\d\d|4[4-9]\d)\d{12}"
    r"|35(?:2[89]|[3-8]\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}|62\d{14,17}"
)
"""Visa, Mastercard, American Express, Discover, JCB, Diners, UnionPay: a number of another kind passes Luhn's check one
time in ten."""


_ATTRIBUTE = (
    r"(?=[abcdfghlmnpst])(?:(?:first|last|full|given|family|middle|maiden|customer|patient)[_-]?name|sur_?name"
    r"|birth[_-]?(?:day|date)|date[_-]?of[_-]?birth|(?<![a-z])dob|(?:postal|home|street)[_-]?address|(?<![a-z])street"
    r"|(?<![a-z])ssn|(?:card|account)[_-]?(?:number|no|nr)|(?<![a-z])cv[vc]2?"
    r"|passport(?:[_-]?(?:no|number))?|tax[_-]?id|national[_-]?id)"
)


_EXAMPLES4 = tuple(IPv4Network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"))
_EXAMPLES6 = IPv6Network("2001:db8::/32")


def luhn(digits: str) -> bool:
    """Tell whether the check digit is right (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


def iban(text: str) -> bool:
    """Tell whether the check digits are right (ISO 13616-1: the rest of a division by 97 is 1)."""
    packed = text.replace(" ", "").replace("-", "")
    if not 15 <= len(packed) <= 34:
        return False
    return int("".join(str(int(c, 36)) for c in packed[4:] + packed[:4])) % 97 == 1


def _card(text: str) -> bool:
    digits = re.sub(r"[ -]", "", text)
    return _ISSUERS.fullmatch(digits) is not None and luhn(digits)


def _public4(text: str) -> bool:
    """Addresses of pods and nodes are private, and say where the trouble is; public ones may be a person's.

    Those for documentation (RFC 5737, RFC 3849) count as public: no cluster has them, and people write them for one.
    """
    try:
        address = IPv4Address(text)
    except AddressValueError:
        return False
    return address.is_global or any(address in network for network in _EXAMPLES4)


def _public6(text: str) -> bool:
    try:
        address = IPv6Address(text)
    except AddressValueError:
        return False
    return address.is_global or address in _EXAMPLES6


def _phone(text: str) -> bool:
    return 8 <= sum(c.isdigit() for c in text) <= 15


PERSONAL: tuple[Rule, ...] = (
    rule("email", rf"(?<![\w.+-])(?!git@)[\w.+-]++(?:@|%40|&#64;|\\{{1,3}}u0040){_HOST}(?!\w|-\w)"),
    rule("iban", r"(?<![\w-])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?(?!\w)", iban),
    rule("card", r"(?<![\w.-])\d{4}(?:(?:[ -]\d{4}){3}|[ -]\d{6}[ -]\d{4,5}|\d{9,15})(?!\w|-\w)", _card),
    rule("phone", r"(?<![\w.+/=-])\+[1-9]\d{0,2}(?:[ .-]?\(?\d{1,5}\)?){2,6}(?!\w|-\w)", _phone),
    rule("phone", r"(?<![\w.+/=:-])(?<!\d[ ])00[1-9]\d{1,2}(?:[ .-]\(?\d{1,8}\)?){2,6}(?!\w|-\w)", _phone),
    rule("phone", r"(?<![\w.+-])(?:\(\d{3}\)[ ]?|\d{3}[ ]?[-.][ ]?)\d{3}[-.]\d{4}(?![\w.-])"),
    rule("phone", rf"{_PHONE}[\"']?[ ]{{0,2}}[:=][ ]{{0,2}}[\"']?(?P<v>\+?[\d(][\d ()./-]{{5,24}}\d)", _phone, re.I),
    rule("personal", r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"),  # US social security
    rule("personal", rf"{_ATTRIBUTE}[\"']?[ ]{{0,2}}[:=][ ]{{0,2}}{_VALUE}", flags=re.I),
    rule("ip", r"(?<![\w.])(?<![A-Za-z]/)(?<![vV])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)", _public4),
    rule("ip", r"(?<![\w:.])[23][0-9A-Fa-f]{0,3}:[0-9A-Fa-f:]{2,35}(?![\w])", _public6),
)
