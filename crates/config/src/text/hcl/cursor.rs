//! Position in an HCL text, and what may stand between tokens.

use crate::text::{SyntaxError, position};

/// A place to come back to for a message.
#[derive(Clone, Copy)]
pub(super) struct Mark(usize);

pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    line: u32,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1 }
    }
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }
    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }
    pub(super) fn line(&self) -> u32 {
        self.line
    }
    pub(super) fn mark(&self) -> Mark {
        Mark(self.at)
    }
    pub(super) fn bump(&mut self) {
        if let Some(ch) = self.peek() {
            self.at += ch.len_utf8();
            if ch == '\n' {
                self.line = self.line.saturating_add(1);
            }
        }
    }
    /// Moves over `n` bytes, which must end at a character.
    pub(super) fn advance(&mut self, n: usize) {
        let part = &self.rest()[..n];
        self.line = self.line.saturating_add(part.bytes().filter(|b| *b == b'\n').count() as u32);
        self.at += n;
    }
    /// Moves over what `keep` accepts and returns it.
    pub(super) fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let n = rest.find(|ch| !keep(ch)).unwrap_or(rest.len());
        self.advance(n);
        &rest[..n]
    }
    /// Moves over white space and comments.
    pub(super) fn skip_blank(&mut self) -> Result<(), SyntaxError> {
        loop {
            self.take_while(|ch| matches!(ch, ' ' | '\t' | '\n' | '\r'));
            let rest = self.rest();
            if rest.starts_with('#') || rest.starts_with("//") {
                self.take_while(|ch| ch != '\n');
            } else if let Some(inside) = rest.strip_prefix("/*") {
                let Some(end) = inside.find("*/") else {
                    return Err(self.error("comment not terminated"));
                };
                self.advance(end + 4);
            } else {
                return Ok(());
            }
        }
    }
    pub(super) fn error(&self, what: &str) -> SyntaxError {
        self.error_at(self.mark(), what)
    }
    pub(super) fn error_at(&self, mark: Mark, what: &str) -> SyntaxError {
        let (line, column) = position(self.text, mark.0);
        SyntaxError { line, column, what: what.to_owned() }
    }
    /// The error that something else stands here than `expected`.
    pub(super) fn unexpected(&self, expected: &str) -> SyntaxError {
        match self.peek() {
            None => self.error(&format!("expected {expected}, got: EOF")),
            Some(ch) => self.error(&format!("expected {expected}, got: {ch:?}")),
        }
    }
}
