# Settings of the whole mesh; there is one entry, without a name.
Kind = "mesh"
TransparentProxy { MeshDestinationsOnly = true }
TLS {
  Incoming { TLSMinVersion = "TLSv1_2" }
}
HTTP { SanitizeXForwardedClientCert = true }
