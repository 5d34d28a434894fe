"""Bad input, case by case: each row of docs/bad-input.md has one here, which provokes what the row says."""
