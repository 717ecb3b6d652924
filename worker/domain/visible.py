"""Text from elsewhere (titles, names, replies of servers), shown without the characters that a terminal obeys. Pure.

Written raw, `ESC ]0;…BEL` sets a window's title, `ESC [2J` clears the screen, a carriage return hides what stands
before it, and a direction override lets text read backwards.
"""

import codecs

#: Codes 0 to 31 and 127; the second set of codes, whose CSI is one character; the ends of lines and paragraphs; the
#: marks, embeddings, overrides and isolates of direction; and halves of characters, which no encoding takes.
_CODES = (*range(0x20), *range(0x7F, 0xA0), 0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))
_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}
_TABLE = {code: _SHORT.get(chr(code), f"\\u{code:04x}") for code in (*_CODES, *range(0xD800, 0xE000))}


def visible(text: str) -> str:
    """*text* in one line, with control characters as escapes; inside a JSON text these escapes keep their meaning."""
    # Nearly all text is printable, and `isprintable` is many times faster than looking at each character.
    return text if text.isprintable() else text.translate(_TABLE)


def carries_all(stream: object) -> bool:
    """Whether every character can be written to *stream*."""
    return codecs.lookup(getattr(stream, "encoding", None) or "utf-8").name.startswith("utf")
