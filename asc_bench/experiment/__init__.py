"""Planning runs, running them, and keeping what they give."""
