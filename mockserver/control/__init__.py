"""The control interface under `/__mock/`: what a test asks of the mock itself.

It acts on the world of the key it is called with. Errors are RFC 9457 problem+json. Its routes and its OpenAPI
document come from one table (`mockserver.control.table`), so neither can lack what the other has.
"""
