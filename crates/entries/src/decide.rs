//! Which intention decides about a connection.

use types::entry::{ConfigEntry, EntryBody, IntentionSource};

/// What an intention says about a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    /// Whether it allows the connection as a whole.
    pub allowed: bool,
    /// Which one it was, for people.
    pub text: String,
}

/// The decision of the intention that counts most among those of `entries` (which are for the destination or for all) whose
/// source is the service `source` or any; `None` when there is none. A `source` that is not of their namespace has no name here.
///
/// Permissions look at requests, so a connection alone is never allowed by them.
pub fn decide<'a>(
    entries: impl IntoIterator<Item = &'a ConfigEntry>,
    source: Option<&str>,
    namespace: &str,
) -> Option<Decision> {
    let mut best: Option<(&ConfigEntry, &IntentionSource)> = None;
    for entry in entries {
        let EntryBody::ServiceIntentions(intentions) = &entry.body else { continue };
        for s in &intentions.sources {
            let fits = source.is_some_and(|name| s.name == "*" || s.name.eq_ignore_ascii_case(name));
            // A service of a peer is another one, also by the same name.
            if fits && s.peer.is_empty() && best.is_none_or(|(_, b)| s.precedence > b.precedence) {
                best = Some((entry, s));
            }
        }
    }
    let (entry, s) = best?;
    let (layer, does) = match s.permissions.len() {
        0 => ("L4", format!("Action: {}", s.action.to_ascii_uppercase())),
        1 => ("L7", "Permissions: 1".to_owned()),
        n => ("L7", format!("Permissions: {n}")),
    };
    Some(Decision {
        allowed: s.permissions.is_empty() && s.action == "allow",
        text: format!(
            "Matched {layer} intention: {namespace}/{} => {namespace}/{} (Precedence: {}, {does})",
            s.name, entry.name, s.precedence
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, sources: serde_json::Value) -> ConfigEntry {
        let value = serde_json::json!({"Kind": "service-intentions", "Name": name, "Sources": sources});
        crate::read(&value).unwrap()
    }

    #[test]
    fn the_most_exact_pair_decides() {
        let db = entry(
            "db",
            serde_json::json!([
                {"Name": "*", "Action": "deny"},
                {"Name": "web", "Action": "allow"},
                {"Name": "api", "Permissions": [{"Action": "allow", "HTTP": {"PathPrefix": "/"}}]},
                {"Name": "far", "Peer": "p1", "Action": "allow"},
            ]),
        );
        let all = entry(
            "*",
            serde_json::json!([{"Name": "web", "Action": "deny"}, {"Name": "*", "Action": "allow"}]),
        );
        let say = |source| decide([&all, &db], source, "default").unwrap();
        assert_eq!(
            say(Some("web")),
            Decision {
                allowed: true,
                text: "Matched L4 intention: default/web => default/db (Precedence: 9, Action: ALLOW)".into()
            }
        );
        for other in ["far", "x"] {
            let text = "Matched L4 intention: default/* => default/db (Precedence: 8, Action: DENY)";
            assert_eq!(say(Some(other)), Decision { allowed: false, text: text.into() });
        }
        let api = say(Some("api"));
        assert!(!api.allowed && api.text.starts_with("Matched L7 intention: default/api"), "{api:?}");
        let text = decide([&all], Some("web"), "default").unwrap().text;
        assert!(text.contains("(Precedence: 6, Action: DENY)"), "{text}");
        assert!(decide([&all], Some("y"), "default").unwrap().text.contains("Precedence: 5"));
        assert_eq!(decide([&db], None, "default"), None);
        assert_eq!(decide([], Some("web"), "default"), None);
    }
}
