from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "dashboard"
    verbose_name = "Cluster UI"

    def ready(self) -> None:
        from dashboard.actions.permits import changes_required
        from dashboard.kube.transport import Transport
        from dashboard.plugins import host

        # Whoever makes a transport, now or later: nothing is written through it but where changes are allowed.
        Transport.gate = staticmethod(changes_required)
        # Before anything looks at a registry: addresses, discovery and menus are made from them.
        host.load()
