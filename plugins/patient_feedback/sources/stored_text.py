"""Decodes delivered bytes, and mends text so far that PostgreSQL's jsonb can hold it."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import IO, Any, BinaryIO, cast

from patient_feedback.errors import UnreadableFileError
from patient_feedback.sources.delivered_file import Defect

MAXIMUM_LINE_LENGTH = 32 * 2**20
"""Characters; far above any comment, so that a file that is no text stops here and not in memory."""

BLOCK_LENGTH = 2**16
"""Characters that are read at a time."""

_NUL, _REPLACEMENT = "\x00", "\N{REPLACEMENT CHARACTER}"
_SURROGATE = re.compile("[\ud800-\udfff]")
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32", "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "utf-16"),
)


class _TextLeavingItsStreamOpen(io.TextIOWrapper):
    """The stream is its opener's to close, also when this wrapper is collected."""

    def close(self) -> None:
        self.detach()


class DecodedText:
    """The text of a stream, read in constant memory.

    A byte that the first declared encoding does not know is carried as a lone surrogate until `mend` reads
    its field with the other declared encodings. So one field from another system does not garble the rest.
    """

    def __init__(self, stream: BinaryIO, encodings: Sequence[str], newline: str) -> None:
        start = _first_bytes(stream)
        if not start:
            raise UnreadableFileError("The file is empty: not even a line of column names was delivered.")
        codec, self._name = encodings[0], encodings[0]
        for mark, marked_codec, name in _BYTE_ORDER_MARKS:
            if start.startswith(mark):
                codec, self._name = marked_codec, name
                break
        self._codec = "utf-8" if codec == "utf-8-sig" else codec
        self._is_expected = self._name == encodings[0]
        self._others = [name for name in encodings if name != self._name]
        self._needed: list[str] = []
        self._has_native = False
        self._newline, self._line_ends = newline, (newline,) if newline else ("\n", "\r")
        # The utf-16 and utf-32 decoders cannot carry a byte.
        errors = "replace" if codec in ("utf-16", "utf-32") else "surrogateescape"
        self._text = _TextLeavingItsStreamOpen(
            cast(IO[bytes], stream), encoding=codec, errors=errors, newline=newline
        )

    @property
    def encoding(self) -> str:
        """The encodings that the text read so far needed."""
        first = [self._name] if self._has_native or not self._needed else []
        return "+".join([*first, *self._needed])

    @property
    def is_declared_encoding(self) -> bool:
        return self._is_expected and not self._needed

    def lines(self) -> Iterator[str]:
        """Yield the lines with their ends; raise UnreadableFileError at one that no text file has."""
        return chain.from_iterable(self.blocks())

    def blocks(self) -> Iterator[list[str]]:
        """Yield the same lines many at a time, for readers that would wait for each."""
        begun: list[str] = []
        length, held_back = 0, ""
        while read := self._text.read(BLOCK_LENGTH):
            read, held_back = held_back + read, ""
            if read.endswith("\r"):  # perhaps half a line end
                read, held_back = read[:-1], "\r"
            if not (lines := io.StringIO(read, newline=self._newline).readlines()):
                continue
            begun.append(lines[0])
            length += len(lines[0])
            if length > MAXIMUM_LINE_LENGTH:
                raise UnreadableFileError(
                    f"The file has a line of over {MAXIMUM_LINE_LENGTH:,} characters: it is no table of text."
                )
            if len(lines) == 1 and not lines[0].endswith(self._line_ends):
                continue
            lines[0] = "".join(begun)
            begun = [] if lines[-1].endswith(self._line_ends) else [lines.pop()]
            length = sum(map(len, begun))
            yield lines
        if last := "".join(begun) + held_back:
            yield [last]

    def is_plain(self, text: str) -> bool:
        """Tell whether `mend` would leave the text as it is."""
        return text.isascii() and _NUL not in text

    def mend(self, value: Any, defects: set[str]) -> Any:
        """Return the value fit for JSON in PostgreSQL, at any depth; add to `defects` what had to be replaced."""
        if isinstance(value, str):
            return self._mend_text(value, defects)
        return _at_every_depth(value, lambda text: self._mend_text(text, defects))

    def _mend_text(self, text: str, defects: set[str]) -> str:
        if not text.isascii():
            if _SURROGATE.search(text):
                text = self._decode_otherwise(text)
            else:
                self._has_native = True
        return mend_text(text, defects)

    def _decode_otherwise(self, text: str) -> str:
        try:
            delivered = text.encode(self._codec, "surrogateescape")
        except UnicodeEncodeError:  # a lone surrogate that JSON wrote as an escape
            return text
        for name in self._others:
            try:
                decoded = delivered.decode(name)
            except UnicodeDecodeError:
                continue
            if name not in self._needed:
                self._needed.append(name)
            return decoded
        return text


def mend_text(text: str, defects: set[str]) -> str:
    """Return the text with NUL and lone surrogates replaced by U+FFFD, naming each in `defects`."""
    if _NUL in text:
        defects.add(Defect.NUL_BYTE)
        text = text.replace(_NUL, _REPLACEMENT)
    if not text.isascii() and _SURROGATE.search(text):
        defects.add(Defect.UNDECODABLE_BYTE)
        text = _SURROGATE.sub(_REPLACEMENT, text)
    return text


def _at_every_depth(value: Any, mend: Any) -> Any:
    if isinstance(value, str):
        return mend(value)
    if isinstance(value, list):
        return [_at_every_depth(part, mend) for part in value]
    if isinstance(value, dict):
        return {mend(key): _at_every_depth(part, mend) for key, part in value.items()}
    return value


def _first_bytes(stream: BinaryIO) -> bytes:
    start = stream.read(4)
    stream.seek(0)
    return start
