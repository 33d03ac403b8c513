# A server of any datacenter in a federation through mesh gateways. What differs is given when it is started:
# -datacenter, -node, -bind, -bootstrap-expect, -retry-join.
server             = true
primary_datacenter = "dc1"
data_dir           = "data"

# The same key in all datacenters: `praetor keygen` makes one.
encrypt = "J/4mE4cVZUVsQFF5KsXKLNhsZYIvGTUmLzpGUxKvZnI="

connect {
  enabled = true
  # Everything between datacenters goes through mesh gateways; no server port is ever seen from outside.
  enable_mesh_gateway_wan_federation = true
}

# One authority for all datacenters (`praetor tls ca create`), a certificate for each server
# (`praetor tls cert create -server -dc dc1 -node s1`): gateways find a server by the names in it.
tls {
  defaults {
    ca_file         = "tls/ca.pem"
    cert_file       = "tls/cert.pem"
    key_file        = "tls/key.pem"
    verify_incoming = true
    verify_outgoing = true
  }
  https {
    verify_incoming = false
  }
  internal_rpc {
    verify_server_hostname = true
  }
}
