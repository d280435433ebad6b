"""Every exception this platform raises on purpose.

The class says what the *engine* must do, not where the error came from:

* TradingError
  + RetryableError        wait, then try the same call again
    - GatewayUnavailable      venue or network down, maintenance
    - RateLimited             slow down first
    - JournalUnavailable      the database did not take the write; nothing may be sent
      . JournalBusy               another process holds it; waiting helps
  + OutcomeUnknown        never resend: reconcile the order first
  + RejectedError         this order is dead, the loop goes on
    - InsufficientFunds
    - InvalidOrder
  + HaltError             stop opening positions, call a human
    - AuthenticationFailed
    - StateMismatch           our book and the venue disagree
    - LeaseLost               another engine trades this account; this one may do nothing more
    - Fenced                  this worker was given up; another goes on from its last checkpoint
  + InputError            a person gave something unusable; one line says what
    - ConfigError             refuse to start
"""


class TradingError(Exception):
    """Base of everything below; caught once, at the top of the engine loop."""


class RetryableError(TradingError):
    """The same call may succeed later."""


class GatewayUnavailable(RetryableError):  # noqa: N818  named as the field names it
    """The venue cannot be reached or is under maintenance."""


class RateLimited(RetryableError):  # noqa: N818
    """The venue asked us to slow down."""


class JournalUnavailable(RetryableError):  # noqa: N818
    """The database refused or did not finish a write. No order is sent on it."""


class JournalBusy(JournalUnavailable):
    """Another process holds the database for longer than the busy timeout."""


class OutcomeUnknown(TradingError):  # noqa: N818
    """An order was sent and no answer came back. It may be live."""


class RejectedError(TradingError):
    """The venue, or a risk rule, refused this one order."""


class InsufficientFunds(RejectedError):  # noqa: N818
    """The account cannot pay for the order."""


class InvalidOrder(RejectedError):  # noqa: N818
    """The order breaks a rule of the venue: precision, size, price."""


class HaltError(TradingError):
    """Stop opening positions and call a person."""


class AuthenticationFailed(HaltError):  # noqa: N818
    """The key was refused."""


class StateMismatch(HaltError):  # noqa: N818
    """What we hold and what the venue says differ."""


class LeaseLost(HaltError):  # noqa: N818
    """Another engine has taken the account over."""


class Fenced(HaltError):  # noqa: N818
    """The supervisor gave this worker up; nothing it does counts any more."""


class InputError(TradingError):
    """Unusable input: names the thing, the value and what is allowed, in one line."""


class ConfigError(InputError):
    """A configuration that cannot be used; the engine refuses to start on it."""
