//! What `/v1/agent/self` shows of the running agent, and what `/v1/agent/host` says of the machine.

use crate::Agent;
use rpc::Consensus;
use serde_json::json;
use std::collections::BTreeMap;
use types::{API_LEVEL, Str};

/// Revision that version answers show: our own version, since the API level has its own field.
pub const REVISION: &str = concat!("praetor-", env!("CARGO_PKG_VERSION"));
/// Build date that version answers show; fixed, so that builds are reproducible.
pub const BUILD_DATE: &str = "1970-01-01T00:00:01Z";

type Group = BTreeMap<Str, Str>;

fn group(pairs: impl IntoIterator<Item = (&'static str, String)>) -> Group {
    pairs.into_iter().map(|(k, v)| (Str::new_static(k), Str::from(v))).collect()
}

impl Agent {
    /// Group, name, value.
    pub(crate) fn stats(&self) -> BTreeMap<Str, Group> {
        let mut out = BTreeMap::new();
        let mut put = |name: &'static str, g: Group| {
            out.insert(Str::new_static(name), g);
        };
        let checks = self.local.checks();
        let of_kind = |kind: &str| checks.values().filter(|c| *c.kind == *kind).count().to_string();
        put(
            "agent",
            group([
                ("check_monitors", of_kind("script")),
                ("check_ttls", of_kind("ttl")),
                ("checks", checks.len().to_string()),
                ("services", self.local.services().len().to_string()),
            ]),
        );
        put(
            "build",
            group([
                ("prerelease", String::new()),
                ("revision", REVISION.to_owned()),
                ("version", API_LEVEL.to_owned()),
                ("version_metadata", String::new()),
            ]),
        );
        put(
            "runtime",
            group([
                (
                    "arch",
                    if cfg!(target_arch = "x86_64") { "amd64" } else { std::env::consts::ARCH }.to_owned(),
                ),
                ("cpu_count", std::thread::available_parallelism().map_or(1, usize::from).to_string()),
                ("goroutines", tokio::runtime::Handle::current().metrics().num_alive_tasks().to_string()),
                ("max_procs", tokio::runtime::Handle::current().metrics().num_workers().to_string()),
                ("os", std::env::consts::OS.to_owned()),
                ("version", concat!("praetor", env!("CARGO_PKG_VERSION")).to_owned()),
            ]),
        );
        put("serf_lan", group(self.lan.stats()));
        match &self.server {
            Some(server) => {
                if let Some(wan) = &server.wan {
                    put("serf_wan", group(wan.stats()));
                }
                let status = server.consensus.raft().status_now();
                let leadership = server.consensus.leadership();
                put(
                    "consul",
                    group([
                        (
                            "acl",
                            if self.config.load().acl.enabled { "enabled" } else { "disabled" }.to_owned(),
                        ),
                        ("bootstrap", self.config.load().bootstrap.to_string()),
                        ("known_datacenters", self.service.known_datacenters().to_string()),
                        ("leader", leadership.is_leader.to_string()),
                        ("leader_addr", leadership.leader.map(|a| a.to_string()).unwrap_or_default()),
                        ("server", "true".to_owned()),
                    ]),
                );
                let peers = status.membership.voters().count();
                let state = match status.role {
                    raft::Role::Leader => "Leader",
                    raft::Role::Candidate => "Candidate",
                    raft::Role::Follower | raft::Role::Learner => "Follower",
                    raft::Role::Stopped => "Shutdown",
                };
                let contact = match (status.is_leader(), status.last_contact) {
                    (true, _) => "0".to_owned(),
                    (false, Some(at)) => format!("{}ms", at.elapsed().as_millis()),
                    (false, None) => "never".to_owned(),
                };
                let configuration: Vec<_> = status
                    .membership
                    .servers
                    .iter()
                    .map(|s| {
                        format!(
                            "{{Suffrage:{} ID:{} Address:{}}}",
                            if s.voter { "Voter" } else { "Nonvoter" },
                            s.id,
                            s.peer.addr
                        )
                    })
                    .collect();
                put(
                    "raft",
                    group([
                        ("applied_index", status.applied.to_string()),
                        ("commit_index", status.commit.to_string()),
                        ("fsm_pending", "0".to_owned()),
                        ("last_contact", contact),
                        ("last_log_index", status.last_log.to_string()),
                        ("last_log_term", status.last_log_term.to_string()),
                        ("last_snapshot_index", status.snapshot.to_string()),
                        ("last_snapshot_term", status.snapshot_term.to_string()),
                        ("latest_configuration", format!("[{}]", configuration.join(" "))),
                        ("latest_configuration_index", status.membership.index.to_string()),
                        ("num_peers", peers.saturating_sub(1).to_string()),
                        ("protocol_version", "3".to_owned()),
                        ("protocol_version_max", "3".to_owned()),
                        ("protocol_version_min", "0".to_owned()),
                        ("snapshot_version_max", "1".to_owned()),
                        ("snapshot_version_min", "0".to_owned()),
                        ("state", state.to_owned()),
                        ("term", status.term.to_string()),
                    ]),
                );
            }
            None => put(
                "consul",
                group([
                    ("acl", if self.config.load().acl.enabled { "enabled" } else { "disabled" }.to_owned()),
                    ("known_servers", self.known_servers().to_string()),
                    ("server", "false".to_owned()),
                ]),
            ),
        }
        out
    }

    fn known_servers(&self) -> usize {
        crate::members::servers(&self.lan, &self.config.load().node.datacenter)
            .iter()
            .filter(|s| s.status == types::member::MemberStatus::Alive)
            .count()
    }
}

/// Facts about the machine, from the kernel's tables.
pub fn host(now_unix_ms: u64) -> Result<serde_json::Value, std::io::Error> {
    let read = |path: &str| std::fs::read_to_string(path);
    let meminfo = read("/proc/meminfo")?;
    let kib = |key: &str| -> u64 {
        meminfo
            .lines()
            .find_map(|l| {
                l.strip_prefix(key)?.strip_prefix(':')?.split_whitespace().next()?.parse::<u64>().ok()
            })
            .unwrap_or(0)
            * 1024
    };
    let (total, available, free) = (kib("MemTotal"), kib("MemAvailable"), kib("MemFree"));
    let used = total.saturating_sub(available);
    let percent = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 };
    let mut cpus = Vec::new();
    let mut cpu = serde_json::Map::new();
    for line in read("/proc/cpuinfo")?.lines().chain([""]) {
        match line.split_once(':').map(|(k, v)| (k.trim(), v.trim())) {
            Some(("processor", v)) => drop(cpu.insert("cpu".into(), json!(v.parse::<i64>().unwrap_or(0)))),
            Some(("vendor_id", v)) => drop(cpu.insert("vendorId".into(), json!(v))),
            Some(("model name", v)) => drop(cpu.insert("modelName".into(), json!(v))),
            Some(("cpu MHz", v)) => drop(cpu.insert("mhz".into(), json!(v.parse::<f64>().unwrap_or(0.0)))),
            Some(("cpu cores", v)) => drop(cpu.insert("cores".into(), json!(v.parse::<i64>().unwrap_or(0)))),
            None if line.is_empty() && !cpu.is_empty() => {
                cpus.push(serde_json::Value::Object(std::mem::take(&mut cpu)));
            }
            _ => {}
        }
    }
    let uptime: f64 =
        read("/proc/uptime")?.split_whitespace().next().and_then(|s| s.parse().ok()).unwrap_or(0.0);
    let trimmed = |path: &str| read(path).map(|s| s.trim().to_owned()).unwrap_or_default();
    let disk = rustix::fs::statvfs("/")?;
    let (disk_total, disk_free) = (disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize);
    let disk_used = disk_total.saturating_sub(disk.f_bfree * disk.f_frsize);
    Ok(json!({
        "Memory": {"total": total, "available": available, "used": used, "usedPercent": percent(used, total), "free": free,
                   "active": kib("Active"), "inactive": kib("Inactive"), "buffers": kib("Buffers"), "cached": kib("Cached")},
        "CPU": cpus,
        "Host": {"hostname": trimmed("/proc/sys/kernel/hostname"), "uptime": uptime as u64, "bootTime": (now_unix_ms / 1000).saturating_sub(uptime as u64),
                 "os": std::env::consts::OS, "platform": std::env::consts::OS, "kernelVersion": trimmed("/proc/sys/kernel/osrelease"),
                 "kernelArch": std::env::consts::ARCH, "hostId": trimmed("/etc/machine-id")},
        "Disk": {"path": "/", "total": disk_total, "free": disk_free, "used": disk_used, "usedPercent": percent(disk_used, disk_total)},
        "CollectionTime": now_unix_ms * 1_000_000,
        "Errors": null,
    }))
}
