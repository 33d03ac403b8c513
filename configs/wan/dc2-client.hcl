# A client of dc2: it asks its own server, which asks the other datacenters.
node_name   = "dc2-client"
datacenter  = "dc2"
data_dir    = "./data/dc2-client"
bind_addr   = "127.0.0.14"
client_addr = "127.0.0.14"

retry_join     = ["127.0.0.12"]
retry_interval = "2s"

encrypt = "J/4mE4cVZUVsQFF5KsXKLNhsZYIvGTUmLzpGUxKvZnI="

log_level = "INFO"
