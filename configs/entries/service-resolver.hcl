# Where instances of a service are found: by version, and elsewhere when there is none.
Kind          = "service-resolver"
Name          = "web"
DefaultSubset = "v1"
Subsets = {
  v1 = { Filter = "Service.Meta.version == v1" }
  v2 = { Filter = "Service.Meta.version == v2" OnlyPassing = true }
}
Failover = {
  "*" = { Datacenters = ["dc2", "dc3"] }
}
ConnectTimeout = "5s"
LoadBalancer {
  Policy       = "ring_hash"
  HashPolicies = [{ Field = "header" FieldValue = "x-user" }, { SourceIP = true }]
}
