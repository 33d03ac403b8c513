# The only server of dc3, one of three datacenters on one machine that are joined over the WAN pool.
node_name   = "dc3-server"
datacenter  = "dc3"
data_dir    = "./data/dc3-server"
server      = true
bind_addr   = "127.0.0.13"
client_addr = "127.0.0.13"

bootstrap_expect = 1

# One server of another datacenter is enough: the pool tells of the rest, and each datacenter brings in its own servers.
retry_join_wan     = ["127.0.0.11"]
retry_interval_wan = "2s"

# One key for all datacenters. An example: make your own with praetor keygen
encrypt = "J/4mE4cVZUVsQFF5KsXKLNhsZYIvGTUmLzpGUxKvZnI="

log_level = "INFO"
