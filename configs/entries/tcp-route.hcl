# Connections of an API gateway's listener.
Kind     = "tcp-route"
Name     = "raw"
Parents  = [{ Kind = "api-gateway" Name = "public" SectionName = "plain" }]
Services = [{ Name = "db" }]
