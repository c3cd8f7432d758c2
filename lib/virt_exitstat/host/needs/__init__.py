"""What this program needs of a host and may miss: packages, Python modules, kernel headers; and how to come by them."""
