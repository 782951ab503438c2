"""Markdown, HTML and inline pronunciations to plain text, as a person would read it aloud.

Headings, quotes, list items, links, emphasis, code spans and tags lose their marks; a heading or a blank line ends a
paragraph. What nobody would read out (blocks of code, the tails of long addresses) is left out, and counted, so that
the caller can warn. `[word](/W ER1 D/)` gives a pronunciation, in ARPAbet or IPA.
"""

import collections
import re
from collections.abc import Callable

from english.ipa import to_codes

LONGEST_ADDRESS = 50  # characters; of a longer one only the host is read

_TAGS = """
a abbr address article aside audio b blockquote body br button caption center cite code col dd del details dfn div dl
dt em figcaption figure font footer form h1 h2 h3 h4 h5 h6 head header hr html i iframe img input ins kbd label li
link main mark meta nav ol option p picture pre q s samp script section select small source span strike strong style
sub summary sup svg table tbody td textarea tfoot th thead time title tr tt u ul var video wbr
""".split()
_BREAKING = "p|div|h[1-6]|ul|ol|table|blockquote|pre|section|article|header|footer|hr|figure|dl|details"
_TAG = re.compile(rf"(?i)</?({'|'.join(_TAGS)})(?:\s[^<>]{{0,500}})?/?>")
_FENCE = re.compile(r"^ {0,3}(```|~~~)[^\n]*\n(.*?)(?:^ {0,3}\1[^\n]*$|\Z)", re.M | re.S)
_ADDRESS = re.compile(r"(?:https?://|www\.)[^\s<>()\[\]\"']+")

# Applied in this order to every line.
_LINE_RULES = [(re.compile(pattern, re.M), replacement) for pattern, replacement in [
    (r"^ {0,3}(?:[*_-][ \t]*){3,}$|^ {0,3}=+[ \t]*$", "\n"),  # rules, and the underlining of headings
    (r"^[ \t]*\|?[ \t]*:?-{2,}:?(?:[ \t]*\|[ \t]*:?-{2,}:?)*[ \t]*\|?[ \t]*$", ""),  # the line below a table's head
    (r"^[ \t]*(?:>[ \t]?)+", ""),
    (r"^ {0,3}#{1,6}[ \t]+(.*?)[ \t]*#*$", r"\n\1\n"),
    (r"^\[[^\]\n]{1,100}\]:[ \t]+\S+.*$", ""),  # where a link's name leads
    (r"^[ \t]*[-*+•][ \t]+(?:\[[ xX]\][ \t]+)?(?=\S)", ""),
    (r"^[ \t]*\|(.*)\|[ \t]*$", r"\1"),
]]
_INLINE_RULES = [(re.compile(pattern), replacement) for pattern, replacement in [
    (r"!?\[([^\[\]\n]{0,300})\]\((?:[^()\s]|\([^()\s]*\)){0,2000}(?:\s+\"[^\"\n]*\")?\)", r"\1"),  # links and pictures
    (r"\[([^\[\]\n]{1,300})\]\[[^\[\]\n]{0,100}\]", r"\1"), (r"\[\^[^\[\]\s]{1,50}\]", ""),
    (r"(?<!`)``?(?!`)([^`\n]{1,300})(?<!`)``?(?!`)", r"\1"),
    (r"(?<![\w*])(\*\*\*|\*\*|\*)(?=[^\s*])([^*\n]{1,500})(?<=[^\s*])\1(?![\w*])", r"\2"),
    (r"(?<![\w_])(__|_)(?=[^\s_])([^_\n]{1,500})(?<=[^\s_])\1(?![\w_])", r"\2"), (r"~~([^~\n]{1,500})~~", r"\1"),
    (r"\\([*_`#\[\]<>~|])", r"\1"),
]]
_ITEM = re.compile(r"^[ \t]*(\d{1,2}(?=[.)])|[a-z](?=[.)])|[A-Z](?=\)))[.)][ \t]+(?=[^\s\d])")
_SPOKEN_SIGNS = [(re.compile(pattern), replacement) for pattern, replacement in [
    (r"(?<=\s)(?:-{1,2}>|=>|→)(?=\s)", ","), (r"(?<=\w)(?:->|=>)(?=\w)", " to "), (r"(?<=\s)<-{1,2}(?=\s)", ","),
    (r" ?<= ?(?=[\w-])", " is at most "), (r" ?>= ?(?=[\w-])", " is at least "),
    (r" ?!==? ?(?=\w)", " is not equal to "), (r"(?<=\s)={2,3}(?=\s)", "equals"), (r"(?<=\w)={2,3}(?=\w)", " equals "),
    (r"(?<=\s)&&(?=\s)", "and"), (r"(?<=\s)\|\|(?=\s)", "or"),
    (r"\b([A-Za-z])\*\*2\b", r"\1 squared"), (r"(?<=[\w)])\*\*(?=[\w(])", " to the power of "),
    (r"\b0x([0-9A-Fa-f]{1,16})\b", lambda match: f" hex {' '.join(match[1].upper())} "),
    (r"[=_*#~<>+\-]{4,}|={3}", ","),
]]


def _items(text: str) -> str:
    """ "1. Milk" -> "1, Milk" in lists, so that the number stays with its item."""
    lines, in_list = [], True  # a list begins a text or follows an empty line, a colon, or another item
    for line in text.split("\n"):
        item = _ITEM.match(line)
        if item and in_list:
            line = f"{item[1]}, {line[item.end():]}"
        in_list = bool(item and in_list) or not line.strip() or line.rstrip().endswith(":")
        lines.append(line)
    return "\n".join(lines)


def _without_code(text: str, left_out: collections.Counter) -> str:
    """Text without fenced blocks of code, unless there is nothing else."""
    rest = _FENCE.sub("\n\n", text)
    if rest == text or not re.search(r"\w", rest):
        return re.sub(r"(?m)^ {0,3}(?:```|~~~).*$", "", text)
    left_out["lines of code"] += sum(len(match[2].splitlines()) for match in _FENCE.finditer(text))
    return rest


def _from_html(text: str) -> str:
    if "<" in text:
        text = re.sub(r"(?is)<!--.{0,20000}?-->|<(script|style)\b.{0,20000}?</\1\s*>", " ", text)
        text = re.sub(r"<((?:https?://|mailto:)[^\s<>]+|[\w.+-]+@[\w.-]+)>", r"\1", text)
        text = re.sub(rf"(?i)</?(?:{_BREAKING})\b[^<>]{{0,500}}>", "\n\n", text)
        text = re.sub(r"(?i)<(?:br|/li|/tr|/dt|/dd)\b[^<>]{0,500}>", "\n", re.sub(r"(?i)</t[dh]>", ", ", text))
        text = _TAG.sub("", text)
    if re.search(r"&#?\w{1,31};", text):
        import html

        text = html.unescape(text)
    return text


def _shorter_address(match: re.Match, left_out: collections.Counter) -> str:
    address = match[0]
    if len(address) <= LONGEST_ADDRESS:
        return address
    tail = address[len(address.rstrip(".,;:!?")):]
    host = re.match(r"(?:https?://)?([^/?#]*)", address)[1]
    left_out["tails of long addresses"] += 1
    return host[:LONGEST_ADDRESS].rstrip(".,;:!?") + tail


def to_plain(text: str) -> tuple[str, collections.Counter]:
    """(what a person would read of `text`, how much of which kind is left out). Plain text comes back as it is."""
    left_out: collections.Counter = collections.Counter()
    text = text.replace("\r\n", "\n")
    if "```" in text or "~~~" in text:
        text = _without_code(text, left_out)
    text = _from_html(text)
    for pattern, replacement in _LINE_RULES:
        text = pattern.sub(replacement, text)
    text = _items(text)
    for pattern, replacement in _INLINE_RULES:
        text = pattern.sub(replacement, text)
    text = _ADDRESS.sub(lambda match: _shorter_address(match, left_out), text)
    for pattern, replacement in _SPOKEN_SIGNS:
        text = pattern.sub(replacement, text)
    return text, left_out


INLINE = re.compile(r"\[([^\[\]\n]{1,200})\]\(/([^/\n]{1,300})/\)")


def take_pronunciations(text: str, mark: Callable[[str, str], str]) -> str:
    """Text with each `[word](/codes/)` replaced by mark(word, codes); ValueError if they are no pronunciation."""
    return INLINE.sub(lambda match: mark(match[1], " ".join(to_codes(match[2], match[1]))), text)
