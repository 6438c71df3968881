"""Text for Slack as rich text: what others wrote stays text there, whatever is in it (pure).

In mrkdwn `<!channel>` calls everybody, `<url|text>` is a link, and three backticks end a quotation. The text elements
of rich_text blocks have no such language: mentions and links are elements of other types, of which none is made here.
https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
"""

from typing import Any

from hemostat.relay.redacted import redacted
from hemostat.signals.rules import one_line

Json = dict[str, Any]
MAX_DIFF = 3000
"""Characters of a diff that is shown whole: Slack folds messages, and refuses them from about 13,000 characters on."""
MAX_LINES = 80


def told(text: str, most: int) -> str:
    """Return text of others as `shown`, without what is secret in it."""
    return shown(redacted(text), most)


def shown(text: str, most: int) -> str:
    """Return text on one line, without characters that do not show; no client makes a link of it.

    For names of people who decide, and for our own words to one of them: they are to be read as they are.
    """
    return one_line(text, most).replace("://", ":\u2060//")


def escaped(text: str) -> str:
    """Return text for a notification, which is mrkdwn: https://docs.slack.dev/messaging/formatting-message-text#escaping"""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def fits(diff: str) -> bool:
    """Tell whether a diff can be shown whole and as it is."""
    shows = all(c.isprintable() or c in "\n\t" for c in diff)
    return shows and len(diff) <= MAX_DIFF and diff.count("\n") < MAX_LINES


def beginning(diff: str) -> str:
    """Return the first lines of a diff that does not fit."""
    kept = "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in diff[: MAX_DIFF // 2])
    return "\n".join(kept.split("\n")[: MAX_LINES // 4])


def plain(text: str) -> Json:
    """Return an element of text."""
    return {"type": "text", "text": text}


def bold(text: str) -> Json:
    """Return an element of bold text."""
    return {"type": "text", "text": text, "style": {"bold": True}}


def code(text: str) -> Json:
    """Return an element of text as it is to be typed."""
    return {"type": "text", "text": text, "style": {"code": True}}


def line(*elements: Json) -> Json:
    """Return a paragraph; elements without text, which Slack refuses, are left out."""
    return {"type": "rich_text_section", "elements": [e for e in elements if e["text"]]}


def points(*lines: Json) -> Json:
    """Return paragraphs as a list."""
    return {"type": "rich_text_list", "style": "bullet", "elements": list(lines)}


def preformatted(text: str) -> Json:
    """Return text with its line breaks and blanks kept."""
    return {"type": "rich_text_preformatted", "elements": [plain(text)]}


def block(*parts: Json) -> Json:
    """Return one block; parts that say nothing, which Slack refuses, are left out."""
    return {"type": "rich_text", "elements": [p for p in parts if p["elements"]]}


def header(text: str) -> Json:
    """Return a heading."""
    return {"type": "header", "text": plain_text(text[:150])}


def plain_text(text: str) -> Json:
    """Return text of a heading, a button or a field."""
    return {"type": "plain_text", "text": text, "emoji": False}
