//! mesh.
#![allow(missing_docs, reason = "fields are those of the public API, whose reference explains them")]

use super::fields::record;
use crate::names::Str;

record!(
    /// Transparent proxies of the mesh.
    MeshTransparentProxy {
        mesh_destinations_only: bool = "MeshDestinationsOnly" | "mesh_destinations_only" keep,
    }
);
record!(
    /// TLS in one direction.
    MeshDirectionTls {
        min_version: Str = "TLSMinVersion" | "tls_min_version" omit,
        max_version: Str = "TLSMaxVersion" | "tls_max_version" omit,
        cipher_suites: Vec<Str> = "CipherSuites" | "cipher_suites" omit,
    }
);
record!(
    /// TLS in the mesh.
    MeshTls {
        incoming: Option<MeshDirectionTls> = "Incoming" omit,
        outgoing: Option<MeshDirectionTls> = "Outgoing" omit,
    }
);
record!(
    /// What is done to odd paths and headers.
    RequestNormalization {
        insecure_disable_path_normalization: bool
            = "InsecureDisablePathNormalization" | "insecure_disable_path_normalization" omit,
        merge_slashes: bool = "MergeSlashes" | "merge_slashes" omit,
        path_with_escaped_slashes_action: Str
            = "PathWithEscapedSlashesAction" | "path_with_escaped_slashes_action" omit,
        headers_with_underscores_action: Str
            = "HeadersWithUnderscoresAction" | "headers_with_underscores_action" omit,
    }
);
record!(
    /// Requests that come in.
    MeshIncomingHttp {
        request_normalization: Option<RequestNormalization>
            = "RequestNormalization" | "request_normalization" omit,
    }
);
record!(
    /// HTTP in the mesh.
    MeshHttp {
        sanitize_x_forwarded_client_cert: bool
            = "SanitizeXForwardedClientCert" | "sanitize_x_forwarded_client_cert" keep,
        incoming: Option<MeshIncomingHttp> = "Incoming" omit,
    }
);
record!(
    /// How peers are reached.
    MeshPeering {
        peer_through_mesh_gateways: bool = "PeerThroughMeshGateways" | "peer_through_mesh_gateways" keep,
    }
);
record!(
    /// Settings of the whole mesh.
    Mesh {
        transparent_proxy: MeshTransparentProxy = "TransparentProxy" | "transparent_proxy" keep,
        allow_enabling_permissive_mutual_tls: bool
            = "AllowEnablingPermissiveMutualTLS" | "allow_enabling_permissive_mutual_tls" omit,
        validate_clusters: bool = "ValidateClusters" | "validate_clusters" omit,
        tls: Option<MeshTls> = "TLS" omit,
        http: Option<MeshHttp> = "HTTP" omit,
        peering: Option<MeshPeering> = "Peering" omit,
    }
);
