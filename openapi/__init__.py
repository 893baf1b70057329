"""The contract: the OpenAPI document, its catalogue and requirements, and their one reader. Imports nothing of ours."""
