"""How often a process that serves for long looks for garbage."""

import gc


def look_rarely(objects: int) -> None:
    """Look for garbage once *objects* more were made than freed, and never again at those that exist now.

    With Python's own 700 a tenth of the time goes there: what a batch or a request makes lives until it is done. To be
    called once all is built, since that lives as long as the process.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(objects)
