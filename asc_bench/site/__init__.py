"""A static leaderboard of many folders of results: an index, a page for each protocol and one for each system."""
