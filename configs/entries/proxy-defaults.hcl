# What is true for every proxy; there is one entry, called global.
Kind = "proxy-defaults"
Name = "global"
Config {
  protocol                 = "http"
  local_connect_timeout_ms = 1000
}
AccessLogs { Enabled = true }
