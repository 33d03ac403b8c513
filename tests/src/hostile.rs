//! Decoders of bytes from outside, each as a function that must neither panic nor hang, whatever it is given. `fuzz/` drives
//! them with libFuzzer; the corpus runs as an ordinary test.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::{collections::BTreeMap, time::Duration};
use types::{command::Proposal, record::CheckServiceNode};

/// What a target does with an input.
pub type Target = fn(&[u8]);

/// Name of the target, which is also its folder in `fuzz/corpus`, and what it does with an input.
pub const TARGETS: &[(&str, Target)] = &[
    ("dns_question", dns_question),
    ("hcl", hcl),
    ("json_config", json_config),
    ("filter", filter_expression),
    ("http_register", http_register),
    ("http_service", http_service),
    ("config_entry", config_entry),
    ("rpc_frame", rpc_frame),
    ("log_entry", log_entry),
    ("snapshot", snapshot),
    ("gossip_packet", gossip_packet),
    ("gossip_stream", gossip_stream),
    ("tls_preface", tls_preface),
    ("wan_packets", wan_packets),
    ("csr", csr),
];

/// Runs the target `name`.
///
/// # Panics
/// When there is no such target, or the target found a bug.
pub fn run(name: &str, input: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(n, _)| *n == name).expect("known target");
    target(input);
}

/// A request to sign, as PEM and as what is inside of it.
fn csr(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let _ = connect_ca::Csr::parse(&text);
    let _ = connect_ca::Csr::parse(&connect_ca::pem("CERTIFICATE REQUEST", input));
    let _ = connect_ca::CertFacts::read(input);
    let _ = connect_ca::verify_chain(&text, [&*text], 0);
    let _ = connect_ca::SpiffeId::parse(&text);
}

fn dns_question(input: &[u8]) {
    for transport in [dns::Transport::Udp, dns::Transport::Tcp] {
        let _ = dns::parse(input, transport);
    }
}

/// A member of an unencrypted pool, where damage is not stopped by the seal.
fn member() -> gossip::Core {
    let config = gossip::CoreConfig {
        name: "n1".into(),
        addr: ([10, 0, 0, 1], 8301).into(),
        bump: 5,
        label: "l".into(),
        tags: BTreeMap::new(),
        timing: gossip::Timing::lan(),
        keyring: None,
        verify_incoming: true,
        verify_outgoing: true,
        reconnect_timeout: Duration::from_secs(60),
        tombstone_timeout: Duration::from_secs(60),
        coordinates: true,
    };
    gossip::Core::new(config, Duration::ZERO, ChaCha8Rng::seed_from_u64(1)).expect("a member")
}

/// Whatever comes, the member knows itself and goes on.
fn gossip_packet(input: &[u8]) {
    let mut core = member();
    core.handle_datagram(Duration::from_secs(1), ([10, 0, 0, 2], 8301).into(), input);
    core.handle_timers(Duration::from_secs(2));
    while core.poll_output().is_some() {}
    assert!(core.members().iter().any(|m| m.name == "n1"), "it is still a member");
}

fn gossip_stream(input: &[u8]) {
    let mut core = member();
    let now = Duration::from_secs(1);
    let _ = core.handle_request(now, input);
    let _ = core.sync_answered(now, input);
    let _ = core.keyring_answered(input);
    let _ = core.ping_answered(now, 1, input);
    while core.poll_output().is_some() {}
    assert!(core.members().iter().any(|m| m.name == "n1"), "it is still a member");
}

/// Whole and byte by byte the same packets come out, and what comes out goes in again.
fn wan_packets(input: &[u8]) {
    use federation::packets::{Frame, PACKET_BYTES_MAX, put, take};
    let read = |step: usize| {
        let (mut buf, mut frames) = (bytes::BytesMut::new(), Vec::new());
        for piece in input.chunks(step) {
            buf.extend_from_slice(piece);
            loop {
                match take(&mut buf) {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => break,
                    Err(_) => return (frames, false),
                }
            }
            assert!(buf.len() < PACKET_BYTES_MAX + 4 + step, "nothing piles up");
        }
        (frames, true)
    };
    let whole = read(input.len().max(1));
    assert_eq!(whole, read(1), "pieces make no difference");
    let mut again = bytes::BytesMut::new();
    let packets = |frames: &[Frame]| {
        frames.iter().filter(|f| matches!(f, Frame::Packet(_))).cloned().collect::<Vec<_>>()
    };
    for frame in &whole.0 {
        if let Frame::Packet(packet) = frame {
            put(&mut again, packet);
        }
    }
    let mut back = Vec::new();
    while let Ok(Some(frame)) = take(&mut again) {
        back.push(frame);
    }
    assert_eq!(back, packets(&whole.0));
}

/// Whole, in pieces and byte by byte the answer is the same, and the bytes go on as they came.
fn tls_preface(input: &[u8]) {
    let read = |step: usize| {
        let mut peek = gateway::hello::Peek::new();
        for piece in input.chunks(step) {
            match peek.push(piece) {
                Ok(None) => assert!(input.starts_with(peek.wire()), "bytes go on as they came"),
                Ok(Some(hello)) => return Some(Ok(hello)),
                Err(e) => return Some(Err(e)),
            }
        }
        None
    };
    let whole = read(input.len().max(1));
    // Beyond the bound it matters what comes with the byte that crosses it.
    if input.len() < gateway::hello::HELLO_BYTES_MAX {
        for step in [1, 2, 61] {
            assert_eq!(read(step), whole, "in pieces of {step}");
        }
    }
    if let Some(Ok(gateway::hello::Hello { server_name: Some(name) })) = whole {
        assert!((1..=gateway::hello::NAME_BYTES_MAX).contains(&name.len()), "{name}");
        let _ = gateway::route::Table::default().find(&name);
    }
}

fn text(input: &[u8], then: impl FnOnce(&str)) {
    if let Ok(text) = std::str::from_utf8(input) {
        then(text);
    }
}

fn hcl(input: &[u8]) {
    text(input, |t| drop(config::text::read(t, config::text::Format::Hcl)));
}

fn json_config(input: &[u8]) {
    text(input, |t| drop(config::text::read(t, config::text::Format::Json)));
}

fn filter_expression(input: &[u8]) {
    text(input, |t| drop(filter::Filter::<CheckServiceNode>::compile(t)));
}

fn http_register(input: &[u8]) {
    let _ = api::request::register(input);
}

fn http_service(input: &[u8]) {
    let _ = api::request::service_definition(input);
    let _ = api::request::check_definition(input);
}

/// An entry as JSON, then as HCL. What can be read is shown in a form that reads as the same.
fn config_entry(input: &[u8]) {
    let check = |value: &serde_json::Value| {
        let Ok(mut entry) = api::entry::decode(value) else { return };
        let mut shown = Vec::new();
        api::entry::encode(&mut shown, &entry);
        let again = api::decode::first_value(&shown).expect("what is shown is JSON").to_value();
        let again = api::entry::decode(&again).expect("what is shown can be read");
        assert_eq!(again.body, entry.body, "round trip");
        let _ = entries::prepare(&mut entry);
    };
    if let Ok(value) = api::decode::first_value(input) {
        check(&value.to_value());
    }
    text(input, |t| {
        if let Ok(value) = config::free_value(t, config::text::Format::Hcl) {
            check(&value);
        }
    });
}

fn rpc_frame(input: &[u8]) {
    let mut buf = bytes::BytesMut::from(input);
    while let Ok(Some(frame)) = rpc::message::take_frame(&mut buf) {
        let _ = types::codec::decode::<rpc::message::Request>(&frame.payload);
        let _ = types::codec::decode::<rpc::message::Answer>(&frame.payload);
    }
}

/// What decodes must encode to something that decodes to the same.
fn log_entry(input: &[u8]) {
    if let Ok(proposal) = types::codec::decode::<Proposal>(input) {
        let bytes = types::codec::encode(&proposal).expect("what was decoded can be encoded");
        let again: Proposal = types::codec::decode(&bytes).expect("what was encoded can be decoded");
        assert_eq!(again, proposal, "round trip");
    }
}

fn snapshot(input: &[u8]) {
    let _ = catalog::snapshot::restore(input);
}
