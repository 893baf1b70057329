"""The small applications that the mock is compared with; each is served by uvicorn with the mock's own options."""
