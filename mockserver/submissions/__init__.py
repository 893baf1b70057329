"""From a validated request body to a typed submission: one reader per API version, the same result for both.

Behind these readers nobody meets a raw request: the fields of the wire stop here.
"""
