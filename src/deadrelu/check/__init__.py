"""Compare the present results with the accepted ones and give a verdict."""
