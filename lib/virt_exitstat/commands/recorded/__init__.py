"""Commands on what was recorded. They need no root, and neither libvirt nor bcc."""
