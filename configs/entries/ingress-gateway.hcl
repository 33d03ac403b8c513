# What a gateway at the edge shows to clients outside the mesh.
Kind = "ingress-gateway"
Name = "edge"
Listeners = [
  {
    Port     = 8080
    Protocol = "http"
    Services = [{ Name = "web" Hosts = ["www.example.com"] }, { Name = "api" }]
  },
  { Port = 5432 Protocol = "tcp" Services = [{ Name = "db" }] },
]
