"""joblib's Dask backend, without its habit of computing here what only one worker would compute."""

from joblib._dask import DaskDistributedBackend


class DaskBackend(DaskDistributedBackend):  # type: ignore[misc]  # joblib has no types
    """Sends every task to the cluster.

    joblib runs tasks in the calling process where only one can run at a time: on a cluster with one
    worker, or while others are being replaced, a task that kills its worker would kill the caller.
    """

    def effective_n_jobs(self, n_jobs: int) -> int:
        """Return how many tasks may run at a time, as joblib is told it: at least two."""
        return max(2, int(super().effective_n_jobs(n_jobs)))
