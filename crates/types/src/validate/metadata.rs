//! Limits of metadata, the same for nodes, services, peerings, configuration entries and intentions.

use super::{MetadataReason, Violation};
use crate::record::Map;

/// Most pairs of one row.
pub const METADATA_PAIRS_MAX: usize = 64;
/// Longest key, bytes.
pub const METADATA_KEY_LEN_MAX: usize = 128;
/// Longest value, bytes.
pub const METADATA_VALUE_LEN_MAX: usize = 512;

const RESERVED_PREFIX: &str = "consul-";
/// The one reserved key that a mesh gateway sets itself.
const WAN_FEDERATION_KEY: &str = "consul-wan-federation";

/// Checks number, keys and values. `mesh_gateway` allows the key `consul-wan-federation`.
///
/// # Errors
/// [`Violation::MetadataPairs`], or the first bad pair in key order as [`Violation::MetadataPair`].
pub fn metadata(meta: &Map, mesh_gateway: bool) -> Result<(), Violation> {
    if meta.len() > METADATA_PAIRS_MAX {
        return Err(Violation::MetadataPairs);
    }
    for (key, value) in meta {
        let reserved = key.starts_with(RESERVED_PREFIX) && !(mesh_gateway && key == WAN_FEDERATION_KEY);
        let reason = if key.is_empty() {
            MetadataReason::KeyBlank
        } else if !key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
            MetadataReason::KeyCharacters
        } else if key.len() > METADATA_KEY_LEN_MAX {
            MetadataReason::KeyLength
        } else if reserved {
            MetadataReason::KeyReserved
        } else if value.len() > METADATA_VALUE_LEN_MAX {
            MetadataReason::ValueLength
        } else {
            continue;
        };
        return Err(Violation::MetadataPair { key: key.clone(), value: value.clone(), reason });
    }
    Ok(())
}
