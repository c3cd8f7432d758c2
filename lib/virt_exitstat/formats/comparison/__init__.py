"""Comparisons written as text: a format a file. Nothing is judged here."""
