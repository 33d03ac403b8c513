# Services outside the mesh that a gateway stands for.
Kind = "terminating-gateway"
Name = "out"
Services = [
  { Name = "billing" CAFile = "/etc/ssl/billing-ca.pem" SNI = "billing.example.com" },
  { Name = "*" },
]
