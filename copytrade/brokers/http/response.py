"""One HTTP/1.1 reply, parsed from the pieces in which it arrives."""

from contextlib import suppress

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

#: Maximum bytes of a body: the order book of a busy day is far smaller.
BODY_LIMIT = 8 * 1024 * 1024

#: Maximum bytes of a reply's head, interim replies (100 to 199) included.
HEAD_LIMIT = 64 * 1024


class NotHttpError(Exception):
    """The data is no HTTP reply, or too large; the message says which."""


class ReplyReader:
    """Parses bytes until the reply is complete. The llhttp parser calls the methods that begin with ``on_``.

    It drops the parser as soon as possible: the two refer to each other, and such a cycle stays in memory until a
    garbage collection.
    """

    def __init__(self) -> None:
        self._parser: HttpResponseParser | None = None
        self._pieces: list[bytes] = []
        self._size = self._announced = 0
        self._is_framed = False
        self._keeps_alive = False
        #: The server's Date header, None without one.
        self.date: str | None = None
        #: None until the head has arrived.
        self.status: int | None = None
        #: Whether the reply is complete.
        self.is_whole = False

    @property
    def body(self) -> bytes:
        """The part of the body that has arrived."""
        return b"".join(self._pieces)

    @property
    def leaves_connection(self) -> bool:
        """Whether the connection can be used again: the reply had an end of its own, and nothing followed it."""
        return self.is_whole and self._keeps_alive

    def feed(self, piece: bytes) -> None:
        """Parse a piece. Raises NotHttpError."""
        self._size += len(piece)
        parser = self._parser = self._parser or HttpResponseParser(self)
        try:
            parser.feed_data(piece)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._parser = None
            if not self.is_whole:
                raise NotHttpError(f"the reply is not HTTP: {type(error).__name__}") from None
            self._keeps_alive = False  # what came after it is none of ours
        if self.is_whole:
            self._parser = None
        if max(self._size - HEAD_LIMIT, self._announced) > BODY_LIMIT or (
            self.status is None and self._size > HEAD_LIMIT
        ):
            raise NotHttpError("the reply is too large")

    def end(self) -> None:
        """Note the end of the data: it completes a reply without a length."""
        self.is_whole = self.status is not None and not self._is_framed
        self._keeps_alive = False
        self._parser = None

    def on_message_begin(self) -> None:
        """Note a second, unsolicited reply: the connection cannot be trusted any more."""
        if self.is_whole:
            self._keeps_alive = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the headers that matter."""
        if self.is_whole:
            return
        name = name.lower()
        if name == b"date":
            with suppress(UnicodeDecodeError):
                self.date = value.decode()
        if name == b"content-length" and value.isdigit():
            self._announced = int(value)
        self._is_framed = self._is_framed or name in (b"content-length", b"transfer-encoding")

    def on_headers_complete(self) -> None:
        """Keep the status."""
        if not self.is_whole and self._parser is not None:
            self.status = self._parser.get_status_code()
            self._keeps_alive = self._parser.should_keep_alive()

    def on_body(self, piece: bytes) -> None:
        """Keep a piece of the body."""
        if not self.is_whole:
            self._pieces.append(piece)

    def on_message_complete(self) -> None:
        """Mark the reply as complete, unless it is an interim one (100 to 199)."""
        if self.status is not None and self.status < 200:
            self.status, self.date, self._is_framed, self._announced = None, None, False, 0
        else:
            self.is_whole = True
