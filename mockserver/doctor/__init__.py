"""What `novita-mock doctor` looks at when something does not work: each module a part of the surroundings."""
