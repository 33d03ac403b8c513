# What peers may use; the entry of a partition is called default.
Kind = "exported-services"
Name = "default"
Services = [{ Name = "web" Consumers = [{ Peer = "partner" }] }]
