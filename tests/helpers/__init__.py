"""Helper functions of the tests: small projects, repositories, commands, clusters and a browser."""
