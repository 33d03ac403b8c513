//! Objects and arrays without an intermediate value.

use super::text::string;

/// A literal key with its quotes and colon: `key!("ID")` is `"ID":`.
macro_rules! key {
    ($name:literal) => {
        concat!("\"", $name, "\":").as_bytes()
    };
}
pub(super) use key;

/// Appends a number.
pub fn u64(out: &mut Vec<u8>, v: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(v).as_bytes());
}

/// Appends a number.
pub fn i64(out: &mut Vec<u8>, v: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(v).as_bytes());
}

/// Appends `true` or `false`.
pub fn bool(out: &mut Vec<u8>, v: bool) {
    out.extend_from_slice(if v { b"true" } else { b"false" });
}

/// An object being written; `close` it.
#[must_use = "an object that is not closed is not JSON"]
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    /// Begins an object.
    pub fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    fn comma(&mut self) {
        if !std::mem::replace(&mut self.empty, false) {
            self.out.push(b',');
        }
    }

    /// Writes a key made by `key!` and hands out the place of its value.
    #[inline]
    pub(super) fn value(&mut self, key: &[u8]) -> &mut Vec<u8> {
        self.comma();
        self.out.extend_from_slice(key);
        self.out
    }

    /// Writes any key and hands out the place of its value.
    pub fn dynamic(&mut self, key: &str) -> &mut Vec<u8> {
        self.comma();
        string(self.out, key);
        self.out.push(b':');
        self.out
    }

    #[inline]
    pub(super) fn str(&mut self, key: &[u8], v: &str) {
        string(self.value(key), v);
    }
    #[inline]
    pub(super) fn u64(&mut self, key: &[u8], v: u64) {
        u64(self.value(key), v);
    }
    #[inline]
    pub(super) fn i64(&mut self, key: &[u8], v: i64) {
        i64(self.value(key), v);
    }
    #[inline]
    pub(super) fn bool(&mut self, key: &[u8], v: bool) {
        bool(self.value(key), v);
    }
    /// Omits `""`.
    #[inline]
    pub(super) fn str_omit(&mut self, key: &[u8], v: &str) {
        if !v.is_empty() {
            self.str(key, v);
        }
    }
    /// Omits 0.
    #[inline]
    pub(super) fn i64_omit(&mut self, key: &[u8], v: i64) {
        if v != 0 {
            self.i64(key, v);
        }
    }
    /// Omits `false`.
    #[inline]
    pub(super) fn bool_omit(&mut self, key: &[u8], v: bool) {
        if v {
            self.bool(key, v);
        }
    }
    /// `CreateIndex` and `ModifyIndex`.
    pub(super) fn index(&mut self, index: types::record::RaftIndex) {
        self.u64(key!("CreateIndex"), index.create);
        self.u64(key!("ModifyIndex"), index.modify);
    }

    /// Ends the object.
    pub fn close(self) {
        self.out.push(b'}');
    }
}

/// An array being written; `close` it.
#[must_use = "an array that is not closed is not JSON"]
pub struct Array<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Array<'a> {
    /// Begins an array.
    pub fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'[');
        Self { out, empty: true }
    }
    /// The place of the next element.
    pub fn item(&mut self) -> &mut Vec<u8> {
        if !std::mem::replace(&mut self.empty, false) {
            self.out.push(b',');
        }
        self.out
    }
    /// Ends the array.
    pub fn close(self) {
        self.out.push(b']');
    }
}
