"""Domains become threads here: libvirt is asked, its status files are read and checked against /proc."""
