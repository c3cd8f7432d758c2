"""What is known of exits, as data: what each reason means, why there are too many of it, what helps."""
