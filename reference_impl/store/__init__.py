"""Where tasks are kept so that they outlive the process: SQLite for one server; the protocol fits a shared one too."""
