"""What was counted: values that every wing above passes on, and what counts them as the rest of the program sees it."""
