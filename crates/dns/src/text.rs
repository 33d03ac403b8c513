//! Node metadata as TXT records (RFC 1464).

/// Longest character string of a TXT record.
const CHUNK_BYTES_MAX: usize = 255;
/// Longest text that a record can hold with the lengths of its character strings.
const TEXT_BYTES_MAX: usize = 65_000;

/// Record data for one pair. Keys that begin with `rfc1035-` give the bare value.
pub(crate) fn meta_txt(key: &str, value: &str) -> Box<[u8]> {
    let mut text = Vec::with_capacity(key.len() + value.len() + 2);
    if key.get(..8).is_some_and(|p| p.eq_ignore_ascii_case("rfc1035-")) {
        text.extend_from_slice(value.as_bytes());
    } else {
        quote_key(key, &mut text);
        text.push(b'=');
        for &b in value.as_bytes() {
            if b == b'`' {
                text.push(b'`');
            }
            text.push(b);
        }
    }
    text.truncate(TEXT_BYTES_MAX);
    let mut out = Vec::with_capacity(text.len() + 1 + text.len() / CHUNK_BYTES_MAX);
    if text.is_empty() {
        out.push(0);
    }
    for chunk in text.chunks(CHUNK_BYTES_MAX) {
        out.push(chunk.len() as u8);
        out.extend_from_slice(chunk);
    }
    out.into_boxed_slice()
}

fn quote_key(key: &str, out: &mut Vec<u8>) {
    let bytes = key.as_bytes();
    let blank = |b: &u8| *b == b' ' || *b == b'\t';
    let leading = bytes.iter().take_while(|b| blank(b)).count();
    let trailing = bytes.len() - bytes.iter().rev().take_while(|b| blank(b)).count();
    for (i, &b) in bytes.iter().enumerate() {
        if matches!(b, b'`' | b'=') || (blank(&b) && (i < leading || i >= trailing)) {
            out.push(b'`');
        }
        out.push(b);
    }
}
