"""The page: regions of rows, whose cells are text."""
