# Who issues the tokens that intentions ask for.
Kind      = "jwt-provider"
Name      = "login"
Issuer    = "https://login.example.com"
Audiences = ["web"]
JSONWebKeySet {
  Remote {
    URI           = "https://login.example.com/keys"
    CacheDuration = "5m"
  }
}
Locations = [{ Header { Name = "Authorization" ValuePrefix = "Bearer " } }]
Forwarding { HeaderName = "x-token" }
