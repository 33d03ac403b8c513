# HTTP requests of an API gateway's listener.
Kind      = "http-route"
Name      = "www"
Hostnames = ["www.example.com"]
Parents   = [{ Kind = "api-gateway" Name = "public" SectionName = "https" }]
Rules = [
  {
    Matches  = [{ Path { Match = "prefix" Value = "/" } Method = "GET" }]
    Filters { URLRewrite { Path = "/v2" } }
    Services = [{ Name = "web" Weight = 1 }]
  }
]
