"""Judges any server of the image API by HTTP alone: each requirement decided, each verdict with its clause.

Nothing here imports the mock server or the reference implementation; the document and the requirements of `openapi`
are all that is known of the contract.
"""

SUITE_VERSION = "1"
"""Changes when a check starts to judge otherwise; reports carry it."""
