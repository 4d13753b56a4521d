"""What `doctor` gathers: each module looks at one part of the world, within a time limit, and changes nothing."""
