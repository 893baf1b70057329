"""Drawing on many machines: the engine as a Ray Serve deployment, and the worker that hands batches to it."""
