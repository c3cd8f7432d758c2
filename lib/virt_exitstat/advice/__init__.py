"""Knowledge about exits, as data: the meaning of each reason, why there are many, what helps."""
