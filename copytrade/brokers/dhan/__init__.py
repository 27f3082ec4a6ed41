"""The broker Dhan: typed outcomes of REST requests, the order-update socket, and decoding of what both send."""
