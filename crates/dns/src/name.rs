//! Domain names in wire form.

use smallvec::SmallVec;
use std::fmt;

/// Longest name on the wire, bytes, with the root label.
pub const NAME_BYTES_MAX: usize = 255;
/// Longest label, bytes.
pub const LABEL_BYTES_MAX: usize = 63;

/// A complete name as length-prefixed labels with the root label at the end. Letter case is kept.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name(SmallVec<[u8; 48]>);

impl Name {
    /// The root name.
    pub fn root() -> Self {
        Self(SmallVec::from_slice(&[0]))
    }

    /// From text, with or without the final dot; no escapes, so every byte but the dot stands for itself.
    /// `None` when a label is empty or too long, or the name is too long.
    pub fn from_text(text: &str) -> Option<Self> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Some(Self::root());
        }
        let mut wire = SmallVec::new();
        for label in text.split('.') {
            push_label(&mut wire, label.as_bytes())?;
        }
        wire.push(0);
        (wire.len() <= NAME_BYTES_MAX).then_some(Self(wire))
    }

    /// From labels, left to right. `None` when one is empty or too long, or the name is.
    pub fn from_labels<'a>(labels: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut wire = SmallVec::new();
        for label in labels {
            push_label(&mut wire, label)?;
        }
        wire.push(0);
        (wire.len() <= NAME_BYTES_MAX).then_some(Self(wire))
    }

    /// From checked wire bytes.
    pub(crate) fn from_wire(wire: &[u8]) -> Self {
        debug_assert!(wire.last() == Some(&0));
        Self(SmallVec::from_slice(wire))
    }

    /// Bytes of the wire form.
    pub fn wire(&self) -> &[u8] {
        &self.0
    }

    /// Labels from left to right.
    pub fn labels(&self) -> Labels<'_> {
        Labels(&self.0)
    }
}

fn push_label(wire: &mut SmallVec<[u8; 48]>, label: &[u8]) -> Option<()> {
    if label.is_empty() || label.len() > LABEL_BYTES_MAX {
        return None;
    }
    wire.push(label.len() as u8);
    wire.extend_from_slice(label);
    Some(())
}

/// Iterator over the labels of a wire name.
#[derive(Clone, Debug)]
pub struct Labels<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];
    fn next(&mut self) -> Option<&'a [u8]> {
        let (&len, rest) = self.0.split_first()?;
        if len == 0 || usize::from(len) > rest.len() {
            return None;
        }
        let (label, rest) = rest.split_at(usize::from(len));
        self.0 = rest;
        Some(label)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut any = false;
        for label in self.labels() {
            any = true;
            for &b in label {
                match b {
                    b'.' | b'\\' => write!(f, "\\{}", b as char)?,
                    b'!'..=b'~' => write!(f, "{}", b as char)?,
                    _ => write!(f, "\\{b:03}")?,
                }
            }
            f.write_str(".")?;
        }
        if any { Ok(()) } else { f.write_str(".") }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
