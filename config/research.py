"""`auto_trading_config.json`, section `research`: where many backtests are computed."""

from typing import Annotated

from pydantic import Field

from config.fields import Allowed, Section

LOCAL = "local"

Cluster = Annotated[
    str,
    Field(pattern=r"^(local|(tcp|tls)://[A-Za-z0-9.-]{1,253}:[0-9]{1,5})$"),
    Allowed("local, or the scheduler of a Dask cluster as tcp://host:8786", code="cluster"),
]


class Research(Section):
    """Section `research`: what computes many backtests at a time. The engine does not read it."""

    cluster: Cluster = Field(
        default=LOCAL,
        description="Where many backtests run at a time: local, or tcp://host:port of a Dask"
        " cluster.",
    )
    workers: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="Processes of this machine that share the work while cluster is local; 0 is all"
        " its cores.",
    )
