//! User events of this agent: which it fires, which of those that gossip brings are meant for it, and the latest of them.

use crate::{Agent, remote_exec};
use parking_lot::Mutex;
use regex::{Regex, RegexBuilder};
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::{Notify, futures::OwnedNotified, mpsc};
use types::{Str, codec, event::UserEvent, record::NodeService};

/// Events that are kept.
const KEPT: usize = 256;
/// Largest compiled filter, bytes: events come from the network.
const FILTER_BYTES_MAX: usize = 1 << 20;
/// Events of this name carry commands to run, and are no matter of the list.
const REMOTE_EXEC: &str = "_rexec";

/// The latest events that were meant for this agent.
#[derive(Default)]
pub struct Events {
    kept: Mutex<VecDeque<Arc<UserEvent>>>,
    arrived: Arc<Notify>,
}

impl Events {
    /// Oldest first.
    pub fn all(&self) -> Vec<Arc<UserEvent>> {
        self.kept.lock().iter().cloned().collect()
    }

    /// Resolves when an event is kept after this call.
    pub fn arrival(&self) -> OwnedNotified {
        self.arrived.clone().notified_owned()
    }

    fn keep(&self, event: UserEvent) {
        let mut kept = self.kept.lock();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(Arc::new(event));
        drop(kept);
        self.arrived.notify_waiters();
    }
}

fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(FILTER_BYTES_MAX).build()
}

/// What is wrong with an event, as its sender is told.
fn check(event: &UserEvent) -> Result<(), String> {
    for (what, filter) in
        [("node", &event.node_filter), ("service", &event.service_filter), ("tag", &event.tag_filter)]
    {
        compile(filter).map_err(|e| format!("Invalid {what} filter: {e}"))?;
    }
    if !event.tag_filter.is_empty() && event.service_filter.is_empty() {
        return Err("Cannot provide tag filter without service filter".to_owned());
    }
    if !event.fits() {
        let max = types::event::BYTES_MAX;
        return Err(format!(
            "error broadcasting event: user event exceeds configured limit of {max} bytes before encoding"
        ));
    }
    Ok(())
}

/// Whether an event is meant for the node `name` with these services. A filter that does not compile excludes everybody.
fn is_for<'a>(event: &UserEvent, name: &str, mut services: impl Iterator<Item = &'a NodeService>) -> bool {
    let fits = |pattern: &str, text: &str| compile(pattern).is_ok_and(|re| re.is_match(text));
    if event.version > types::event::VERSION {
        return false;
    }
    if !event.node_filter.is_empty() && !fits(&event.node_filter, name) {
        return false;
    }
    if event.service_filter.is_empty() {
        return true;
    }
    let (Ok(service), Ok(tag)) = (compile(&event.service_filter), compile(&event.tag_filter)) else {
        return false;
    };
    services.any(|s| {
        service.is_match(&s.service)
            && (event.tag_filter.is_empty() || s.tags.iter().flatten().any(|t| tag.is_match(t)))
    })
}

impl Agent {
    /// Tells all agents of this datacenter.
    ///
    /// # Errors
    /// The text for the sender; nothing was sent then.
    pub(crate) fn fire(&self, event: &UserEvent) -> Result<(), String> {
        check(event)?;
        // The name travels outside, the time is gossip's.
        let inner = UserEvent { name: Str::default(), ltime: 0, ..event.clone() };
        let bytes = codec::encode(&inner).map_err(|e| format!("error broadcasting event: {e}"))?;
        let ltime = self.lan.fire(event.name.clone(), bytes.into());
        ltime.map(|_time| ()).map_err(|e| format!("error broadcasting event: {e}"))
    }

    /// Checks an event before it is sent anywhere.
    pub(crate) fn check_event(event: &UserEvent) -> Result<(), String> {
        check(event)
    }

    fn event_arrived(self: &Arc<Self>, told: gossip_driver::UserEvent) {
        let event = match codec::decode::<UserEvent>(&told.payload) {
            Ok(event) => UserEvent { name: told.name, ltime: told.ltime, ..event },
            Err(error) => {
                tracing::debug!(name = %told.name, %error, "user event cannot be read");
                return;
            }
        };
        let node = self.config.load().node.name.clone();
        let services = self.local.services();
        if !is_for(&event, &node, services.values().map(Arc::as_ref)) {
            return;
        }
        if event.name == REMOTE_EXEC {
            if self.config.load().process.disable_remote_exec {
                tracing::info!(id = %event.id, "ignoring a remote execution, as disable_remote_exec says");
            } else {
                remote_exec::begin(self, &event);
            }
            return;
        }
        tracing::debug!(name = %event.name, id = %event.id, ltime = event.ltime, "user event");
        self.events.keep(event);
    }
}

/// Keeps what gossip brings, until the agent ends.
pub fn start(agent: &Arc<Agent>) {
    let Some(mut arriving) = agent.lan.user_events() else { return };
    let (weak, shutdown) = (Arc::downgrade(agent), agent.tasks.shutdown().clone());
    agent.tasks.spawn("user events", async move {
        loop {
            let told = tokio::select! {
                () = shutdown.wait() => return,
                told = mpsc::Receiver::recv(&mut arriving) => told,
            };
            let (Some(told), Some(agent)) = (told, weak.upgrade()) else { return };
            agent.event_arrived(told);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(node: &str, service: &str, tag: &str) -> UserEvent {
        UserEvent {
            node_filter: node.into(),
            service_filter: service.into(),
            tag_filter: tag.into(),
            version: 1,
            ..UserEvent::default()
        }
    }

    #[test]
    fn filters_choose_nodes_by_name_services_and_tags() {
        let web = NodeService {
            service: "web".into(),
            tags: Some(vec!["v1".into(), "blue".into()]),
            ..NodeService::default()
        };
        let meant = |e: &UserEvent| is_for(e, "n1", [&web].into_iter());
        for (node, service, tag, wanted) in [
            ("", "", "", true),
            ("^n[12]$", "", "", true),
            ("^n2$", "", "", false),
            ("", "we", "", true),
            ("", "^db", "", false),
            ("", "web", "^blue$", true),
            ("", "web", "green", false),
            ("n1", "web", "v", true),
            ("(", "", "", false),
            ("", "(", "", false),
        ] {
            assert_eq!(meant(&event(node, service, tag)), wanted, "{node} {service} {tag}");
        }
        assert!(
            !meant(&UserEvent { version: 2, ..event("", "", "") }),
            "a later version means something else"
        );
    }

    #[test]
    fn what_cannot_be_sent_is_refused_in_words() {
        assert!(check(&event("(", "", "")).unwrap_err().starts_with("Invalid node filter: "));
        assert!(check(&event("", "(", "")).unwrap_err().starts_with("Invalid service filter: "));
        assert!(check(&event("", "a", "(")).unwrap_err().starts_with("Invalid tag filter: "));
        assert!(check(&event("", "", "a")).unwrap_err().starts_with("Cannot provide tag filter"));
        assert!(check(&event("(?:a{1000}){1000}", "", "")).is_err(), "a filter that would take much memory");
        let big = UserEvent { payload: vec![0; 600].into(), ..event("", "", "") };
        assert!(check(&big).unwrap_err().contains("limit of 512 bytes before encoding"));
        assert!(check(&event("a", "b", "c")).is_ok());
    }

    #[test]
    fn only_the_latest_are_kept_and_an_arrival_wakes() {
        let events = Events::default();
        let arrival = events.arrival();
        for i in 0..300_u64 {
            events.keep(UserEvent { ltime: i, ..UserEvent::default() });
        }
        let all = events.all();
        assert_eq!((all.len(), all[0].ltime, all[255].ltime), (KEPT, 44, 299));
        assert!(futures_util::FutureExt::now_or_never(arrival).is_some());
    }
}
