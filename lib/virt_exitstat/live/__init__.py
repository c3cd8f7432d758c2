"""The live view: a screen like top's."""
