"""The board: how soon it shows a change, and what it costs an order to have it open."""
