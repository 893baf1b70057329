"""`python -m pictures_app "a lighthouse at dawn" pictures/`: orders a picture and waits for it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from .api import SERVICE, Api, Order
from .errors import PicturesError
from .store import Store
from .studio import Studio


def main(arguments: list[str]) -> int:
    """Draws; 0 when the pictures are there, 1 when not, 2 for wrong usage."""
    key = os.environ.get("NOVITA_API_KEY")
    if len(arguments) != 2 or not key:
        print("usage: NOVITA_API_KEY=... python -m pictures_app PROMPT FOLDER", file=sys.stderr)
        return 2
    prompt, folder = arguments
    store = Store(Path(folder))
    with Api(key, os.environ.get("NOVITA_API_URI", SERVICE), pause=time.sleep) as api:
        studio = Studio(api, store, pause=time.sleep, now_s=time.monotonic)
        try:
            for path in studio.wait(studio.order(Order(prompt=prompt))):
                print(path)
        except PicturesError as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
