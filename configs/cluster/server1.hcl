# Server 1 of the example datacenter on one machine: same ports, another loopback address each.
node_name   = "server1"
datacenter  = "dc1"
data_dir    = "./data/server1"
server      = true
bind_addr   = "127.0.0.1"
client_addr = "127.0.0.1"

# Wait for three servers before the first election.
bootstrap_expect = 3
retry_join       = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
retry_interval   = "2s"

# An example. Make your own with: praetor keygen
encrypt = "J/4mE4cVZUVsQFF5KsXKLNhsZYIvGTUmLzpGUxKvZnI="

log_level = "INFO"

performance {
  raft_multiplier = 1
}
