//! `prefix_filter`: which names are shown.

use thiserror::Error;

/// A rule of `prefix_filter` that is left out; the text is Consul's warning.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum BadRule {
    /// `""`.
    #[error("Cannot have empty filter rule in prefix_filter")]
    Empty,
    /// Neither `+` nor `-` in front.
    #[error("Filter rule must begin with either '+' or '-': \"{0}\"")]
    NoSign(String),
}

/// Allows or blocks names by their longest listed prefix.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PrefixFilter {
    /// Longest first.
    rules: Vec<(String, bool)>,
    default: bool,
}

impl Default for PrefixFilter {
    fn default() -> Self {
        Self { rules: Vec::new(), default: true }
    }
}

impl PrefixFilter {
    /// Reads `rules` (`+allowed`, `-blocked`); what cannot be read is left out and named.
    /// `<prefix>.rpc.server.call` is blocked unless a rule names it: it has a label for each method and caller.
    pub fn parse<S: AsRef<str>>(prefix: &str, rules: &[S], default: bool) -> (Self, Vec<BadRule>) {
        let (mut out, mut bad) = (Vec::with_capacity(rules.len() + 1), Vec::new());
        for rule in rules {
            let rule = rule.as_ref();
            match (rule.strip_prefix('+'), rule.strip_prefix('-')) {
                (Some(name), _) => out.push((name.to_owned(), true)),
                (_, Some(name)) => out.push((name.to_owned(), false)),
                _ if rule.is_empty() => bad.push(BadRule::Empty),
                _ => bad.push(BadRule::NoSign(rule.to_owned())),
            }
        }
        let noisy = format!("{prefix}.rpc.server.call");
        if !out.iter().any(|(name, _)| *name == noisy) {
            out.push((noisy, false));
        }
        out.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        (Self { rules: out, default }, bad)
    }

    /// Whether the full name `name` is shown.
    pub fn allows(&self, name: &str) -> bool {
        self.rules.iter().find(|(prefix, _)| name.starts_with(prefix.as_str())).map_or(self.default, |r| r.1)
    }
}
