"""Credentials that are known by their format, wherever they stand (pure)."""

import re

from hemostat.diagnosis.redaction.marks import CLASS, MARK, MARKS, Rule, rule
from hemostat.diagnosis.redaction.random import mixed

_ALONE = r"(?<![A-Za-z0-9])"
_KEYS = (
    r"A(?:KI|SI|BI|CC)A[A-Z0-9]{16}",  # AWS
    r"AIza[\w-]{35}",  # Google
    r"GOCSPX-[\w-]{20,64}",
    r"\w{3}\dQ~[\w~.-]{31,40}",  # Microsoft Entra
    r"sk-(?=[\w-]{0,60}[0-9A-Z])[\w-]{16,256}",  # OpenAI, Anthropic, DeepSeek, Langfuse, OpenRouter
    r"[rs]k_(?:live|test)_\w{10,256}",  # Stripe
    r"(?:gsk_|xai-|pplx-|r8_|fw_|tgp_v1_|nvapi-)[\w-]{20,256}",  # Groq, xAI, Perplexity, Replicate, ...
    r"SG\.[\w-]{16,64}\.[\w-]{16,64}",  # SendGrid
    r"SK[0-9a-f]{32}",  # Twilio
    r"key-[0-9a-f]{32}",  # Mailgun
    r"[0-9a-f]{32}-us\d{1,2}",  # Mailchimp
    r"NRAK-[A-Z0-9]{27}",  # New Relic
    r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}",  # Postman
    r"AGE-SECRET-KEY-1[0-9A-Z]{50,64}",
)
_TOKENS = (
    r"eyJ[\w-]{8,}+\.[\w-]{4,}+(?:\.[\w-]*+)?",  # JWT, with or without its signature
    r"ya29\.[\w-]{20,}+",  # Google OAuth
    r"gh[pousr]_[A-Za-z0-9]{16,255}",  # GitHub
    r"github_pat_\w{20,255}",
    r"gl[a-z]{2,5}-[\w-]{20,255}",  # GitLab
    r"xox[a-z](?:\.[a-z]{1,8})?-[\w-]{10,255}",  # Slack
    r"xapp-\d-[\w-]{10,255}",
    r"whsec_\w{16,255}",
    r"hf_[A-Za-z0-9]{30,64}",  # Hugging Face
    r"lsv2_[a-z]{2}_\w{30,128}",  # LangSmith
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-[\w-]{50,}+",
    r"dckr_[a-z]{3}_[\w-]{20,64}",
    r"gl(?:sa|c)_[\w=+/]{20,}+",  # Grafana
    r"sntry[su]_[\w=+/-]{20,}+",
    r"hv[sbr]\.[\w-]{20,}+",  # Vault
    r"[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,70}",  # Terraform
    r"\d{8,10}:AA[\w-]{33}",  # Telegram
    r"do[opr]_v1_[0-9a-f]{64}",  # DigitalOcean
    r"dapi[0-9a-f]{32}(?:-\d)?",  # Databricks
    r"shp[a-z]{2}_[0-9a-fA-F]{32}",  # Shopify
    r"sq0[a-z]{3}-[\w-]{22,43}",  # Square
    r"dp\.[a-z]{2}\.[A-Za-z0-9]{40,44}",  # Doppler
    r"lin_api_[A-Za-z0-9]{32,48}",
    r"ATATT3x[\w=-]{20,}+",  # Atlassian
    r"pscale_[a-z]{2,5}_[\w=.-]{32,64}",
)
_VALUE = rf"[^\s\"'`<>\\{CLASS}]"
_PEM = r"(?:-----|----)[ ]?"

_AUTHORITY = re.compile(r"(?<=://)[^\s:/@\"'<>]{0,128}+:(?!\d{1,5}(?:[/?#,\s]|\Z))(?P<run>[^\s\"'<>]*+)")


def _userinfo(text: str) -> str:
    """Redact passwords in addresses, up to the last `@`: careless ones have `@` and `/` in them."""

    def replace(match: re.Match[str]) -> str:
        password, at, rest = match["run"].rpartition("@")
        if not password.strip(MARKS):
            return match[0]
        return f"{match[0][: -len(match['run'])]}{MARK['password']}{at}{rest}"

    return _AUTHORITY.sub(replace, text)


FORMATS: tuple[Rule, ...] = (
    # to the end of the text where the end of the block is missing: a cut log must not leak half a key
    rule(
        "private-key",
        rf"{_PEM}BEGIN [A-Z0-9 ]{{0,40}}PRIVATE KEY(?: BLOCK)?(?:(?!{_PEM}END)[^{CLASS}])*+"
        rf"(?:{_PEM}END [A-Z0-9 ]{{0,40}}KEY(?: BLOCK)?[ ]?-{{4,5}})?",
    ),
    rule("token", r"hooks\.slack(?:-gov)?\.com/(?P<v>(?:services|workflows|triggers)/[\w/-]{8,256})"),
    rule("token", r"discord(?:app)?\.com/api/webhooks/(?P<v>\d{10,25}/[\w-]{20,128})"),
    rule("key", rf"{_ALONE}(?:{'|'.join(_KEYS)})"),
    rule("token", rf"{_ALONE}(?:{'|'.join(_TOKENS)})"),
    _userinfo,
    rule("token", r"(?<=://)(?P<v>(?=[A-Za-z_.-]{0,60}\d)[\w.~-]{16,}+)@"),  # a token as the user
    rule("password", rf"(?<![\w.-])[\w.-]{{1,64}}+:(?P<v>{_VALUE}{{1,256}})@(?:tcp|unix)\("),  # Go's MySQL driver
    rule("password", rf"(?:thin|oci\d?):[\w.$#-]{{1,64}}/(?P<v>[^\s/@\"'{CLASS}]{{1,128}})@"),  # Oracle's JDBC
)
"""In this order: blocks, then tokens, then what stands in an address."""

RANDOM: tuple[Rule, ...] = (
    rule("secret", r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{32,}+={0,2}", lambda value: mixed(value, 32)),
)
"""Made-up strings of at least 32 characters without any name; last of all, for it says least."""
