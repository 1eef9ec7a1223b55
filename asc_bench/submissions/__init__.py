"""Challenge submissions and predictions that other software made: reading, writing and checking their files."""
