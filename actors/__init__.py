"""Who does it, and when: one actor a file, all of them told, none of them asked."""
