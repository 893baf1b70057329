"""What part of the contract a client's tests have exercised.

`model` derives everything there is to see from the document, `collector` counts what a client did, `report` holds the
counts and judges them, `merge` adds reports up, `text` and `page` show one. Nothing here knows HTTP.
"""
