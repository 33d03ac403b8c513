# A client agent of any datacenter. It talks to the servers of its own one and needs to know nothing of the others.
server             = false
primary_datacenter = "dc1"
data_dir           = "data"

encrypt = "J/4mE4cVZUVsQFF5KsXKLNhsZYIvGTUmLzpGUxKvZnI="

tls {
  defaults {
    ca_file         = "tls/ca.pem"
    cert_file       = "tls/cert.pem"
    key_file        = "tls/key.pem"
    verify_outgoing = true
  }
  internal_rpc {
    verify_server_hostname = true
  }
}
