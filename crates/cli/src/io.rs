//! What a command sees of its process: environment and standard streams.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, Read, Write},
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
pub trait Streams {
    /// Reads stdin to its end.
    fn read_stdin(&mut self) -> io::Result<Vec<u8>>;
    /// Reads one line of stdin, for a question to whom sits there.
    fn read_line(&mut self) -> io::Result<String> {
        let all = self.read_stdin()?;
        Ok(String::from_utf8_lossy(&all).lines().next().unwrap_or_default().to_owned())
    }
    /// Writes a result.
    fn write_stdout(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Writes an error or a warning.
    fn write_stderr(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// The process's own streams.
#[derive(Clone, Copy, Default, Debug)]
pub struct StdIo;

impl Streams for StdIo {
    fn read_stdin(&mut self) -> io::Result<Vec<u8>> {
        let mut data = Vec::new();
        io::stdin().lock().read_to_end(&mut data)?;
        Ok(data)
    }
    fn read_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        Ok(line)
    }
    fn write_stdout(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush())
    }
    fn write_stderr(&mut self, bytes: &[u8]) -> io::Result<()> {
        io::stderr().lock().write_all(bytes)
    }
}

/// The streams, as commands use them. A reader that went away is not their concern: the exit code says how they went.
pub(crate) struct Io<'a>(pub(crate) &'a mut dyn Streams);

impl Io<'_> {
    /// Prints a line of output.
    pub(crate) fn say(&mut self, line: impl AsRef<str>) {
        self.put(format!("{}\n", line.as_ref()).as_bytes());
    }

    /// Prints bytes as they are.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        let _ = self.0.write_stdout(bytes);
    }

    /// Prints a line on the error stream.
    pub(crate) fn warn(&mut self, line: impl AsRef<str>) {
        let _ = self.0.write_stderr(format!("{}\n", line.as_ref()).as_bytes());
    }
}
