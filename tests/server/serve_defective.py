"""Run `python -m server` with a defect in its image code: files with alpha raise TypeError."""

import os
import sys
from typing import NoReturn

from PIL import Image

from server.__main__ import main
from server.captioning.image import color


def defective(image: Image.Image) -> NoReturn:
    raise TypeError(f"a defect of ours in mode {image.mode}")


if __name__ == "__main__":
    color._over_white = defective
    sys.exit(main(sys.argv[1:], os.environ))
