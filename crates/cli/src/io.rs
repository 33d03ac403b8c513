//! What a command sees of its process: environment and standard streams.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
};

/// Environment variables, read once.
#[derive(Clone, Default)]
pub struct Env(BTreeMap<String, String>);

impl std::fmt::Debug for Env {
    /// Names alone: values may be tokens.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Env {
    /// The process's own.
    pub fn from_process() -> Self {
        let text = |s: std::ffi::OsString| s.to_string_lossy().into_owned();
        Self(std::env::vars_os().map(|(k, v)| (text(k), text(v))).collect())
    }

    /// The value of `name` unless unset or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Env {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(vars: T) -> Self {
        Self(vars.into_iter().map(|(k, v)| (k.into(), v.into())).collect())
    }
}

/// The standard streams.
#[expect(missing_debug_implementations, reason = "streams have nothing to show")]
pub struct Io<'a> {
    /// Read by `-` arguments.
    pub stdin: &'a mut dyn Read,
    /// Results.
    pub stdout: &'a mut dyn Write,
    /// Errors and warnings.
    pub stderr: &'a mut dyn Write,
}

impl Io<'_> {
    /// Prints a line of output. A reader that went away is not our concern: the exit code says how the command went.
    pub(crate) fn say(&mut self, line: impl AsRef<str>) {
        self.put(line.as_ref().as_bytes());
        self.put(b"\n");
    }

    /// Prints bytes as they are.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        let _ = self.stdout.write_all(bytes).and_then(|()| self.stdout.flush());
    }

    /// Prints a line on the error stream.
    pub(crate) fn warn(&mut self, line: impl AsRef<str>) {
        let _ = writeln!(self.stderr, "{}", line.as_ref()).and_then(|()| self.stderr.flush());
    }
}
