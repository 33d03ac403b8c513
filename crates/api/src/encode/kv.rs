//! Keys and values.

use super::writer::{Array, Object, key};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use types::record::KvEntry;

/// One entry.
pub fn kv_entry(out: &mut Vec<u8>, e: &KvEntry) {
    let mut o = Object::open(out);
    o.u64(key!("LockIndex"), e.lock_index);
    o.str(key!("Key"), &e.key);
    o.u64(key!("Flags"), e.flags);
    base64(o.value(key!("Value")), &e.value);
    if let Some(s) = &e.session {
        o.str_omit(key!("Session"), s);
    }
    if e.tenancy.partition() != "default" {
        o.str(key!("Partition"), e.tenancy.partition());
    }
    if e.tenancy.namespace() != "default" {
        o.str(key!("Namespace"), e.tenancy.namespace());
    }
    o.index(e.index);
    o.close();
}

/// A list of entries.
pub fn kv_entries<'a>(out: &mut Vec<u8>, list: impl IntoIterator<Item = &'a KvEntry>) {
    let mut a = Array::open(out);
    for e in list {
        kv_entry(a.item(), e);
    }
    a.close();
}

/// Standard base64 in quotes; an empty value is `null`.
fn base64(out: &mut Vec<u8>, value: &[u8]) {
    if value.is_empty() {
        out.extend_from_slice(b"null");
        return;
    }
    out.push(b'"');
    let start = out.len();
    let len = value.len().div_ceil(3) * 4;
    out.resize(start + len, 0);
    let written = STANDARD.encode_slice(value, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
    out.push(b'"');
}
