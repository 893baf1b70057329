"""How fast the reference server draws: beside a bare loop of diffusers on the same device, in the same run."""
