"""What actors say to each other, by subject: facts in the past tense, requests in the imperative."""
