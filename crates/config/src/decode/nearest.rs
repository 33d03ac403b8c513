//! The key that was probably meant.

use crate::schema::Field;

/// The known key nearest to `written`, if any is near enough.
pub(super) fn key(written: &str, fields: &[Field]) -> Option<&'static str> {
    // A long text is no misspelt key, and comparing it would take long.
    if written.len() > 64 {
        return None;
    }
    let wanted = plain(written);
    fields
        .iter()
        .map(|f| {
            let name = plain(f.name);
            (distance(&wanted, &name), name.len(), f.name)
        })
        .filter(|(d, len, _)| *d <= (len / 3).clamp(1, 4))
        .min()
        .map(|(_, _, name)| name)
}

/// Lower case without separators: `LogLevel` and `log-level` are near to `log_level`.
fn plain(s: &str) -> Vec<char> {
    s.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Number of single-character edits between two words.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
