# Listeners of an API gateway; routes bind to them.
Kind = "api-gateway"
Name = "public"
Listeners = [
  {
    Name     = "https"
    Port     = 8443
    Protocol = "http"
    Hostname = "www.example.com"
    TLS { Certificates = [{ Kind = "inline-certificate" Name = "www" }] }
  },
  { Name = "plain" Port = 9000 Protocol = "tcp" },
]
