"""Caption a picture: python caption.py PICTURE [URL]. Needs httpx."""

import sys
from pathlib import Path

import httpx


def caption(picture: Path, url: str = "http://127.0.0.1:8000") -> str:
    """Return the caption of a picture file. Raises RuntimeError with the server's explanation."""
    with picture.open("rb") as file:
        response = httpx.post(f"{url}/caption", files={"image": file}, timeout=60)
    answer = response.json()
    if response.is_error:
        raise RuntimeError(f"{answer['error']} ({answer['error_type']})")
    return str(answer["caption"])


if __name__ == "__main__":
    try:
        print(caption(Path(sys.argv[1]), *sys.argv[2:]))
    except (RuntimeError, httpx.TransportError) as error:
        sys.exit(str(error))
