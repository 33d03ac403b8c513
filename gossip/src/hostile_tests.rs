//! Bytes that no member would send: they are refused, counted, and change nothing that lasts.

use crate::{
    Core, CoreConfig, Output, Timing,
    codec::SwimPacket,
    meta::Meta,
    packet::{Item, Packet},
    sync::StreamMessage,
};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{collections::BTreeMap, net::SocketAddr, time::Duration};
use types::Str;

fn addr(n: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], n))
}

fn core(n: u16) -> Core {
    let config = CoreConfig {
        name: Str::from(format!("n{n}")),
        addr: addr(n),
        bump: 5,
        label: Str::new("l"),
        tags: BTreeMap::from([(Str::new("role"), Str::new("node"))]),
        timing: Timing::lan(),
        keyring: None,
        verify_incoming: true,
        verify_outgoing: true,
        reconnect_timeout: Duration::from_secs(60),
        tombstone_timeout: Duration::from_secs(60),
        coordinates: true,
    };
    Core::new(config, Duration::ZERO, ChaCha8Rng::seed_from_u64(u64::from(n))).unwrap()
}

/// A few members that have met, and every message that was exchanged: opened packets, bodies of streams.
fn pool() -> (Vec<Core>, Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let mut cores: Vec<Core> = (1..=4).map(core).collect();
    let (mut packets, mut bodies) = (Vec::new(), Vec::new());
    let mut now = Duration::ZERO;
    for i in 1..4 {
        let request = cores[i].sync_request(now, true);
        let answer = cores[0].handle_request(now, &request).unwrap().body;
        cores[i].sync_answered(now, &answer).unwrap();
        bodies.extend([request, answer]);
    }
    cores[0].fire_event("first".into(), bytes::Bytes::new()).unwrap();
    let id = cores[1].id();
    bodies.push(cores[0].sync_request(now, false));
    bodies.push(cores[0].ping_request(id));
    bodies.push(cores[0].keyring_request(crate::KeyringAction::Install, "AAAA"));
    cores[2].fire_event("deploy".into(), bytes::Bytes::from_static(b"now")).unwrap();
    // The fourth never hears a datagram, so that suspicion and all that follows is in the collection, too.
    for _ in 0..400 {
        now += Duration::from_millis(50);
        let mut sent = Vec::new();
        for c in &mut cores {
            c.handle_timers(now);
            while let Some(o) = c.poll_output() {
                if let Output::Send { to, packet } = o {
                    sent.push((to, packet));
                }
            }
        }
        for (to, packet) in sent {
            packets.push(packet[9..].to_vec());
            if (1..4).contains(&to.port()) {
                cores[usize::from(to.port()) - 1].handle_datagram(now, addr(9), &packet);
            }
        }
    }
    packets.sort();
    packets.dedup();
    (cores, packets, bodies)
}

fn damage(bytes: &[u8], kind: u8, at: usize, value: u8) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let at = at % out.len().max(1);
    match kind % 4 {
        0 => out.truncate(at),
        1 => out[at] ^= 1 << (value % 8),
        2 => out[at] = value,
        _ => out.insert(at, value),
    }
    out
}

fn decode_all(bytes: &[u8]) {
    let _ = Packet::decode(bytes);
    let _ = SwimPacket::parse(bytes);
    let _ = Item::decode(bytes);
    let _ = Meta::decode(bytes).map(|m| m.tags());
    let _ = StreamMessage::decode(bytes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..1500)) {
        decode_all(&bytes);
        let mut c = core(1);
        c.handle_datagram(Duration::from_secs(1), addr(2), &bytes);
        prop_assert_eq!(c.counters().dropped_malformed + c.counters().dropped_mode, 1);
        prop_assert!(c.handle_request(Duration::from_secs(1), &bytes).is_err() || !bytes.is_empty());
    }
}

#[test]
fn damaged_messages_never_panic_and_the_pool_goes_on() {
    let (mut cores, packets, bodies) = pool();
    assert!(
        packets.len() > 100 && [3, 7].iter().all(|kind| packets.iter().any(|p| p[0] == *kind)),
        "pokes and coordinates"
    );
    assert!(cores.iter().take(3).all(|c| c.counters().user_events == 2), "events arrive");
    let mut rng = ChaCha8Rng::seed_from_u64(99);
    let mut now = Duration::from_secs(100);
    for round in 0..20_000_usize {
        let bytes = &packets[round % packets.len()];
        let bad = damage(bytes, rng.random(), rng.random_range(0..2000), rng.random());
        decode_all(&bad);
        now += Duration::from_millis(1);
        // A member that holds no wrong key but sends nonsense: sealed as it should be.
        let sealed = cores[1].seal_for_tests(&bad);
        cores[0].handle_datagram(now, addr(2), &sealed);
        if round % 10 == 0 {
            let body = &bodies[round / 10 % bodies.len()];
            let bad = damage(body, rng.random(), rng.random_range(0..2000), rng.random());
            decode_all(&bad);
            let _ = cores[0].handle_request(now, &bad);
            let _ = cores[0].sync_answered(now, &bad);
            let _ = cores[0].keyring_answered(&bad);
            let _ = cores[0].ping_answered(now, 1, &bad);
        }
        if round % 100 == 0 {
            cores[0].handle_timers(now);
        }
        while cores[0].poll_output().is_some() {}
    }
    assert!(cores[0].counters().dropped_malformed > 1000);
    assert_eq!(cores[0].members().iter().filter(|m| m.name == "n1").count(), 1);
    let mut fresh = core(8);
    let request = fresh.sync_request(now, true);
    let answer = cores[0].handle_request(now, &request).unwrap();
    fresh.sync_answered(now, &answer.body).unwrap();
    assert!(fresh.members().iter().any(|m| m.name == "n1"), "it still answers");
}
