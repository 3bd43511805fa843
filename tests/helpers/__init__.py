"""What tests share beside fixtures: small projects, repositories, commands, clusters, a browser."""
