"""Malformed files by the thousand: each ends in one line of ours, or in a value that is right."""
