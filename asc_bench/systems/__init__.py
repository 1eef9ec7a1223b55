"""What a system is, and the two bases most of them are built on."""
