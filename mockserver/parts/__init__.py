"""Parts passed into the app: a Protocol each, with the real one and the fake one."""
