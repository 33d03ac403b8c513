# Where requests to a service go.
Kind = "service-router"
Name = "web"
Routes = [
  {
    Match {
      HTTP {
        PathPrefix = "/api"
        Methods    = ["GET", "POST"]
        Header     = [{ Name = "x-debug" Present = true }]
      }
    }
    Destination {
      Service       = "api"
      PrefixRewrite = "/"
      NumRetries    = 3
      RetryOn       = ["reset", "5xx"]
    }
  }
]
