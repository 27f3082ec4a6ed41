"""What is done once a day while the copier runs: a backup and the page of the report."""
