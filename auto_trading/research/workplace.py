"""Where tasks are computed: processes of this machine, or the workers of a Dask cluster."""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from joblib import cpu_count, parallel_config

from config.research import LOCAL
from config.settings import Settings
from crypto_trader_pro.domain.errors import ConfigError

_IDLE_SECONDS: Final = 30  # after which a process of ours that has nothing to do ends
_CONNECT_SECONDS: Final = 10
_WORKER_SECONDS: Final = 30  # within which a worker that died is replaced, if anything replaces it
_SHARED_BYTES: Final = 100_000  # arrays larger than this are mapped by the processes, not copied
_INSTALL: Final = "pip install -r requirements-dask.txt"


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where tasks are computed.

    Args:
        cluster: "local", or the address of a Dask scheduler.
        workers: processes while local; 0: one per core. With 1 everything stays in this process.
    """

    cluster: str = LOCAL
    workers: int = 0

    @classmethod
    def of(cls, settings: Settings) -> "Workplace":
        return cls(settings.research.cluster, settings.research.workers)

    @property
    def name(self) -> str:
        return "this machine" if self.is_local else f"the cluster {self.cluster}"

    @property
    def is_local(self) -> bool:
        return self.cluster == LOCAL

    @property
    def processes(self) -> int:
        """Processes of this machine that are used while local."""
        return self.workers or cpu_count()

    @contextmanager
    def opened(self, world: Any) -> Iterator[int]:
        """Make joblib compute here while the block runs; give the number of jobs at a time.

        Args:
            world: what every task needs; a cluster is sent it once and not with each task.

        Raises:
            ConfigError: the cluster cannot be used.
        """
        if not self.is_local:
            with _clustered(self.cluster, world):
                yield -1
            return
        with parallel_config(
            backend="loky", inner_max_num_threads=1, max_nbytes=_SHARED_BYTES,
            initializer=_deaf, idle_worker_timeout=_IDLE_SECONDS,
        ):  # fmt: skip
            yield self.processes


def _deaf() -> None:
    """Leave Ctrl-C to the process that started us: it stores what is finished and ends us."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _clustered(address: str, world: Any) -> Iterator[None]:
    connect: Any  # it has no types
    try:
        from distributed import Client as connect  # noqa: PLC0415, N813  optional, heavy

        from auto_trading.research.dask_backend import DaskBackend  # noqa: PLC0415
    except ImportError as e:
        raise ConfigError(
            f"research.cluster was {address}, needs dask.distributed: {_INSTALL}"
        ) from e
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("distributed"):  # what fails there is told by our own line
            logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        client = connect(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as e:
        raise ConfigError(f"research.cluster was {address}, it does not answer") from e
    try:
        try:
            client.wait_for_workers(1, timeout=_WORKER_SECONDS)
        except TimeoutError as e:
            raise ConfigError(f"research.cluster was {address}, it has no worker") from e
        with parallel_config(backend=DaskBackend(client=client, scatter=[world])):
            yield
    finally:
        client.close()  # drops whatever is still waiting there
