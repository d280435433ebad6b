"""How long the bot waits for what."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """All in seconds.

    Args:
        poll_seconds: that the server holds an empty poll.
        call_seconds: that one call may take; for a poll, beyond `poll_seconds`.
        first_pause, longest_pause: after failed polls; the pause doubles.
        person_pause: after what takes a person: a wrong token.
        send_pauses: between tries to send.
        longest_limit: of a pause between tries that the server asks for.
        look_seconds: between looks whether the bot is switched on.
        read_seconds: that reading the database for an answer may take.
        stop_seconds: that a stop waits for its row of the audit.
        store_seconds: that any other command does.
        ask_seconds: that storing a wish may take.
        answer_seconds: that the engine's answer is waited for.
        follow_pause: between looks for that answer.
        fresh_seconds: oldest command that is obeyed.
        confirm_seconds: that a confirmation can be given.
        alert_seconds: between two alerts about strangers.
    """

    poll_seconds: int = 25
    call_seconds: float = 20.0
    first_pause: float = 1.0
    longest_pause: float = 60.0
    person_pause: float = 180.0
    send_pauses: tuple[float, ...] = (1.0, 3.0)
    longest_limit: float = 30.0
    look_seconds: float = 2.0
    read_seconds: float = 8.0
    stop_seconds: float = 0.5
    store_seconds: float = 2.0
    ask_seconds: float = 15.0
    answer_seconds: float = 10.0
    follow_pause: float = 0.3
    fresh_seconds: float = 60.0
    confirm_seconds: float = 60.0
    alert_seconds: float = 600.0
