"""The console's list of alerts: the alerts table is the display, so what is stored is delivered."""

from typing import Final

from config.notifications import Channel


class DashboardNotification:
    """The one channel that needs no network."""

    name: Final = Channel.DASHBOARD
    is_display: Final = True
