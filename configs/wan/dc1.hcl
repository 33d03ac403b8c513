# The only server of dc1, one of three datacenters on one machine that are joined over the WAN pool.
node_name   = "dc1-server"
datacenter  = "dc1"
data_dir    = "./data/dc1-server"
server      = true
bind_addr   = "127.0.0.11"
client_addr = "127.0.0.11"

bootstrap_expect = 1

# It needs to know nobody: the others join it.

# One key for all datacenters. An example: make your own with praetor keygen
encrypt = "J/4mE4cVZUVsQFF5KsXKLNhsZYIvGTUmLzpGUxKvZnI="

log_level = "INFO"
