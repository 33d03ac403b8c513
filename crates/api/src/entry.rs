//! Configuration entries as JSON.
//!
//! Reading is looser than that of other bodies: other spellings of keys, numbers as text, one thing for a list of one. What no
//! key of the kind is called is an error all the same. Which values are allowed is not looked at here.

use crate::{duration, encode};
use serde_json::{Map, Value as Json};
use types::{
    Opaque, Str,
    entry::{ConfigEntry, EntryBody, EntryKind, Reading, Sink, Value},
    validate::error_list,
};

/// Why something is not a configuration entry. `Display` is what follows `Request decoding failed: `.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EntryError {
    /// Not an object.
    #[error("'' expected a map, got '{0}'")]
    NotAnObject(&'static str),
    /// It does not say what it is.
    #[error("Payload does not contain a kind/Kind key at the top level")]
    NoKind,
    /// It says so in another way than by a word.
    #[error("Kind value in payload is not a string")]
    KindType,
    /// There is no such kind.
    #[error("invalid config entry kind: {0}")]
    UnknownKind(String),
    /// Values that cannot be what their fields are.
    #[error("{} error(s) decoding:\n\n* {}", .0.len(), .0.join("\n* "))]
    Types(Vec<String>),
    /// Keys that do not exist, as messages.
    #[error("{}", error_list(.0.iter()))]
    Keys(Vec<String>),
}

/// Reads an entry.
///
/// # Errors
/// [`EntryError`]
pub fn decode(value: &Json) -> Result<ConfigEntry, EntryError> {
    let fields = match value {
        Json::Object(fields) => fields,
        Json::Null => return Err(EntryError::NoKind),
        Json::Array(_) => return Err(EntryError::NotAnObject("slice")),
        Json::String(_) => return Err(EntryError::NotAnObject("string")),
        Json::Number(_) => return Err(EntryError::NotAnObject("float64")),
        Json::Bool(_) => return Err(EntryError::NotAnObject("bool")),
    };
    let kind = kind(fields)?;
    let read_duration = |text: &str| duration::parse_ns(text).map_err(|e| e.to_string());
    let mut cx = Reading::new(&read_duration);
    let mut entry = ConfigEntry::new(kind, "");
    for (key, v) in fields {
        if !common_field(&mut entry, key, v, &mut cx) && !entry.body.read_field(key, v, &mut cx) {
            cx.unknown_key(key);
        }
    }
    if !cx.wrong.is_empty() {
        cx.wrong.sort();
        return Err(EntryError::Types(cx.wrong));
    }
    if !cx.unknown.is_empty() {
        return Err(EntryError::Keys(cx.unknown.iter().map(|k| unknown_key(k)).collect()));
    }
    Ok(entry)
}

/// What kind an entry says it is of: only two spellings of the key count.
fn kind(fields: &Map<String, Json>) -> Result<EntryKind, EntryError> {
    let word = fields.get("Kind").or_else(|| fields.get("kind")).ok_or(EntryError::NoKind)?;
    let word = word.as_str().ok_or(EntryError::KindType)?;
    EntryKind::parse(word).ok_or_else(|| EntryError::UnknownKind(word.to_owned()))
}

/// Fields that all kinds have.
fn common_field(entry: &mut ConfigEntry, key: &str, v: &Json, cx: &mut Reading<'_>) -> bool {
    let is = |name: &str| key.eq_ignore_ascii_case(name);
    if is("Kind")
        || is("CreateIndex")
        || is("ModifyIndex")
        || is("Hash")
        || is("create_index")
        || is("modify_index")
    {
        // Whatever was read may be written back.
        return true;
    }
    if is("Name") && entry.kind().is_named() {
        if !v.is_null() {
            cx.within("Name".to_owned(), |cx| entry.name.read(v, cx));
        }
        return true;
    }
    if is("Meta") {
        if !v.is_null() {
            cx.within("Meta".to_owned(), |cx| entry.meta.read(v, cx));
        }
        return true;
    }
    false
}

fn unknown_key(key: &str) -> String {
    let lower = key.to_lowercase();
    let why = if lower.ends_with("namespace") {
        ", namespaces are a consul enterprise feature"
    } else if lower.contains("jwt") {
        ", api-gateway jwt validation is a consul enterprise feature"
    } else {
        ""
    };
    format!("invalid config key {}{why}", crate::decode::quote(key))
}

/// Appends an entry.
pub fn encode(out: &mut Vec<u8>, entry: &ConfigEntry) {
    let mut json = JsonSink::new(out);
    json.begin_object();
    content(&mut json, entry);
    if entry.hash != 0 {
        json.key("Hash");
        json.u64(entry.hash);
    }
    json.key("CreateIndex");
    json.u64(entry.index.create);
    json.key("ModifyIndex");
    json.u64(entry.index.modify);
    json.end_object();
}

/// Appends a list of entries.
pub fn encode_list<'a>(out: &mut Vec<u8>, entries: impl IntoIterator<Item = &'a ConfigEntry>) {
    let mut list = encode::Array::open(out);
    for entry in entries {
        encode(list.item(), entry);
    }
    list.close();
}

fn content(json: &mut JsonSink<'_>, entry: &ConfigEntry) {
    json.key("Kind");
    json.str(entry.kind().as_str());
    if entry.kind().is_named() {
        json.key("Name");
        json.str(&entry.name);
    }
    entry.body.show_fields(json);
    if !entry.meta.is_empty() {
        json.key("Meta");
        entry.meta.show(json);
    }
}

/// A number that changes with the content of an entry: FNV-1a of its JSON. Entries that servers write have none.
pub fn content_hash(entry: &ConfigEntry) -> u64 {
    if matches!(entry.body, EntryBody::BoundApiGateway(_)) {
        return 0;
    }
    let mut text = Vec::with_capacity(256);
    let mut json = JsonSink::new(&mut text);
    json.begin_object();
    content(&mut json, entry);
    json.end_object();
    text.iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

/// Writes compact JSON.
struct JsonSink<'a> {
    out: &'a mut Vec<u8>,
    /// Whether the next thing needs no comma before it.
    first: bool,
}

impl<'a> JsonSink<'a> {
    fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, first: true }
    }
    fn comma(&mut self) {
        if !std::mem::replace(&mut self.first, false) {
            self.out.push(b',');
        }
    }
    fn open(&mut self, bracket: u8) {
        self.comma();
        self.out.push(bracket);
        self.first = true;
    }
    fn close(&mut self, bracket: u8) {
        self.out.push(bracket);
        self.first = false;
    }
}

impl Sink for JsonSink<'_> {
    fn begin_object(&mut self) {
        self.open(b'{');
    }
    fn key(&mut self, key: &str) {
        self.comma();
        encode::string(self.out, key);
        self.out.push(b':');
        self.first = true;
    }
    fn end_object(&mut self) {
        self.close(b'}');
    }
    fn begin_list(&mut self) {
        self.open(b'[');
    }
    fn end_list(&mut self) {
        self.close(b']');
    }
    fn null(&mut self) {
        self.comma();
        self.out.extend_from_slice(b"null");
    }
    fn bool(&mut self, v: bool) {
        self.comma();
        encode::bool(self.out, v);
    }
    fn i64(&mut self, v: i64) {
        self.comma();
        encode::i64(self.out, v);
    }
    fn u64(&mut self, v: u64) {
        self.comma();
        encode::u64(self.out, v);
    }
    fn hundredths(&mut self, v: i64) {
        self.comma();
        // Without a fraction where there is none: 90, not 90.00.
        let sign = if v < 0 { "-" } else { "" };
        let text = format!("{sign}{}.{:02}", v.unsigned_abs() / 100, v.unsigned_abs() % 100);
        self.out.extend_from_slice(text.trim_end_matches('0').trim_end_matches('.').as_bytes());
    }
    fn str(&mut self, v: &str) {
        self.comma();
        encode::string(self.out, v);
    }
    fn span(&mut self, ns: i64) {
        self.str(&duration::GoDuration(ns).to_string());
    }
    fn opaque(&mut self, v: &Opaque) {
        self.comma();
        self.out.extend_from_slice(v.as_json_text().as_bytes());
    }
}

/// Name of an entry as clients know it before it is normal: entries of which there is one need none.
pub fn shown_name(entry: &ConfigEntry) -> Str {
    use types::entry::{MESH_NAME, PROXY_DEFAULTS_NAME};
    match entry.kind() {
        EntryKind::Mesh => Str::new_static(MESH_NAME),
        // Whatever it is called, as clients have it.
        EntryKind::ProxyDefaults => Str::new_static(PROXY_DEFAULTS_NAME),
        _ => entry.name.clone(),
    }
}

#[cfg(test)]
mod tests;
