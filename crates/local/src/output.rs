//! Bounded outputs.

/// The last `max` of `total` bytes that a program wrote; `tail` holds at most the last `max`.
pub fn tail_output(tail: &[u8], total: u64) -> String {
    let text = String::from_utf8_lossy(tail);
    if total > tail.len() as u64 {
        format!("Captured {} of {total} bytes\n...\n{text}", tail.len())
    } else {
        text.into_owned()
    }
}

/// An output that an application sent: its beginning when it is too long.
pub fn truncate_ttl_output(output: &str, max: usize) -> String {
    let total = output.len();
    if total <= max {
        return output.to_owned();
    }
    let mut end = max;
    while !output.is_char_boundary(end) {
        end -= 1;
    }
    format!("{} ... (captured {max} of {total} bytes)", &output[..end])
}

/// The output of a TTL check whose application fell silent.
pub fn ttl_expired_output(last: &str) -> String {
    if last.is_empty() {
        "TTL expired".into()
    } else {
        format!("TTL expired (last output before timeout follows): {last}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        assert_eq!(tail_output(b"89abcdef", 16), "Captured 8 of 16 bytes\n...\n89abcdef");
        assert_eq!(tail_output(b"fine\n", 5), "fine\n");
        assert_eq!(truncate_ttl_output("abc", 3), "abc");
        assert_eq!(truncate_ttl_output("abcdé", 5), "abcd ... (captured 5 of 6 bytes)");
        assert_eq!(ttl_expired_output(""), "TTL expired");
    }
}
