//! service-intentions.
#![allow(missing_docs, reason = "fields are those of the public API, whose reference explains them")]

use super::fields::record;
use crate::{names::Str, record::Map};

record!(
    /// A claim that a token must hold.
    ClaimVerification {
        path: Vec<Str> = "Path" keep,
        value: Str = "Value" keep,
    }
);
record!(
    /// An accepted issuer.
    IntentionJwtProvider {
        name: Str = "Name" omit,
        verify_claims: Vec<ClaimVerification> = "VerifyClaims" | "verify_claims" omit,
    }
);
record!(
    /// Tokens that a request must carry.
    IntentionJwt {
        providers: Vec<IntentionJwtProvider> = "Providers" omit,
    }
);
record!(
    /// A condition on a header.
    IntentionHeaderMatch {
        name: Str = "Name" keep,
        present: bool = "Present" omit,
        exact: Str = "Exact" omit,
        prefix: Str = "Prefix" omit,
        suffix: Str = "Suffix" omit,
        contains: Str = "Contains" omit,
        regex: Str = "Regex" omit,
        invert: bool = "Invert" omit,
        ignore_case: bool = "IgnoreCase" | "ignore_case" omit,
    }
);
record!(
    /// Conditions on a request.
    IntentionHttp {
        path_exact: Str = "PathExact" | "path_exact" omit,
        path_prefix: Str = "PathPrefix" | "path_prefix" omit,
        path_regex: Str = "PathRegex" | "path_regex" omit,
        header: Vec<IntentionHeaderMatch> = "Header" omit,
        methods: Vec<Str> = "Methods" omit,
    }
);
record!(
    /// What requests may do.
    IntentionPermission {
        action: Str = "Action" keep,
        http: Option<IntentionHttp> = "HTTP" omit,
        jwt: Option<IntentionJwt> = "JWT" omit,
    }
);
record!(
    /// One source.
    IntentionSource {
        name: Str = "Name" keep,
        action: Str = "Action" omit,
        permissions: Vec<IntentionPermission> = "Permissions" omit,
        precedence: i64 = "Precedence" keep,
        legacy_id: Str = "LegacyID" | "legacy_id" omit,
        source_type: Str = "Type" keep,
        description: Str = "Description" omit,
        legacy_meta: Map = "LegacyMeta" | "legacy_meta" omit,
        legacy_create_time: Str = "LegacyCreateTime" | "legacy_create_time" omit,
        legacy_update_time: Str = "LegacyUpdateTime" | "legacy_update_time" omit,
        peer: Str = "Peer" omit,
        sameness_group: Str = "SamenessGroup" | "sameness_group" omit,
    }
);
record!(
    /// Who may talk to a service.
    ServiceIntentions {
        sources: Vec<IntentionSource> = "Sources" keep,
        jwt: Option<IntentionJwt> = "JWT" omit,
    }
);
