"""Which KVM exits does a libvirt domain take, on which vCPU, how often."""

__version__ = "0.1.0"
