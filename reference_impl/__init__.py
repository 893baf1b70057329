"""A reference implementation of the contract: a small server that draws with real diffusion models."""
