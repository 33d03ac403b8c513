//! From a plan or a view to the bytes of an answer.

use crate::{
    config::{DnsConfig, Zone, seconds},
    encode::Compressor,
    fit,
    name::Name,
    pick::Draw,
    plan::Plan,
    record::{Data, Draft, NameRef, OwnedData, OwnedRecord, Rec, SoaData},
    request::{Request, rcode, rtype},
    service,
    view::{NodeView, ServerView, View},
};
use std::collections::HashMap;

/// Servers named in an NS answer.
const NAME_SERVERS_MAX: usize = 3;

/// Records found for host names, by name.
pub type Chased = HashMap<Name, Vec<OwnedRecord>>;

/// What an answer depends on besides question and rows.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Our domains.
    pub zone: &'a Zone,
    /// Settings.
    pub config: &'a DnsConfig,
    /// Unix seconds: serial number of the SOA.
    pub now: u32,
    /// Decides every random choice; the same seed gives the same answer.
    pub seed: u64,
    /// Host names that were looked up; `None`: none were, ask for them.
    pub chased: Option<&'a Chased>,
}

/// What answers a question.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// The plan itself (anything but a lookup or a forward).
    Plan(&'a Plan),
    /// The catalog's rows.
    View(&'a View),
    /// Nothing: `SERVFAIL`.
    Failure,
}

/// Whether there is an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The message was written.
    Written,
    /// These host names must be looked up first; then ask again with [`Context::chased`].
    Chase(Vec<Name>),
}

/// Writes the answer over `out`.
pub fn answer(
    request: &Request<'_>,
    source: Source<'_>,
    ctx: &Context<'_>,
    names: &mut Compressor,
    out: &mut Vec<u8>,
) -> Outcome {
    let lowered = lowered_owner(request, source, ctx.zone);
    let limits = fit::Limits::new(request, ctx.config);
    let mut hosts = Vec::new();
    let mut draft = draft(request, source, ctx, lowered.as_ref(), &limits, &mut hosts);
    if ctx.chased.is_none() && !hosts.is_empty() {
        return Outcome::Chase(hosts);
    }
    fit::write(request, &mut draft, &limits, ctx.config, names, out);
    Outcome::Written
}

/// The answer section of `name ANY`, each record with its own name: what an alias into our domain leads to.
/// A further host name to chase is the last alias in the list.
pub fn chased_records(name: &Name, source: Source<'_>, ctx: &Context<'_>) -> Vec<OwnedRecord> {
    let request = Request::internal(name.wire(), rtype::ANY);
    let lowered = lowered_owner(&request, source, ctx.zone);
    let limits = fit::Limits::new(&request, ctx.config);
    let none = Chased::new();
    let ctx = Context { chased: Some(ctx.chased.unwrap_or(&none)), ..*ctx };
    let draft = draft(&request, source, &ctx, lowered.as_ref(), &limits, &mut Vec::new());
    let own = |n: NameRef<'_>| n.to_name(name.wire());
    draft
        .answers
        .iter()
        .filter_map(|rec| {
            let data = match rec.data {
                Data::A(ip) => OwnedData::Address(ip.into()),
                Data::Aaaa(ip) => OwnedData::Address(ip.into()),
                Data::Cname(target) => OwnedData::Cname(own(target)),
                Data::Txt(txt) => OwnedData::Txt(txt.into()),
                _ => return None,
            };
            Some(OwnedRecord { owner: own(rec.owner), ttl: rec.ttl, data })
        })
        .collect()
}

/// Owner of `virtual` and `addr` answers: what is left of the domain in lower case.
fn lowered_owner(request: &Request<'_>, source: Source<'_>, zone: &Zone) -> Option<Name> {
    if !matches!(source, Source::Plan(Plan::Address(_)) | Source::View(View::Virtual(Some(_)))) {
        return None;
    }
    let start = zone.domain_start(request.name)?;
    let mut wire = request.name.to_vec();
    wire[..start].make_ascii_lowercase();
    Some(Name::from_wire(&wire))
}

fn draft<'a>(
    request: &'a Request<'_>,
    source: Source<'a>,
    ctx: &Context<'a>,
    lowered: Option<&'a Name>,
    limits: &fit::Limits,
    hosts: &mut Vec<Name>,
) -> Draft<'a> {
    let mut draft = Draft { authoritative: true, ..Draft::default() };
    let node_ttl = seconds(ctx.config.node_ttl);
    let lowered = lowered.map_or(NameRef::Question, NameRef::whole);
    match source {
        Source::Failure | Source::View(View::Failed) => draft.rcode = rcode::SERVFAIL,
        Source::Plan(Plan::NotImplemented) => draft.rcode = rcode::NOTIMP,
        Source::Plan(Plan::Refused) => {
            draft.rcode = rcode::REFUSED;
            draft.authoritative = false;
            draft.no_edns = true;
        }
        Source::Plan(Plan::Empty) | Source::View(View::Virtual(None)) => {}
        // A forwarded question is answered from here only if no recursor did.
        Source::Plan(Plan::Forward) => {
            draft.rcode = rcode::SERVFAIL;
            draft.authoritative = false;
        }
        Source::Plan(Plan::NxDomain | Plan::Lookup(_))
        | Source::View(View::NotFound | View::Reverse(None)) => {
            draft.rcode = rcode::NXDOMAIN;
            draft.authority.push(soa(request, ctx));
        }
        Source::Plan(Plan::Address(ip)) => {
            let rec = Rec { owner: lowered, ttl: node_ttl, data: Data::address(*ip) };
            if request.qtype == rec.data.rtype() || request.qtype == rtype::ANY {
                draft.answers.push(rec);
            } else {
                draft.additional.push(rec);
            }
        }
        Source::View(View::Virtual(Some(ip))) => {
            draft.answers.push(Rec { owner: lowered, ttl: node_ttl, data: Data::A(*ip) });
        }
        Source::View(View::Reverse(Some(name))) => {
            draft.answers.push(Rec {
                owner: NameRef::Question,
                ttl: 0,
                data: Data::Ptr(NameRef::whole(name)),
            });
            if request.qtype == rtype::SOA {
                draft.authority.push(soa(request, ctx));
            }
            draft.untrimmed = true;
        }
        Source::View(View::Node(node)) => node_answer(request, node, ctx, node_ttl, &mut draft, hosts),
        Source::View(View::Service(view)) => {
            service::answer(request, view, ctx, limits, &mut draft, hosts);
            if draft.answers.is_empty() {
                draft.authority.push(soa(request, ctx));
            }
        }
        Source::View(View::Servers(servers)) => zone_answer(request, servers, ctx, node_ttl, &mut draft),
    }
    draft.total = draft.total.max(draft.answers.len());
    draft
}

/// The SOA: of the other domain only if the question lies below it and is written in lower case.
fn soa<'a>(request: &Request<'_>, ctx: &Context<'a>) -> Rec<'a> {
    let alt = ctx.zone.alt_domain.as_ref().filter(|alt| {
        let (name, alt) = (request.name, alt.wire());
        name.len() > alt.len()
            && name.ends_with(alt)
            && ctx.zone.domain_start(name) == Some(name.len() - alt.len())
    });
    let domain = alt.unwrap_or(&ctx.zone.domain);
    let data = Data::Soa(SoaData { domain, serial: ctx.now, config: ctx.config.soa });
    Rec { owner: NameRef::whole(domain), ttl: ctx.config.soa.min_ttl, data }
}

fn node_answer<'a>(
    request: &Request<'_>,
    node: &'a NodeView,
    ctx: &Context<'a>,
    ttl: u32,
    draft: &mut Draft<'a>,
    hosts: &mut Vec<Name>,
) {
    let owner = NameRef::Question;
    let txt = |i: usize| Rec { owner, ttl, data: Data::Txt(&node.txt[i]) };
    if request.qtype == rtype::TXT {
        draft.answers.extend((0..node.txt.len()).map(txt));
        return;
    }
    let address = service::for_type(&node.choice, request.qtype);
    if let Some(ip) = address {
        draft.answers.push(Rec { owner, ttl, data: Data::address(ip) });
    } else if let Some(host) = &node.choice.host {
        draft.answers.push(Rec { owner, ttl, data: Data::Cname(NameRef::whole(host)) });
        match ctx.chased {
            None => hosts.push(host.clone()),
            Some(found) => {
                draft.answers.extend(found.get(host).into_iter().flatten().map(|r| r.borrow(None)));
            }
        }
    }
    if request.qtype == rtype::ANY {
        draft.answers.extend(Draw::new(node.txt.len(), ctx.seed).map(txt));
    } else if ctx.config.enable_additional_node_meta_txt {
        draft.additional.extend((0..node.txt.len()).map(txt));
    }
}

/// NS and SOA questions, which are answered for any name below the domain.
fn zone_answer<'a>(
    request: &'a Request<'_>,
    servers: &'a [ServerView],
    ctx: &Context<'a>,
    ttl: u32,
    draft: &mut Draft<'a>,
) {
    let Some(start) = ctx.zone.domain_start(request.name) else { return };
    let as_sent = &request.name[start..];
    let lower = match &ctx.zone.alt_domain {
        Some(alt) if alt.wire().eq_ignore_ascii_case(as_sent) => alt,
        _ => &ctx.zone.domain,
    };
    let name_servers = if request.qtype == rtype::SOA {
        draft.answers.push(soa(request, ctx));
        &mut draft.authority
    } else {
        &mut draft.answers
    };
    for i in Draw::new(servers.len(), ctx.seed).take(NAME_SERVERS_MAX) {
        let target = NameRef::Split(&servers[i].prefix, lower.wire());
        name_servers.push(Rec { owner: NameRef::Split(&[], as_sent), ttl, data: Data::Ns(target) });
        if let Some(ip) = servers[i].address {
            draft.additional.push(Rec { owner: target, ttl, data: Data::address(ip) });
        }
    }
}
