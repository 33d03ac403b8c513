//! A question over UDP.

use anyhow::Result;
use hickory_proto::op::Message;
use std::{
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

const LIMIT: Duration = Duration::from_secs(5);

/// Asks for the addresses of a name; answers the records as text.
///
/// # Errors
/// When there is no answer, or it cannot be read.
pub fn ask_dns(server: SocketAddr, name: &str) -> Result<Vec<String>> {
    let socket = UdpSocket::bind((server.ip(), 0))?;
    socket.set_read_timeout(Some(LIMIT))?;
    socket.connect(server)?;
    // Id, recursion desired, one question.
    let mut question = vec![0x2A, 0x2B, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.trim_end_matches('.').split('.') {
        question.push(u8::try_from(label.len())?);
        question.extend(label.as_bytes());
    }
    // Root; type A, class IN.
    question.extend([0, 0, 1, 0, 1]);
    socket.send(&question)?;
    let mut buf = [0; 4096];
    let n = socket.recv(&mut buf)?;
    let message = Message::from_vec(&buf[..n])?;
    Ok(message.answers.iter().map(ToString::to_string).collect())
}
