"""The version, for whoever keeps what one version made."""

__version__ = "0.1.0"
