# Client 1 of the example datacenter.
node_name   = "client1"
datacenter  = "dc1"
data_dir    = "./data/client1"
bind_addr   = "127.0.0.4"
client_addr = "127.0.0.4"

retry_join     = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
retry_interval = "2s"

encrypt = "J/4mE4cVZUVsQFF5KsXKLNhsZYIvGTUmLzpGUxKvZnI="

log_level = "INFO"
