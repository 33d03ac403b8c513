//! One DNS line: asked and judged.

use super::{
    Diff, Vars,
    case::{Case, Question},
    pattern::{fill_value, text_fits},
    wire::{Message, decode, encode},
};
use anyhow::{Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

const LIMIT: Duration = Duration::from_secs(20);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    rcode: String,
    flags: Vec<String>,
    #[serde(default)]
    answer: Records,
    #[serde(default)]
    authority: Records,
    #[serde(default)]
    additional: Records,
    #[serde(default)]
    edns: Option<u16>,
    #[serde(default)]
    edns_options: Option<String>,
    #[serde(default)]
    max_size: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Records {
    /// These, in any order.
    All(Vec<String>),
    /// So many out of these.
    Some { count: usize, of: Vec<String> },
    /// `<any>`.
    Any(String),
}

impl Default for Records {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

/// Asks a line's question and tells what differs.
pub(super) fn question(dns: SocketAddr, case: &Case, question: &Question, vars: &Vars) -> Vec<Diff> {
    let judged = || -> Result<Vec<Diff>> {
        let expect = Expect::deserialize(&case.expect)?;
        let question = Question { name: fill_value(&question.name, vars), ..question.clone() };
        Ok(judge(&expect, &ask(dns, &question)?, vars))
    };
    judged().unwrap_or_else(|e| vec![Diff::text("answer", "a reply", format!("{e:#}"))])
}

fn ask(dns: SocketAddr, question: &Question) -> Result<Message> {
    let id = rand::random();
    let query = encode(question, id)?;
    let mut reply = vec![0; 1 << 16];
    if question.proto == "tcp" {
        let mut stream = TcpStream::connect_timeout(&dns, LIMIT)?;
        stream.set_read_timeout(Some(LIMIT))?;
        let mut framed = u16::try_from(query.len())?.to_be_bytes().to_vec();
        framed.extend(query);
        stream.write_all(&framed)?;
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        reply.truncate(u16::from_be_bytes(length).into());
        stream.read_exact(&mut reply)?;
    } else {
        let socket = UdpSocket::bind(("127.0.0.1", 0))?;
        socket.set_read_timeout(Some(LIMIT))?;
        socket.connect(dns)?;
        socket.send(&query)?;
        let n = socket.recv(&mut reply)?;
        reply.truncate(n);
    }
    let message = decode(&reply)?;
    if message.id != id {
        bail!("an answer with a foreign id");
    }
    Ok(message)
}

fn judge(expect: &Expect, got: &Message, vars: &Vars) -> Vec<Diff> {
    let mut out = Vec::new();
    let mut same = |what: &str, expected: Value, got: Value| {
        if expected != got {
            out.push(Diff::text(what, expected, got));
        }
    };
    same("rcode", json!(expect.rcode), json!(got.code));
    same("flags", json!(expect.flags), json!(got.flags));
    same("edns", json!(expect.edns), json!(got.edns));
    if let Some(options) = &expect.edns_options {
        same("edns_options", json!(options), json!(got.edns_options));
    }
    if let Some(most) = expect.max_size
        && got.size > most
    {
        out.push(Diff::text("size", format!("<= {most}"), got.size));
    }
    let sections = [
        ("answer", &expect.answer, &got.answer),
        ("authority", &expect.authority, &got.authority),
        ("additional", &expect.additional, &got.additional),
    ];
    for (name, expected, got) in sections {
        out.extend(records(name, expected, got, vars));
    }
    out
}

fn records(section: &str, expected: &Records, got: &[String], vars: &Vars) -> Vec<Diff> {
    let mut out = Vec::new();
    match expected {
        Records::Any(word) if word == "<any>" => {}
        Records::Any(word) => out.push(Diff::new(section, Some(&json!(word)), Some(&json!(got)))),
        Records::Some { count, of } => {
            if got.len() != *count {
                out.push(Diff::text(format!("{section} count"), *count, got.len()));
            }
            let mut pool: Vec<&String> = of.iter().collect();
            for record in got {
                match pool.iter().position(|p| text_fits(p, record, vars)) {
                    Some(at) => _ = pool.remove(at),
                    None => {
                        let known = format!("one of {} known records", of.len());
                        out.push(Diff::text(section, known, record.as_str()));
                    }
                }
            }
        }
        Records::All(wanted) => {
            let mut rest: Vec<&String> = got.iter().collect();
            for want in wanted {
                match rest.iter().position(|r| text_fits(want, r, vars)) {
                    Some(at) => _ = rest.remove(at),
                    None => out.push(Diff::new(section, Some(&json!(want)), None)),
                }
            }
            out.extend(rest.into_iter().map(|r| Diff::new(section, None, Some(&json!(r)))));
        }
    }
    out
}
