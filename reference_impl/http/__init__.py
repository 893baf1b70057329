"""The HTTP front: requests become calls of the service, what it says becomes answers. Imports no torch, ever."""
