"""Due work: rows with leases in place of sleeping tasks. What was enqueued is done at least once, or fails visibly."""

from watchkeeper.kernel.work.model import Backoff, Handler, Recurring, Task, Transactional, WorkFailed
from watchkeeper.kernel.work.store import counts, enqueue, forget_done
from watchkeeper.kernel.work.worker import LeaseLost, Worker

__all__ = [
    "Backoff",
    "Handler",
    "LeaseLost",
    "Recurring",
    "Task",
    "Transactional",
    "WorkFailed",
    "Worker",
    "counts",
    "enqueue",
    "forget_done",
]
