//! mesh.

use super::{Checked, ensure, tls};
use types::entry::Mesh;

const ESCAPED_SLASHES: [&str; 5] = [
    "IMPLEMENTATION_SPECIFIC_DEFAULT",
    "KEEP_UNCHANGED",
    "REJECT_REQUEST",
    "UNESCAPE_AND_REDIRECT",
    "UNESCAPE_AND_FORWARD",
];
const UNDERSCORES: [&str; 3] = ["ALLOW", "REJECT_REQUEST", "DROP_HEADER"];

pub(super) fn check(b: &Mesh) -> Checked {
    if let Some(t) = &b.tls {
        for (which, side) in [("incoming", &t.incoming), ("outgoing", &t.outgoing)] {
            if let Some(side) = side {
                tls::check(&side.min_version, &side.max_version, &side.cipher_suites)
                    .map_err(|e| format!("error in {which} TLS configuration: {e}"))?;
            }
        }
    }
    let incoming = b.http.as_ref().and_then(|h| h.incoming.as_ref());
    if let Some(n) = incoming.and_then(|i| i.request_normalization.as_ref()) {
        for (what, word, known) in [
            ("PathWithEscapedSlashesAction", &n.path_with_escaped_slashes_action, ESCAPED_SLASHES.as_slice()),
            ("HeadersWithUnderscoresAction", &n.headers_with_underscores_action, UNDERSCORES.as_slice()),
        ] {
            ensure(word.is_empty() || known.contains(&word.as_str()), || {
                format!(
                    "error in incoming HTTP configuration: no matching {what} value found for {word}, please \
                     specify one of [{}]",
                    known.join(", ")
                )
            })?;
        }
    }
    Ok(())
}
