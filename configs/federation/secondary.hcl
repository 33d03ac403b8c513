# All that a server of a secondary datacenter knows of the primary one: where its mesh gateways are reached from outside.
# Names work as well as addresses. What else there is it learns through them.
primary_gateways = ["127.0.1.9:8443", "127.0.1.10:8443"]
