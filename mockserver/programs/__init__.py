"""A program beside a mock of its own: started, told where the mock is, watched to its end, and summed up."""
