"""What an operator says to the program and reads of it, apart from copying: a file for the commands of one subject."""
