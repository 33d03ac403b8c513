//! Every key that a configuration may have, as data: its type, how it merges, whether a reload applies it,
//! and whether anything reads it.

mod effect;
mod stanzas;
mod top;

pub use effect::NO_EFFECT_YET;
use stanzas::CHECK_OLD_SPELLINGS;
pub use stanzas::{CHECK, SERVICE, TLS_LISTENER};
pub use top::TOP;

/// Shape of a value.
#[derive(Clone, Copy)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// Integer.
    Int,
    /// Integer that may not be negative.
    Uint,
    /// Number.
    Float,
    /// Text.
    Text,
    /// Text that is a duration.
    Duration,
    /// List of texts.
    TextList,
    /// Texts by name.
    TextMap,
    /// Lists of texts by name.
    TextListMap,
    /// Block with these keys.
    Stanza(&'static [Field]),
    /// List of such blocks.
    StanzaList(&'static [Field]),
    /// Such blocks by name.
    MapOf(&'static [Field]),
    /// Free-form object.
    AnyMap,
    /// List of free-form objects.
    AnyMapList,
}

/// How a value takes part in merging and running.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// Read at start only.
    Start,
    /// A reload applies it.
    Reload,
    /// Block that a later source replaces whole; read at start only.
    Replace,
    /// Users cannot change it: a value is accepted and dropped.
    Fixed,
    /// Enterprise key: accepted with a warning.
    Enterprise,
}

/// One key.
#[derive(Clone, Copy)]
pub struct Field {
    /// Canonical name.
    pub name: &'static str,
    /// Shape.
    pub kind: Kind,
    /// Rule.
    pub rule: Rule,
}

/// A key read at start.
pub const fn key(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, rule: Rule::Start }
}

/// A key with another rule.
pub const fn with(name: &'static str, kind: Kind, rule: Rule) -> Field {
    Field { name, kind, rule }
}

/// Finds a key by its canonical name.
pub fn field<'a>(fields: &'a [Field], name: &str) -> Option<&'a Field> {
    fields.iter().find(|f| f.name == name)
}

/// Finds a key as users write it: case does not matter, and checks have older spellings of some keys.
pub fn field_any_case<'a>(fields: &'a [Field], name: &str) -> Option<&'a Field> {
    let exact = fields.iter().find(|f| f.name.eq_ignore_ascii_case(name));
    exact.or_else(|| {
        if !std::ptr::eq(fields, CHECK.as_slice()) {
            return None;
        }
        let (_, new) = CHECK_OLD_SPELLINGS.iter().find(|(old, _)| old.eq_ignore_ascii_case(name))?;
        field(fields, new)
    })
}
