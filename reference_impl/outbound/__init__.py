"""What the server sends by itself: events to webhooks, pictures to buckets."""
