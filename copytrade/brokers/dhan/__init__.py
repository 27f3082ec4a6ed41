"""The broker Dhan: typed outcomes of REST requests, the order-update socket, and what both say of orders."""
