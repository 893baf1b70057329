"""One module per area of the contract; each has an `area` that its checks are bound to."""
