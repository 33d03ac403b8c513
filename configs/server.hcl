# A server of a datacenter with three servers.
server           = true
datacenter       = "dc1"
data_dir         = "/var/lib/praetor"
bind_addr        = "0.0.0.0"
advertise_addr   = "{{ GetPrivateIP }}"
client_addr      = "127.0.0.1 {{ GetPrivateIP }}"
bootstrap_expect = 3

retry_join = ["server-1.example.net", "server-2.example.net", "server-3.example.net"]
encrypt    = "J/4mE4cVZUVsQFF5KsXKLNhsZYIvGTUmLzpGUxKvZnI="

# Accepted so that existing files load; there is no licence, and nothing reads the file.
license_path = "/etc/praetor/licence.hclic"

ui_config {
  enabled = true
}

tls {
  defaults {
    ca_file         = "/etc/praetor/tls/ca.pem"
    cert_file       = "/etc/praetor/tls/server.pem"
    key_file        = "/etc/praetor/tls/server-key.pem"
    verify_incoming = true
    verify_outgoing = true
  }

  internal_rpc {
    verify_server_hostname = true
  }

  https {
    verify_incoming = false
  }
}

ports {
  https    = 8501
  grpc_tls = 8503
}

log_level            = "INFO"
log_file             = "/var/log/praetor/"
log_rotate_bytes     = 104857600
log_rotate_duration  = "24h"
log_rotate_max_files = 14

telemetry {
  prometheus_retention_time = "10m"
}
