"""PyTorch models: their calls recorded, their layers found and measured. Nothing else imports torch."""
