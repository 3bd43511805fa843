"""PyTorch models: their calls overheard, their layers found and measured. Nothing else imports torch."""
