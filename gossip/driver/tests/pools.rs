//! Pools of real sockets on this machine.

use gossip_driver::{
    DriverConfig, GossipHandle, Key, Keyring, KeyringOp, MemberEvent, Pool, RetryJoin, RetryJoinError,
    StartError, Timing,
};
use runtime::{RngSeed, Shutdown, SystemClock, Tasks, TokioNet};
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    sync::mpsc,
};
use types::member::{Member, MemberStatus};

const DEADLINE: Duration = Duration::from_secs(60);

struct Agent {
    handle: GossipHandle,
    events: mpsc::Receiver<MemberEvent>,
    tasks: Tasks,
}

impl Agent {
    async fn try_start(name: &str, tweak: impl FnOnce(&mut DriverConfig)) -> Result<Self, StartError> {
        let mut config = DriverConfig::new(Pool::Lan, name, SocketAddr::from(([127, 0, 0, 1], 0)));
        config.timing = Timing::dev();
        config.label = "dc1".into();
        config.tags.insert("role".into(), "node".into());
        tweak(&mut config);
        let tasks = Tasks::new(Shutdown::new());
        let (handle, events) = GossipHandle::start(
            config,
            Arc::new(TokioNet),
            Arc::new(SystemClock),
            RngSeed::from_os(),
            tasks.clone(),
        )
        .await?;
        Ok(Self { handle, events, tasks })
    }
    async fn start(name: &str, tweak: impl FnOnce(&mut DriverConfig)) -> Self {
        Self::try_start(name, tweak).await.expect("starts")
    }
    fn addr(&self) -> SocketAddr {
        self.handle.local_addr()
    }
    async fn join(&self, other: &Self) {
        assert_eq!(self.handle.join(&[other.addr().to_string()]).await, Ok(1));
    }
    /// Waits until the members are as wanted.
    async fn until(&self, what: &str, wanted: impl Fn(&[Member]) -> bool) {
        let mut changes = self.handle.member_changes();
        let seen = tokio::time::timeout(DEADLINE, async {
            while !wanted(&self.handle.members()) {
                changes.changed().await.expect("running");
            }
        });
        assert!(seen.await.is_ok(), "{what}: {:?}", self.handle.members());
    }
    async fn until_alive(&self, n: usize) {
        self.until(&format!("{n} alive"), |m| {
            m.iter().filter(|m| m.status == MemberStatus::Alive).count() == n
        })
        .await;
    }
    async fn until_status(&self, name: &str, status: MemberStatus) {
        self.until(&format!("{name} {status:?}"), |m| m.iter().any(|m| m.name == name && m.status == status))
            .await;
    }
    /// Ends it without a word.
    async fn kill(self) {
        self.tasks.shutdown().trigger();
        assert!(self.tasks.join(DEADLINE).await);
    }
}

fn key(n: u8) -> Key {
    Key::from_bytes(&[n; 32]).expect("32 bytes")
}

fn with_key(n: u8) -> impl FnOnce(&mut DriverConfig) {
    move |c| c.keyring = Some(Keyring::new(key(n)))
}

#[tokio::test]
async fn three_join_one_leaves_one_crashes() {
    let a = Agent::start("a", |_| ()).await;
    let b = Agent::start("b", |_| ()).await;
    let mut c = Agent::start("c", |_| ()).await;
    b.join(&a).await;
    c.join(&a).await;
    for x in [&a, &b, &c] {
        x.until_alive(3).await;
    }
    let names: Vec<String> = a.handle.members().iter().map(|m| m.name.to_string()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    let mut tags = b.handle.local_member().tags;
    tags.insert("colour".into(), "blue".into());
    b.handle.set_tags(tags).await.unwrap();
    c.until("the tag of b", |m| m.iter().any(|m| m.name == "b" && m.tag("colour") == "blue")).await;
    b.handle.leave().await;
    b.handle.leave().await;
    a.until_status("b", MemberStatus::Left).await;
    c.until_status("b", MemberStatus::Left).await;
    b.kill().await;
    a.kill().await;
    c.until_status("a", MemberStatus::Failed).await;
    c.handle.force_leave("a", false).await.unwrap();
    c.until_status("a", MemberStatus::Left).await;
    c.handle.force_leave("a", true).await.unwrap();
    c.until("a forgotten", |m| m.iter().all(|m| m.name != "a")).await;
    assert_eq!(
        c.handle.force_leave("zz", false).await.unwrap_err().to_string(),
        "No node found with name 'zz'"
    );
    let mut seen = Vec::new();
    while let Ok(e) = c.events.try_recv() {
        seen.push(format!("{} {}", e.as_str(), e.member().name));
    }
    for wanted in [
        "member-join a",
        "member-join b",
        "member-leave b",
        "member-failed a",
        "member-leave a",
        "member-reap a",
    ] {
        assert!(seen.iter().any(|s| s == wanted), "{wanted} in {seen:?}");
    }
    assert!(c.handle.stats().contains(&("members", "2".to_owned())));
    c.kill().await;
}

#[tokio::test]
async fn a_restart_finds_the_pool_again_unless_it_left() {
    let dir = tempfile::tempdir().unwrap();
    let file = |c: &mut DriverConfig, dir: &Path| c.snapshot_file = Some(dir.join("serf/local.snapshot"));
    let a = Agent::start("a", |_| ()).await;
    let b = Agent::start("b", |c| file(c, dir.path())).await;
    b.join(&a).await;
    a.until_alive(2).await;
    b.until_alive(2).await;
    let addr = b.addr();
    b.kill().await;
    let b = Agent::start("b", |c| {
        c.bind = addr;
        file(c, dir.path());
    })
    .await;
    b.until_alive(2).await;
    a.until_alive(2).await;
    b.handle.leave().await;
    a.until_status("b", MemberStatus::Left).await;
    b.kill().await;
    let b = Agent::start("b", |c| {
        c.bind = addr;
        file(c, dir.path());
    })
    .await;
    assert_eq!(b.handle.members().len(), 1, "who left stays away");
    b.handle.leave().await;
    b.kill().await;
    // The list was empty by then: join, leave, and come back on purpose.
    let b = Agent::start("b", |c| file(c, dir.path())).await;
    b.join(&a).await;
    b.until_alive(2).await;
    b.handle.leave().await;
    b.kill().await;
    let b = Agent::start("b", |c| {
        file(c, dir.path());
        c.rejoin_after_leave = true;
    })
    .await;
    b.until_alive(2).await;
    a.until_status("b", MemberStatus::Alive).await;
    assert_eq!(
        a.handle.members().iter().find(|m| m.name == "b").unwrap().addr,
        b.addr(),
        "under its new address"
    );
    a.kill().await;
    b.kill().await;
}

#[tokio::test]
async fn keys_rotate_while_the_pool_runs() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("serf/local.keyring");
    let a = Agent::start("a", |c| {
        with_key(1)(c);
        c.keyring_file = Some(path.clone());
    })
    .await;
    let b = Agent::start("b", with_key(1)).await;
    let c = Agent::start("c", with_key(1)).await;
    b.join(&a).await;
    c.join(&a).await;
    for x in [&a, &b, &c] {
        x.until_alive(3).await;
        assert!(x.handle.encrypted());
    }
    let (old, new) = (key(1).to_base64(), key(2).to_base64());
    let op = async |op: KeyringOp| a.handle.keyring(op, false).await.unwrap();
    let listed = op(KeyringOp::List).await;
    assert_eq!((listed.num_nodes, listed.num_resp, listed.num_err), (3, 3, 0));
    assert_eq!((listed.keys.get(&old), listed.primary_keys.get(&old)), (Some(&3), Some(&3)));
    let early = op(KeyringOp::Use(new.clone())).await;
    assert_eq!(early.failure().unwrap(), "3/3 nodes reported failure");
    assert_eq!(early.messages["b"], "Requested key is not in the keyring");
    assert_eq!(
        op(KeyringOp::Install("AAEC".to_owned())).await.messages["a"],
        "key size must be 16, 24 or 32 bytes"
    );
    let bad = a.handle.keyring(KeyringOp::Install("bad".to_owned()), false).await.unwrap_err();
    assert_eq!(bad.to_string(), "illegal base64 data at input byte 0");
    for step in [KeyringOp::Install(new.clone()), KeyringOp::Use(new.clone())] {
        assert_eq!(op(step).await.failure(), None);
    }
    assert_eq!(
        op(KeyringOp::Remove(new.clone())).await.messages["c"],
        "Removing the primary key is not allowed"
    );
    assert_eq!(op(KeyringOp::Remove(old.clone())).await.failure(), None);
    let listed = op(KeyringOp::List).await;
    assert_eq!((listed.keys.len(), listed.keys.get(&new)), (1, Some(&3)));
    assert_eq!(a.handle.keyring(KeyringOp::List, true).await.unwrap().num_nodes, 1);
    assert!(!format!("{listed:?}").contains(&new), "keys stay out of logs");
    // The pool still works, and the file has the new key.
    let d = Agent::start("d", with_key(2)).await;
    d.join(&b).await;
    for x in [&a, &b, &c, &d] {
        x.until_alive(4).await;
    }
    assert_eq!(Keyring::from_json(&std::fs::read_to_string(&path).unwrap()).unwrap(), Keyring::new(key(2)));
    // A file wins over the configured key.
    let addr = a.addr();
    a.kill().await;
    let a = Agent::start("a", |c| {
        c.bind = addr;
        with_key(9)(c);
        c.keyring_file = Some(path);
    })
    .await;
    a.join(&b).await;
    a.until_alive(4).await;
    let plain = Agent::start("plain", |_| ()).await;
    let listed = plain.handle.keyring(KeyringOp::List, false).await.unwrap();
    assert_eq!(listed.messages["plain"], "Keyring is empty (encryption not enabled)");
    let refused = plain.handle.keyring(KeyringOp::Install(new), false).await.unwrap();
    assert_eq!(refused.messages["plain"], "No keyring to modify (encryption not enabled)");
    for x in [a, b, c, d, plain] {
        x.kill().await;
    }
}

#[tokio::test]
async fn a_wrong_key_or_datacenter_cannot_join_read_or_crash() {
    let a = Agent::start("a", with_key(1)).await;
    let b = Agent::start("b", with_key(1)).await;
    b.join(&a).await;
    let wrong = Agent::start("wrong", with_key(2)).await;
    let plain = Agent::start("plain", |_| ()).await;
    let other = Agent::start("other", |c| {
        with_key(1)(c);
        c.label = "dc2".into();
    })
    .await;
    for stranger in [&wrong, &plain, &other] {
        let error = stranger.handle.join(&[a.addr().to_string()]).await.unwrap_err();
        assert!(error.to_string().contains(&format!("Failed to join {}: ", a.addr())), "{error}");
        assert_eq!(stranger.handle.members().len(), 1);
        // The other way round as well.
        assert!(a.handle.join(&[stranger.addr().to_string()]).await.is_err());
    }
    assert_eq!(a.handle.members().len(), 2);
    assert!(a.handle.counters().dropped_no_key > 0);
    b.until_alive(2).await;
    for x in [a, b, wrong, plain, other] {
        x.kill().await;
    }
}

#[tokio::test]
async fn garbage_on_both_sockets_is_counted_and_survived() {
    let a = Agent::start("a", with_key(1)).await;
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut sent = 0;
    for n in [0_usize, 1, 2, 40, 100, 1400, 1500, 9000] {
        for fill in [0_u8, 0x10, 0x11, 0xff] {
            udp.send_to(&vec![fill; n], a.addr()).await.unwrap();
            sent += 1;
        }
    }
    for bytes in [
        &b""[..],
        b"\x00",
        b"\x80\x00\x00",
        b"\xff\xff\xff\xff",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x80\x00\x00\x20",
        b"\x00\x00\x00\x00",
    ] {
        let mut s = TcpStream::connect(a.addr()).await.unwrap();
        s.write_all(bytes).await.unwrap();
        s.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // Refused with a closed or reset connection, and never a byte of state.
        let _ = tokio::time::timeout(DEADLINE, s.read_to_end(&mut answer)).await.expect("closed");
        assert!(answer.is_empty());
    }
    // A whole record that no key opens.
    let mut s = TcpStream::connect(a.addr()).await.unwrap();
    let mut record = vec![0x80, 0, 4, 0];
    record.extend([0x11; 1024]);
    s.write_all(&record).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(DEADLINE, s.read_to_end(&mut answer)).await.expect("closed");
    assert!(answer.is_empty());
    let counted = async {
        loop {
            let c = a.handle.counters();
            if c.packets_in >= sent {
                break c;
            }
            tokio::task::yield_now().await;
        }
    };
    let c = tokio::time::timeout(DEADLINE, counted).await.expect("all packets arrive");
    assert!(c.dropped_malformed > 0 && c.dropped_no_key > 0, "{c:?}");
    let b = Agent::start("b", with_key(1)).await;
    b.join(&a).await;
    a.until_alive(2).await;
    a.kill().await;
    b.kill().await;
}

#[tokio::test]
async fn sources_outside_the_allowed_networks_are_not_heard() {
    let a =
        Agent::start("a", |c| c.allowed_cidrs = vec![types::net::Cidr::parse("10.0.0.0/8").unwrap()]).await;
    let b = Agent::start("b", |_| ()).await;
    assert!(b.handle.join(&[a.addr().to_string()]).await.is_err());
    assert!(a.handle.counters().dropped_source > 0);
    a.kill().await;
    b.kill().await;
}

#[tokio::test]
async fn a_port_in_use_and_a_bad_key_file_stop_the_start() {
    let a = Agent::start("a", |_| ()).await;
    let addr = a.addr();
    let error = Agent::try_start("b", |c| c.bind = addr).await.err().expect("taken").to_string();
    assert_eq!(
        error,
        format!(
            "Failed to start TCP listener on \"127.0.0.1\" port {}: listen tcp {addr}: bind: address already in use",
            addr.port()
        )
    );
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("k");
    std::fs::write(&path, "[]").unwrap();
    let error = Agent::try_start("b", |c| c.keyring_file = Some(path.clone()))
        .await
        .err()
        .expect("empty")
        .to_string();
    assert!(error.contains(&format!("no keys present in keyring: {}", path.display())), "{error}");
    let error = Agent::try_start("b", |c| drop(c.tags.insert("big".into(), "x".repeat(2000).into())))
        .await
        .err()
        .expect("big");
    assert_eq!(error.to_string(), "member cannot be gossiped: tag big has 2000 bytes");
    a.kill().await;
}

#[tokio::test]
async fn retry_join_waits_for_the_others_and_gives_up_when_told_to() {
    let late = Agent::start("late", |_| ()).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = free.local_addr().unwrap();
    drop(free);
    let plan = move |max| RetryJoin {
        targets: vec![addr.to_string(), "no.such.host.invalid".to_owned()],
        interval: Duration::from_millis(300),
        max,
    };
    let gave_up = late.handle.retry_join(plan(1)).await.unwrap_err();
    assert_eq!(gave_up, RetryJoinError::Exhausted("LAN"));
    assert_eq!(gave_up.to_string(), "max join LAN retry exhausted, exiting");
    let error = late.handle.join(&plan(0).targets).await.unwrap_err().to_string();
    assert!(error.starts_with("2 errors occurred:\n"), "{error}");
    assert!(
        error.contains(&format!("Failed to join {addr}: dial tcp {addr}: connect: connection refused")),
        "{error}"
    );
    assert!(
        error.contains("Failed to resolve no.such.host.invalid: lookup no.such.host.invalid: no such host"),
        "{error}"
    );
    let waiting = late.handle.clone();
    let joined = late.tasks.clone();
    joined.spawn("retry", async move {
        assert_eq!(waiting.retry_join(plan(0)).await, Ok(1));
    });
    let early = Agent::start("early", |c| c.bind = addr).await;
    early.until_alive(2).await;
    late.until_alive(2).await;
    assert_eq!(early.handle.join(&[early.addr().to_string()]).await, Ok(1), "joining oneself counts");
    early.kill().await;
    late.kill().await;
}

#[tokio::test]
async fn events_that_do_not_fit_ask_for_a_resync() {
    let a = Agent::start("a", |c| c.events_max = 1).await;
    let b = Agent::start("b", |_| ()).await;
    b.join(&a).await;
    a.until_alive(2).await;
    assert!(a.handle.take_resync());
    assert!(!a.handle.take_resync());
    assert_eq!(a.handle.members().len(), 2, "the list has what the events lacked");
    a.kill().await;
    b.kill().await;
}

#[tokio::test]
async fn one_name_twice_stays_with_the_first() {
    let a = Agent::start("a", |_| ()).await;
    let b = Agent::start("b", |_| ()).await;
    let twin = Agent::start("b", |_| ()).await;
    b.join(&a).await;
    a.until_alive(2).await;
    twin.join(&a).await;
    assert_eq!(a.handle.members().iter().find(|m| m.name == "b").unwrap().addr, b.addr());
    let first = b.addr();
    b.kill().await;
    a.until("the twin has the name", |m| {
        m.iter().any(|m| m.name == "b" && m.addr != first && m.status == MemberStatus::Alive)
    })
    .await;
    a.kill().await;
    twin.kill().await;
}
