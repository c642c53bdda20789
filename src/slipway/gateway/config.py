"""What a gateway needs to know."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from slipway.gateway.handler import Handler
from slipway.gateway.values import InputLimits

UPSTREAM = "127.0.0.1:8500"


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """The routes of a gateway and the model servers behind them."""

    handlers: Sequence[Handler]
    upstreams: Sequence[str] = (UPSTREAM,)
    """Addresses as `slipway.Client` takes them, of servers that hold the same models."""
    timeout_s: float = 10.0
    """Seconds that a request may take, models included, unless its handler says otherwise."""
    limits: InputLimits = field(default_factory=InputLimits)
    open_pages: bool = False
    """Whether /metrics, /openapi.json and /try answer callers of other machines too."""
    run_folder: Path = Path("run")
    """Where handlers keep files; made with mode 0700 when it is not there."""
