"""Published systems that others proposed, one file each."""
