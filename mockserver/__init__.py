"""The mock server: an offline stand-in for the Novita AI image generation API."""

__version__ = "0.1.0"
