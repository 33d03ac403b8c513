# For: praetor services register configs/cluster/web.hcl
# Without a check the instance is healthy as long as its node is.
service {
  name = "web"
  id   = "web-1"
  port = 8080
  tags = ["v1", "primary"]

  meta {
    owner = "example"
  }

  weights {
    passing = 10
    warning = 1
  }
}
