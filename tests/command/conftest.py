import os

# The processes that the tests start keep their bytecode: compiling everything takes a third of a start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
