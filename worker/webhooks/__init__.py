"""Work on the webhooks that the callbacks app stored."""
