"""Files and folders that appear whole; Parquet tables and what made them; the MNIST files; rounding."""
