# A client of that datacenter, with the TLS keys as older files have them.
server         = false
datacenter     = "dc1"
data_dir       = "/var/lib/praetor"
client_addr    = "127.0.0.1"
advertise_addr = "{{ GetInterfaceIP \"eth0\" }}"

retry_join = ["server-1.example.net", "server-2.example.net", "server-3.example.net"]
encrypt    = "J/4mE4cVZUVsQFF5KsXKLNhsZYIvGTUmLzpGUxKvZnI="

license_path = "/etc/praetor/licence.hclic"

ui_config {
  enabled = true
}

ca_file                = "/etc/praetor/tls/ca.pem"
verify_incoming        = false
verify_outgoing        = true
verify_server_hostname = true

log_file             = "/var/log/praetor/agent.log"
log_rotate_bytes     = 10485760
log_rotate_duration  = "24h"
log_rotate_max_files = 7
