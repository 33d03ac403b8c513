# What is true for every instance of one service.
Kind     = "service-defaults"
Name     = "web"
Protocol = "http"
MeshGateway { Mode = "local" }
UpstreamConfig {
  Defaults {
    ConnectTimeoutMs = 5000
    Limits { MaxConnections = 100 }
  }
  Overrides = [
    {
      Name = "db"
      PassiveHealthCheck { Interval = "10s" MaxFailures = 5 }
    }
  ]
}
