"""Loaded into the workers of a test in which no worker has a wiki: its task is given up soon.

Where another worker has it, it must not be: that one may have to wait for a core.
"""

from tests.acceptance.short_pauses import SHARE
from worker.tasks import passing

passing.REST_SECONDS /= SHARE
