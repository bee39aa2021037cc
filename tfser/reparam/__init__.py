"""deHRF: chains of linear layers collapsed into one, with a certificate."""
