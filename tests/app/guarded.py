"""What the tests of access share: the keys, the foreign origin and the word planted to be found again."""

MARKER = "zebrafish"  # in everything planted
KEYS = [f"{MARKER}-key-one", f"{MARKER}-key-two"]
ORIGIN = "https://viewer.example.org"
