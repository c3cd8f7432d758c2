"""Which KVM exits does a libvirt domain take, on which vCPU, how often, at what cost, caused by what; what helps."""

__version__ = "0.1.0"
