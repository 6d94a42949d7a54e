"""Resize a picture on two threads: the calling thread and one that the resizer owns."""

from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from PIL import Image

from server.captioning.image.jpeg_draft import Box

#: Filters in which the least difference in position can choose another pixel.
DISCONTINUOUS = (Image.Resampling.NEAREST, Image.Resampling.BOX)


class Resizer:
    """Resize pictures as Image.resize does, bit for bit. Calls from several threads are safe.

    At base geometry two threads take 2.3 ms instead of 4.3. A closed resizer works on the calling
    thread alone.
    """

    def __init__(self, resampling: Image.Resampling) -> None:
        self._resampling = resampling
        # The executor starts its thread with the first task.
        self._second_thread = ThreadPoolExecutor(1, thread_name_prefix="resize")
        self._second_thread_in_use = Lock()

    def close(self) -> None:
        """End the second thread."""
        self._second_thread.shutdown()

    def resize(self, picture: Image.Image, size: tuple[int, int], box: Box) -> Image.Image:
        """Resize the part of a loaded picture that lies in `box` to (width, height)."""
        if (
            not _gives_equal_halves(picture, size, self._resampling)
            or not self._take_second_thread()
        ):
            return picture.resize(size, self._resampling, box)
        (width, height), (left, upper, right, lower) = size, box
        middle, seam = height // 2, (upper + lower) / 2
        try:
            lower_half = self._second_thread.submit(
                picture.resize,
                (width, middle),
                self._resampling,
                (left, seam, right, lower),
            )
        except RuntimeError:
            # Closed, or the system has no thread left. The lock stays taken, so that this is not
            # tried again: the executor would keep the picture of every failed attempt.
            return picture.resize(size, self._resampling, box)
        try:
            resized = Image.new(picture.mode, size)
            upper_half = picture.resize(
                (width, middle), self._resampling, (left, upper, right, seam)
            )
            resized.paste(upper_half)
            resized.paste(lower_half.result(), (0, middle))
        finally:
            self._second_thread_in_use.release()
        return resized

    def _take_second_thread(self) -> bool:
        """Reserve the second thread if no other call uses it. A call never waits for another."""
        return self._second_thread_in_use.acquire(blocking=False)


def _gives_equal_halves(
    picture: Image.Image, size: tuple[int, int], resampling: Image.Resampling
) -> bool:
    """Whether two halves, resized apart, are bit for bit the two halves of the resized picture.

    A half sees the pixels beyond its edge. But Pillow keeps a box in float32, where the seam of an
    odd height is not exact. Of a picture that is higher than wide, or that shrinks more in height
    than in width, it may resample the halves in another order of directions, and it rounds and
    clips in between.
    """
    width, height = size
    is_wide = picture.width >= picture.height
    shrinks_more_in_width = picture.width * height >= picture.height * width
    return is_wide and shrinks_more_in_width and height % 2 == 0 and resampling not in DISCONTINUOUS
