"""The settings as one frozen value: three files, their cross checks, their hash, their schema."""

import hashlib
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final, Literal, cast

from pydantic import Field
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from config.engine import (
    Engine,
    MarketData,
    Notifications,
    Paper,
    Retention,
    RiskManagement,
    Symbols,
)
from config.fields import Contradiction, Section, TimeOfDay
from config.notifications import (
    Channel,
    Channels,
    Digest,
    Escalation,
    QuietHours,
    RateLimits,
    Routing,
)
from config.reach import Reach
from config.research import Research
from config.risk import (
    EmergencyStop,
    KillSwitch,
    Limits,
    ModePreset,
    Modes,
    ProfileCaps,
    Profiles,
    Rollback,
    Safety,
)
from config.strategies import Strategies
from crypto_trader_pro.domain.enums import Mode
from crypto_trader_pro.domain.instruments import plain


class AutoTradingFile(Section):
    """`auto_trading_config.json`."""

    engine: Engine = Field(description="The decision period, the mode, the trading day.")
    risk_management: RiskManagement = Field(description="The figures every trade starts from.")
    symbols: Symbols = Field(
        description="What is traded, decided in this order; all in one quote currency."
    )
    notifications: Notifications = Field(description="Whether and through what messages go out.")
    market_data: MarketData = Field(description="Where candles come from.")
    paper: Paper = Field(description="The simulated account.")
    strategies: Strategies = Field(description="The strategies by name.")
    retention: Retention = Field(default_factory=Retention, description="How long rows are kept.")
    research: Research = Field(
        default_factory=Research, description="What computes many backtests at a time."
    )

    reach: Reach = Field(default_factory=Reach, description="Messages, chat, webhooks and metrics.")

    def contradictions(self) -> Iterator[Contradiction]:
        first = _quote(self.symbols[0])
        for k, symbol in enumerate(self.symbols):
            if _quote(symbol) != first:
                allowed = f"a symbol in {first}, as {self.symbols[0]}: an account has one currency"
                yield Contradiction(f"symbols.{k}", symbol, allowed)
        if self.engine.mode is Mode.LIVE and self.market_data.source in ("replay", "demo"):
            allowed = "exchange or auto while engine.mode is live"
            yield Contradiction("market_data.source", self.market_data.source, allowed)


class RiskFile(Section):
    """`risk_config.json`."""

    limits: Limits = Field(description="The ladder of losses, and what bounds an order.")
    kill_switch: KillSwitch = Field(description="Triggers beside the drawdown.")
    rollback: Rollback = Field(description="When a deployment is taken back.")
    safety: Safety = Field(default_factory=Safety, description="What is checked before each cycle.")
    emergency_stop: EmergencyStop = Field(description="Whether a stop closes positions.")
    modes: Modes = Field(description="The trading modes' presets.")
    profiles: Profiles = Field(description="Caps per deployment.")


class NotificationFile(Section):
    """`notification_config.json`."""

    channels: Channels = Field(description="How each channel is reached.")
    routing: Routing = Field(description="Which message goes where.")
    quiet_hours: QuietHours = Field(description="When less urgent messages wait.")
    daily_summary_time: TimeOfDay = Field(
        description="When the daily summary is sent, in the trading day's zone."
    )
    weekly_report_day: Literal[
        "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "never"
    ] = Field(
        default="sunday",
        description="Day of the week whose daily summary the weekly report follows.",
    )
    digest: Digest = Field(default_factory=Digest, description="Milder messages go out together.")
    rate_limits: RateLimits = Field(
        default_factory=RateLimits, description="Messages a minute by channel."
    )
    escalation: Escalation = Field(
        default_factory=Escalation, description="When an alert is told again."
    )


ConfigFile = AutoTradingFile | RiskFile | NotificationFile

FILES: Final[dict[str, type[ConfigFile]]] = {
    "auto_trading_config.json": AutoTradingFile,
    "risk_config.json": RiskFile,
    "notification_config.json": NotificationFile,
}
HOMES: Final = {section: name for name, model in FILES.items() for section in model.model_fields}


class Settings(AutoTradingFile, RiskFile, NotificationFile):
    """Everything the three files say after the environment and the arguments had their say.

    Percent stay percent here; `config.as_rate` turns them into parts of 1e8. No secret is in it.
    """

    def contradictions(self) -> Iterator[Contradiction]:
        yield from super().contradictions()
        risk, day = self.limits.risk_per_trade_pct, self.risk_management.daily_loss_limit_pct
        if risk > day:
            allowed = f"at most risk_management.daily_loss_limit_pct, which is {day}"
            yield Contradiction("limits.risk_per_trade_pct", risk, allowed)

    @property
    def preset(self) -> ModePreset:
        """The preset of the trading mode in force."""
        return cast(ModePreset, getattr(self.modes, self.engine.trading_mode.value))

    @property
    def caps(self) -> ProfileCaps:
        """The caps of the profile in force."""
        return cast(ProfileCaps, getattr(self.profiles, self.engine.profile))

    @property
    def max_leverage(self) -> Decimal:
        """Largest gross notional, multiple of equity: the smaller of limit and profile cap."""
        cap = self.caps.max_leverage
        return self.limits.max_leverage if cap is None else min(self.limits.max_leverage, cap)

    @property
    def paper_equity(self) -> Decimal:
        """Equity a paper account starts with: the smaller of `paper` and the profile's capital."""
        cap = self.caps.capital
        return self.paper.initial_equity if cap is None else min(self.paper.initial_equity, cap)

    @property
    def active_channels(self) -> tuple[Channel, ...]:
        """Channels that are both in use and switched on; none when messages are off."""
        used = self.notifications.channels if self.notifications.enabled else ()
        return tuple(channel for channel in used if self.channels.is_enabled(channel))

    def canonical_json(self) -> str:
        """Return the one JSON text of these values: keys sorted, Decimals as plain strings."""
        return json.dumps(
            _canonical(self.model_dump()), sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )

    def hash(self) -> str:
        """Return the SHA-256 of `canonical_json`, 64 hex digits: the version stored with orders."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()


def file_of(key: str) -> str | None:
    """Return the name of the file that a dotted key lives in, by its first part; else None."""
    return HOMES.get(key.partition(".")[0])


def schema() -> dict[str, Any]:
    """Return one JSON schema per file, by file name, without references.

    Every key has a description, its bounds and, where it has one, its default. Decimals appear as
    plain JSON numbers; the files are still read exactly.
    """
    schemas = {}
    for name, model in FILES.items():
        whole = model.model_json_schema(schema_generator=_NumberSchema)
        schemas[name] = _inlined(whole, whole.pop("$defs", {}))
    return schemas


class _NumberSchema(GenerateJsonSchema):
    """Describes a Decimal as the JSON number it is in the files, not as number or string."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        json_schema: JsonSchemaValue = {"type": "number"}
        bounds = {
            "ge": "minimum",
            "le": "maximum",
            "gt": "exclusiveMinimum",
            "lt": "exclusiveMaximum",
        }
        for short, word in bounds.items():
            if (bound := schema.get(short)) is not None:
                json_schema[word] = _json_number(Decimal(cast(Decimal, bound)))
        return json_schema

    def encode_default(self, dft: Any) -> Any:
        return _json_number(dft) if isinstance(dft, Decimal) else super().encode_default(dft)


def _json_number(value: Decimal) -> int | float:
    # float's shortest text is the same number for the 15 digits a setting can have at most
    return int(value) if value == value.to_integral_value() else float(value)


def _inlined(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    target = definitions[node["$ref"].rsplit("/", 1)[1]] if "$ref" in node else {}
    merged = {**target, **{k: v for k, v in node.items() if k != "$ref"}}
    return {k: _inlined(v, definitions) for k, v in merged.items()}


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _canonical(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(v) for v in value]
    return str(plain(value)) if isinstance(value, Decimal) else value


def _quote(symbol: str) -> str:
    return symbol.split("/")[1].split(":")[0]
