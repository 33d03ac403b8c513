//! DNS messages, read and written without the library that the program itself uses.

use super::case::Question;
use anyhow::{Context, Result, bail};
use std::net::{Ipv4Addr, Ipv6Addr};

const TYPES: [(&str, u16); 14] = [
    ("A", 1),
    ("NS", 2),
    ("CNAME", 5),
    ("SOA", 6),
    ("PTR", 12),
    ("MX", 15),
    ("TXT", 16),
    ("AAAA", 28),
    ("SRV", 33),
    ("OPT", 41),
    ("CAA", 257),
    ("HTTPS", 65),
    ("AXFR", 252),
    ("ANY", 255),
];
const CODES: [&str; 6] = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];
const FLAGS: [(&str, u16); 7] = [
    ("qr", 0x8000),
    ("aa", 0x0400),
    ("tc", 0x0200),
    ("rd", 0x0100),
    ("ra", 0x0080),
    ("ad", 0x0020),
    ("cd", 0x0010),
];
const OPT: u16 = 41;
const CLIENT_SUBNET: u16 = 8;

/// An answer; records as `name ttl class type data`.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) id: u16,
    pub(super) code: String,
    pub(super) flags: Vec<&'static str>,
    pub(super) answer: Vec<String>,
    pub(super) authority: Vec<String>,
    pub(super) additional: Vec<String>,
    /// Size offered by the sender.
    pub(super) edns: Option<u16>,
    /// In hexadecimal.
    pub(super) edns_options: String,
    pub(super) size: usize,
}

fn push(out: &mut Vec<u8>, numbers: &[u16]) {
    for n in numbers {
        out.extend(n.to_be_bytes());
    }
}

/// The bytes of a question.
pub(super) fn encode(q: &Question, id: u16) -> Result<Vec<u8>> {
    let default = ["rd".to_owned()];
    let mut flags = (q.opcode & 15) << 11;
    for flag in q.flags.as_deref().unwrap_or(&default) {
        flags |= FLAGS.iter().find(|(n, _)| n == flag).with_context(|| format!("flag {flag}"))?.1;
    }
    let names: Vec<&str> = match &q.name {
        serde_json::Value::Array(l) => l.iter().filter_map(|n| n.as_str()).collect(),
        one => one.as_str().into_iter().collect(),
    };
    let kind = TYPES.iter().find(|(n, _)| *n == q.kind).with_context(|| format!("type {}", q.kind))?.1;
    let mut out = Vec::new();
    push(&mut out, &[id, flags, u16::try_from(names.len())?, 0, 0, q.edns.is_some().into()]);
    for name in names {
        for label in name.split('.').filter(|l| !l.is_empty()) {
            // Characters stand for bytes.
            let bytes =
                label.chars().map(|c| u8::try_from(c).map_err(Into::into)).collect::<Result<Vec<u8>>>()?;
            out.push(u8::try_from(bytes.len())?);
            out.extend(bytes);
        }
        out.push(0);
        push(&mut out, &[kind, q.class]);
    }
    if let Some(size) = q.edns {
        let mut option = Vec::new();
        if let Some((ip, bits)) = q.subnet.as_deref().and_then(|s| s.split_once('/')) {
            let (ip, bits): (Ipv4Addr, u8) = (ip.parse()?, bits.parse()?);
            let bytes = usize::from(bits).div_ceil(8);
            push(&mut option, &[CLIENT_SUBNET, u16::try_from(4 + bytes)?, 1]);
            option.extend([bits, 0]);
            option.extend(&ip.octets()[..bytes]);
        }
        out.push(0);
        push(&mut out, &[OPT, size, 0, 0, u16::try_from(option.len())?]);
        out.extend(option);
    }
    Ok(out)
}

struct Reader<'a> {
    all: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8> {
        let byte = *self.all.get(self.at).context("the message is cut off")?;
        self.at += 1;
        Ok(byte)
    }
    fn short(&mut self) -> Result<u16> {
        Ok(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }
    fn long(&mut self) -> Result<u32> {
        Ok(u32::from(self.short()?) << 16 | u32::from(self.short()?))
    }
    fn bytes(&mut self, n: usize) -> Result<Vec<u8>> {
        (0..n).map(|_| self.byte()).collect()
    }
    fn name(&mut self) -> Result<String> {
        let (mut out, mut back, mut hops) = (String::new(), None, 0);
        loop {
            let n = self.byte()?;
            if n & 0xc0 == 0xc0 {
                let low = self.byte()?;
                back.get_or_insert(self.at);
                self.at = usize::from(u16::from_be_bytes([n & 0x3f, low]));
                hops += 1;
                if hops > 100 {
                    bail!("a name points in circles");
                }
            } else if n == 0 {
                break;
            } else {
                out.extend(self.bytes(n.into())?.into_iter().map(char::from));
                out.push('.');
            }
        }
        if let Some(back) = back {
            self.at = back;
        }
        Ok(if out.is_empty() { ".".to_owned() } else { out })
    }

    /// A record as text; the pseudo-record goes to `message`.
    fn record(&mut self, message: &mut Message) -> Result<Option<String>> {
        let name = self.name()?;
        let (kind, class, ttl) = (self.short()?, self.short()?, self.long()?);
        let length = usize::from(self.short()?);
        let (start, end) = (self.at, self.at + length);
        if kind == OPT {
            message.edns = Some(class);
            message.edns_options = hex(&self.bytes(length)?);
            return Ok(None);
        }
        let kind = TYPES
            .iter()
            .find(|(_, n)| *n == kind)
            .map_or_else(|| format!("TYPE{kind}"), |(n, _)| (*n).into());
        let data = self.data(&kind, length).with_context(|| format!("{kind} at {start}"))?;
        if self.at != end {
            bail!("{kind} at {start}: {length} bytes announced, {} used", self.at - start);
        }
        let class = match class {
            1 => "IN".to_owned(),
            255 => "ANY".to_owned(),
            other => format!("CLASS{other}"),
        };
        Ok(Some(format!("{name} {ttl} {class} {kind} {data}")))
    }

    fn data(&mut self, kind: &str, length: usize) -> Result<String> {
        Ok(match kind {
            "A" => Ipv4Addr::from(self.long()?).to_string(),
            "AAAA" => {
                let bytes: [u8; 16] = self.bytes(16)?.try_into().ok().context("16 bytes")?;
                Ipv6Addr::from(bytes).to_string()
            }
            "NS" | "CNAME" | "PTR" => self.name()?,
            "SRV" => format!("{} {} {} {}", self.short()?, self.short()?, self.short()?, self.name()?),
            "MX" => format!("{} {}", self.short()?, self.name()?),
            "SOA" => {
                let mut out = format!("{} {}", self.name()?, self.name()?);
                for _ in 0..5 {
                    out += &format!(" {}", self.long()?);
                }
                out
            }
            "TXT" => {
                let (end, mut parts) = (self.at + length, Vec::new());
                while self.at < end {
                    let n = self.byte()?;
                    let text = self.bytes(n.into())?;
                    parts.push(serde_json::Value::from(String::from_utf8_lossy(&text)).to_string());
                }
                parts.join(" ")
            }
            _ => format!("\\# {}", hex(&self.bytes(length)?)),
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Reads an answer.
pub(super) fn decode(bytes: &[u8]) -> Result<Message> {
    let mut input = Reader { all: bytes, at: 0 };
    let (id, bits) = (input.short()?, input.short()?);
    let [questions, answers, authorities, additionals] =
        [input.short()?, input.short()?, input.short()?, input.short()?];
    for _ in 0..questions {
        input.name()?;
        input.long()?;
    }
    let code = usize::from(bits & 15);
    let mut out = Message {
        id,
        code: CODES.get(code).map_or_else(|| code.to_string(), |c| (*c).to_owned()),
        flags: FLAGS.iter().filter(|(_, b)| bits & b != 0).map(|(n, _)| *n).collect(),
        size: bytes.len(),
        ..Message::default()
    };
    let mut section = |n: u16, out: &mut Message| -> Result<Vec<String>> {
        let mut rows = Vec::new();
        for _ in 0..n {
            rows.extend(input.record(out)?);
        }
        Ok(rows)
    };
    out.answer = section(answers, &mut out)?;
    out.authority = section(authorities, &mut out)?;
    out.additional = section(additionals, &mut out)?;
    Ok(out)
}
