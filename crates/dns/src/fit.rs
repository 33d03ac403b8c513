//! Size rules: how many answers a client gets, and writing them so that they fit.

use crate::{
    config::DnsConfig,
    encode::{self, Compressor, Head},
    record::{Data, Draft, Rec, Section},
    request::{Edns, Request, Transport, flag, rtype},
};

/// Smallest datagram that every client takes.
const UDP_PLAIN_BYTES: usize = 512;
/// Largest datagram that we send.
const UDP_BYTES_MAX: usize = 65_467;
const TCP_BYTES_MAX: usize = 65_523;
/// Kept free below each limit.
const HEADROOM_BYTES: usize = 8;
const UDP_ANSWERS_MAX: usize = 8;
const TCP_ANSWERS_MAX: usize = 4096;
const TCP_SRV_ANSWERS_MAX: usize = 1024;

/// What one client may get.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Number of answers.
    pub answers: usize,
    bytes: usize,
}

impl Limits {
    pub fn new(request: &Request<'_>, config: &DnsConfig) -> Self {
        let (answers, bytes) = match request.transport {
            Transport::Udp => {
                let offered = request.edns.as_ref().map_or(0, |e| usize::from(e.udp_size));
                match offered.clamp(UDP_PLAIN_BYTES, UDP_BYTES_MAX) {
                    UDP_PLAIN_BYTES => (config.udp_answer_limit.min(UDP_ANSWERS_MAX), UDP_PLAIN_BYTES),
                    bytes => (usize::MAX, bytes),
                }
            }
            Transport::Tcp if request.qtype == rtype::SRV => (TCP_SRV_ANSWERS_MAX, TCP_BYTES_MAX),
            Transport::Tcp => (TCP_ANSWERS_MAX, TCP_BYTES_MAX),
        };
        Self { answers, bytes: bytes - HEADROOM_BYTES }
    }

    /// How many answers are worth making when each takes at least `record_bytes`.
    pub fn draft_max(&self, record_bytes: usize) -> usize {
        self.answers.min(self.bytes / record_bytes + 1)
    }
}

/// Cuts the draft to the limits and writes it over `out`.
pub(crate) fn write(
    request: &Request<'_>,
    draft: &mut Draft<'_>,
    limits: &Limits,
    config: &DnsConfig,
    names: &mut Compressor,
    out: &mut Vec<u8>,
) {
    let mut flags = request.answer_flags(!config.recursors.is_empty()) | u16::from(draft.rcode);
    if draft.authoritative {
        flags |= flag::AA;
    }
    let mut head = Head {
        id: request.id,
        flags,
        question: request.question,
        name: request.name,
        compress: !config.disable_compression,
    };
    let scoped = request.edns.as_ref().filter(|_| draft.scoped).map(Edns::scoped);
    let mut edns = scoped.as_ref().or(request.edns.as_ref()).filter(|_| !draft.no_edns);
    let mut by_number = false;
    if !draft.untrimmed && draft.total > limits.answers {
        by_number = true;
        draft.answers.truncate(limits.answers);
        if !draft.additional.is_empty() || edns.is_some() {
            draft.additional = first_extras(&draft.answers, &draft.additional, request.name);
            edns = None;
        }
    }
    let removed = |kept: usize| config.enable_truncate && kept < draft.total;
    if removed(draft.answers.len()) {
        head.flags |= flag::TC;
    }
    let fits =
        |head: &Head<'_>, sections: [&[Rec<'_>]; 3], edns, out: &mut Vec<u8>, names: &mut Compressor| {
            encode::write(head, sections, edns, out, names);
            let len = if by_number { encode::plain_len(head, sections, edns) } else { out.len() };
            len <= limits.bytes
        };
    let sections = [&draft.answers[..], &draft.authority, &draft.additional];
    if fits(&head, sections, edns, out, names) || draft.untrimmed || draft.answers.len() <= 1 {
        return;
    }
    if !draft.authority.is_empty() && fits(&head, [&draft.answers, &[], &draft.additional], edns, out, names)
    {
        return;
    }
    // Find the largest number of answers that fits; one is kept whatever its size.
    let had_extras = !draft.additional.is_empty() || edns.is_some();
    if config.enable_truncate {
        head.flags |= flag::TC;
    }
    let (mut low, mut high) = (1, draft.answers.len() - 1);
    let mut written = 0;
    while written != low || low != high {
        let n = if low == high { low } else { low + (high - low).div_ceil(2) };
        let answers = &draft.answers[..n];
        let extras = first_extras(answers, &draft.additional, request.name);
        let edns = if had_extras { None } else { edns };
        let good = fits(&head, [answers, &[], &extras], edns, out, names);
        written = n;
        if low == high {
            break;
        }
        if good { low = n } else { high = n - 1 }
    }
}

/// For each target that is left its first record, following aliases.
fn first_extras<'a>(answers: &[Rec<'a>], extras: &[Rec<'a>], question: &[u8]) -> Section<'a> {
    let mut out = Section::new();
    for answer in answers {
        let Data::Srv { target, extra, .. } = answer.data else { continue };
        let mut wanted = target;
        for rec in extras.get(extra as usize..).unwrap_or_default() {
            if !rec.owner.same(&wanted, question) {
                break;
            }
            out.push(*rec);
            match rec.data {
                Data::Cname(next) => wanted = next,
                _ => break,
            }
        }
    }
    out
}
