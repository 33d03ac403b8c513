# A service with a sidecar and an HTTP check. Put it beside an agent's own file, or register it:
#   praetor services register configs/service.hcl
service {
  name = "web"
  port = 8080

  check {
    id       = "web-http"
    name     = "HTTP on port 8080"
    http     = "http://127.0.0.1:8080/health"
    method   = "GET"
    interval = "10s"
    timeout  = "2s"

    header {
      Accept = ["text/plain"]
    }
  }

  connect {
    sidecar_service {
      proxy {
        upstreams = [
          {
            destination_name = "db"
            local_bind_port  = 9191
          },
          {
            destination_name = "cache"
            local_bind_port  = 9192
          }
        ]
      }
    }
  }
}
