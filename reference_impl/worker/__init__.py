"""Workers: each owns one device and the engine on it. No HTTP here; only the child process imports an engine."""
