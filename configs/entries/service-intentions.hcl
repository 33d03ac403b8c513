# Who may talk to a service, and what they may ask for.
Kind = "service-intentions"
Name = "web"
Sources = [
  {
    Name = "api"
    Permissions = [
      { Action = "allow" HTTP { PathPrefix = "/public" Methods = ["GET"] } },
      { Action = "deny"  HTTP { PathRegex = ".*" } },
    ]
  },
  { Name = "*" Action = "deny" Description = "Nobody else." },
]
