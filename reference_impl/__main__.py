"""`python -m reference_impl` is `novita-reference`."""

from __future__ import annotations

from reference_impl.cli import main

if __name__ == "__main__":
    main()
