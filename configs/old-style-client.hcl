# A client of the same datacenter.
server             = false
datacenter         = "dc2"
primary_datacenter = "dc1"
data_dir           = "/var/lib/praetor"
bind_addr          = "{{ GetInterfaceIP \"eth0\" }}"

retry_join = ["dc2-server-1.example.net", "dc2-server-2.example.net", "dc2-server-3.example.net"]
encrypt    = "J/4mE4cVZUVsQFF5KsXKLNhsZYIvGTUmLzpGUxKvZnI="

ui                            = true
enable_central_service_config = true

ca_file                = "/etc/praetor/tls/ca.pem"
cert_file              = "/etc/praetor/tls/client.pem"
key_file               = "/etc/praetor/tls/client-key.pem"
verify_incoming_rpc    = true
verify_outgoing        = true
verify_server_hostname = true

ports {
  https    = 8501
  grpc_tls = 8503
}

connect {
  enabled = true
}
