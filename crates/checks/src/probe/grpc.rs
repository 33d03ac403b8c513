//! The gRPC health protocol, whose two messages have one field each.

use super::{Outcome, dial, tls::TlsSettings};
use bytes::{BufMut as _, Bytes, BytesMut};
use http::Request;
use types::definition::CheckDefinition;

/// Largest answer that is looked at, bytes.
const ANSWER_MAX: usize = 4096;
const SERVING: u64 = 1;

pub(super) async fn probe(c: &CheckDefinition, tls: &TlsSettings) -> Outcome {
    match check(c, tls).await {
        Ok(SERVING) => Outcome::passing(format!("gRPC check {}: success", c.grpc)),
        Ok(status) => {
            let word = match status {
                0 => "UNKNOWN",
                2 => "NOT_SERVING",
                3 => "SERVICE_UNKNOWN",
                _ => "unexpected",
            };
            Outcome::critical(format!("gRPC {} serving status: {word}", c.grpc))
        }
        Err(text) => Outcome::critical(format!("gRPC check {}: {text}", c.grpc)),
    }
}

async fn check(c: &CheckDefinition, tls: &TlsSettings) -> Result<u64, String> {
    let (target, service) = c.grpc.split_once('/').unwrap_or((&c.grpc, ""));
    let with_tls = c.grpc_use_tls.then_some((tls, dial::HTTP2));
    let stream = dial::stream(target, c, with_tls).await?;
    let (client, connection) = h2::client::handshake(stream).await.map_err(|e| e.to_string())?;
    tokio::select! {
        answer = call(client, c, target, service) => answer,
        ended = connection => Err(ended.err().map_or_else(|| "connection closed".into(), |e| e.to_string())),
    }
}

async fn call(
    client: h2::client::SendRequest<Bytes>,
    c: &CheckDefinition,
    target: &str,
    service: &str,
) -> Result<u64, String> {
    let text = |e: h2::Error| e.to_string();
    let mut client = client.ready().await.map_err(text)?;
    let scheme = if c.grpc_use_tls { "https" } else { "http" };
    let request = Request::post(format!("{scheme}://{target}/grpc.health.v1.Health/Check"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("user-agent", super::http::USER_AGENT)
        .body(())
        .map_err(|e| e.to_string())?;
    let (response, mut body) = client.send_request(request, false).map_err(text)?;
    body.send_data(encode(service), true).map_err(text)?;
    let response = response.await.map_err(text)?;
    if response.status() != http::StatusCode::OK {
        return Err(format!("unexpected HTTP status code {}", response.status()));
    }
    let early = grpc_error(response.headers());
    let mut stream = response.into_body();
    let mut answer = BytesMut::new();
    while let Some(chunk) = stream.data().await {
        let chunk = chunk.map_err(text)?;
        // A peer that has gone away needs no window.
        let _ = stream.flow_control().release_capacity(chunk.len());
        if answer.len() + chunk.len() > ANSWER_MAX {
            return Err("answer too large".into());
        }
        answer.extend_from_slice(&chunk);
    }
    let late = stream.trailers().await.map_err(text)?.and_then(|t| grpc_error(&t));
    if let Some(error) = early.or(late) {
        return Err(error);
    }
    decode(&answer).ok_or_else(|| "malformed answer".into())
}

fn grpc_error(headers: &http::HeaderMap) -> Option<String> {
    let code = headers.get("grpc-status")?.to_str().ok()?;
    if code == "0" {
        return None;
    }
    let message = headers.get("grpc-message").and_then(|m| m.to_str().ok()).unwrap_or("");
    Some(format!("rpc error: code = {code} desc = {message}"))
}

/// Frame of `HealthCheckRequest { string service = 1; }`.
fn encode(service: &str) -> Bytes {
    let mut message = BytesMut::new();
    if !service.is_empty() {
        message.put_u8(0x0a);
        let mut len = service.len();
        while len >= 0x80 {
            message.put_u8(len as u8 | 0x80);
            len >>= 7;
        }
        message.put_u8(len as u8);
        message.put_slice(service.as_bytes());
    }
    let mut frame = BytesMut::with_capacity(message.len() + 5);
    frame.put_u8(0);
    frame.put_u32(message.len() as u32);
    frame.put(message);
    frame.freeze()
}

/// `status` of a framed `HealthCheckResponse { ServingStatus status = 1; }`; absent means 0.
fn decode(frame: &[u8]) -> Option<u64> {
    let (&[compressed, a, b, c, d], message) = frame.split_first_chunk::<5>()?;
    let message = message.get(..u32::from_be_bytes([a, b, c, d]) as usize)?;
    if compressed != 0 {
        return None;
    }
    let mut rest = message;
    let mut status = 0;
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        match tag & 7 {
            0 => {
                let value = varint(&mut rest)?;
                if tag >> 3 == 1 {
                    status = value;
                }
            }
            2 => {
                let len = usize::try_from(varint(&mut rest)?).ok()?;
                rest = rest.get(len..)?;
            }
            1 => rest = rest.get(8..)?,
            5 => rest = rest.get(4..)?,
            _ => return None,
        }
    }
    Some(status)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut out = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        out |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(out);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames() {
        assert_eq!(&encode("ab")[..], [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        assert_eq!(&encode("")[..], [0; 5]);
        assert_eq!(encode(&"x".repeat(200)).len(), 5 + 3 + 200);
        assert_eq!(decode(&[0, 0, 0, 0, 2, 8, 1]), Some(1));
        assert_eq!(decode(&[0, 0, 0, 0, 0]), Some(0));
        assert_eq!(decode(&[0, 0, 0, 0, 5, 0x12, 1, 9, 8, 2]), Some(2));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }
}
