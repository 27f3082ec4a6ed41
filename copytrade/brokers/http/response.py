"""One HTTP/1.1 reply, put together from whatever pieces it arrives in."""

from contextlib import suppress

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

#: The broker's order book of a busy day is far smaller.
BODY_LIMIT = 8 * 1024 * 1024

#: Bytes that a reply's head may have; what is in between (100 to 199) counts too.
HEAD_LIMIT = 64 * 1024


class NotHttpError(Exception):
    """What arrived is no reply, or one that is too large; the message says which."""


class ReplyReader:
    """Takes bytes in until the reply is whole. The parser of llhttp calls the methods that begin with ``on_``.

    It has a parser only while it needs one: each of the two knows the other, and such a pair stays until garbage is
    collected. Nothing else of what an order leaves behind does.
    """

    def __init__(self) -> None:
        self._parser: HttpResponseParser | None = None
        self._pieces: list[bytes] = []
        self._size = self._announced = 0
        self._is_framed = False
        self._keeps_alive = False
        #: What the server says is the time; None if it does not.
        self.date: str | None = None
        #: None until the head is here.
        self.status: int | None = None
        #: Whether all of it is here.
        self.is_whole = False

    @property
    def body(self) -> bytes:
        """What has come of the body."""
        return b"".join(self._pieces)

    @property
    def leaves_connection(self) -> bool:
        """Whether another request can be sent: the reply ended by itself, and nothing came after it."""
        return self.is_whole and self._keeps_alive

    def feed(self, piece: bytes) -> None:
        """Take in what came. Raises NotHttpError."""
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
        """Take in that nothing more comes: it is whole if only that was to tell where it ends."""
        self.is_whole = self.status is not None and not self._is_framed
        self._keeps_alive = False
        self._parser = None

    def on_message_begin(self) -> None:
        """Take note of a second reply, which nobody asked for: it cannot be told what the connection says next."""
        if self.is_whole:
            self._keeps_alive = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep what matters of the head."""
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
        """Know the status."""
        if not self.is_whole and self._parser is not None:
            self.status = self._parser.get_status_code()
            self._keeps_alive = self._parser.should_keep_alive()

    def on_body(self, piece: bytes) -> None:
        """Keep a piece of the body."""
        if not self.is_whole:
            self._pieces.append(piece)

    def on_message_complete(self) -> None:
        """Be whole, unless what ended was only a word in between (100 to 199)."""
        if self.status is not None and self.status < 200:
            self.status, self.date, self._is_framed, self._announced = None, None, False, 0
        else:
            self.is_whole = True
