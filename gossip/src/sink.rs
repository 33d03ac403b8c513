//! What foca wants done, collected until its call is over.

use crate::NodeId;
use foca::{Message, Notification, Timer};
use std::time::Duration;

/// Something that foca noticed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Note {
    Up(NodeId),
    Down(NodeId),
    Renamed(NodeId, NodeId),
    /// Our own identity was declared dead and renewed.
    Rejoined,
    PingSent(u8, NodeId),
    /// Others were asked to probe for us.
    PingReqSent,
    ProbeFailed,
    AckReceived(u8),
    /// We were asked to probe for another.
    PingReqReceived {
        origin: NodeId,
        target: NodeId,
    },
    IndirectAckReceived {
        origin: NodeId,
        target: NodeId,
    },
}

/// foca's runtime: remembers, does nothing.
#[derive(Default)]
pub(crate) struct Sink {
    pub(crate) sends: Vec<(NodeId, Vec<u8>)>,
    pub(crate) timers: Vec<(Timer<NodeId>, Duration)>,
    pub(crate) notes: Vec<Note>,
    /// Our own incarnation, which foca shows only in the headers that it sends.
    pub(crate) incarnation: u16,
}

impl foca::Runtime<NodeId> for Sink {
    fn notify(&mut self, notification: Notification<'_, NodeId>) {
        let note = match notification {
            Notification::MemberUp(id) => Note::Up(*id),
            Notification::MemberDown(id) => Note::Down(*id),
            Notification::Rename(old, new) => Note::Renamed(*old, *new),
            Notification::Rejoin(_) => Note::Rejoined,
            Notification::ProbeFailed(..) => Note::ProbeFailed,
            Notification::DataSent(header) => {
                self.incarnation = header.src_incarnation;
                match header.message {
                    Message::Ping(number) => Note::PingSent(number, header.dst),
                    Message::PingReq { .. } => Note::PingReqSent,
                    _ => return,
                }
            }
            Notification::DataReceived(header) => match header.message {
                Message::Ack(number) => Note::AckReceived(number),
                Message::PingReq { target, .. } => Note::PingReqReceived { origin: header.src, target },
                Message::IndirectAck { target: origin, .. } => {
                    Note::IndirectAckReceived { origin, target: header.src }
                }
                _ => return,
            },
            Notification::Active | Notification::Idle | Notification::Defunct => return,
        };
        self.notes.push(note);
    }

    fn send_to(&mut self, to: NodeId, data: &[u8]) {
        self.sends.push((to, data.to_vec()));
    }

    fn submit_after(&mut self, event: Timer<NodeId>, after: Duration) {
        self.timers.push((event, after));
    }
}
