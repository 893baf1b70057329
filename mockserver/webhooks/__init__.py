"""Webhooks: the body of an event, its signature, its deliveries, and the audit of a receiver."""
