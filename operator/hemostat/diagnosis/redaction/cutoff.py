"""Secrets and personal data whose end was cut off: what is left is too short to be known by its format (pure).

Texts are cut where they come from, long before they are redacted, and end with `…` or `...` then.
"""

from hemostat.diagnosis.redaction.marks import CLASS, Rule, rule
from hemostat.diagnosis.redaction.random import mixed

_HERE = r"(?=…|\.\.\.(?!\w))"
_BEGINS = (
    r"A(?:KI|SI)A|AIza|sk-|[rs]k_(?:live|test)_|gh[pousr]_|github_pat_|gl[a-z]{2,5}-|xox[a-z]-|eyJ|ya29\.|SG\.|hf_|hv[sbr]\."
    r"|npm_|glsa_|dckr_"
)

CUT: tuple[Rule, ...] = (
    rule("token", rf"(?<![\w~+/.-])(?:{_BEGINS})[\w~+/-]*+(?:\.[\w~+/-]++)*+\.?{_HERE}"),
    rule(
        "password",
        rf"(?<=://)[^\s:/@\"'<>]{{0,128}}+:(?P<v>(?!\d{{1,5}}(?:[/?#…]|\.\.\.))[^\s@/\"'<>…{CLASS}]{{1,256}}?){_HERE}",
    ),
    rule("email", rf"(?<![\w.+-])(?!git@)[\w.+-]++(?:@|%40)(?!v?\d)[\w-]*+(?:\.[\w-]++)*+\.?{_HERE}"),
    rule("personal", rf"(?<![\w.+])[A-Z]{{2}}\d{{2}}(?:[ -]?[A-Z0-9]{{4}}){{1,8}}[ -]?[A-Z0-9]{{0,3}}+[ ]?{_HERE}"),
    rule("personal", rf"(?<![\w.:])\+?\d(?:[ -]{{0,2}}\d){{5,18}}[ -]?{_HERE}"),  # of a card or a telephone
    rule("secret", rf"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{{12,256}}+{_HERE}", lambda value: mixed(value, 12)),
)
