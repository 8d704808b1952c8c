"""Two networks with transposed convolutions, trained for real; README.md beside this file says how to run them."""
