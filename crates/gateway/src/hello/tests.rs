//! Hellos as a TLS library makes them, cut, spread and damaged.

use super::*;
use proptest::prelude::*;
use std::sync::Arc;

/// The first flight of a real client.
fn hello(name: Option<&str>) -> Vec<u8> {
    let roots = rustls::RootCertStore::empty();
    let mut config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.enable_sni = name.is_some();
    let server = name.unwrap_or("x").to_owned().try_into().unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(config), server).unwrap();
    let mut wire = Vec::new();
    client.write_tls(&mut wire).unwrap();
    wire
}

fn read(wire: &[u8]) -> Result<Option<Hello>, HelloError> {
    Peek::new().push(wire)
}

fn named(name: &str) -> Hello {
    Hello { server_name: Some(name.to_owned()) }
}

/// The same message in records of `n` bytes.
fn spread(wire: &[u8], n: usize) -> Vec<u8> {
    let records = wire[5..].chunks(n);
    records.flat_map(|c| [&[22, 3, 1, 0, u8::try_from(c.len()).unwrap()], c].concat()).collect()
}

#[test]
fn names_are_found_in_lower_case() {
    assert_eq!(read(&hello(Some("Server.DC1.consul"))), Ok(Some(named("server.dc1.consul"))));
    assert_eq!(read(&hello(None)), Ok(Some(Hello { server_name: None })));
}

#[test]
fn any_cut_and_any_records_give_the_same() {
    let wire = hello(Some("n1.server.dc2.consul"));
    for records in [wire.clone(), spread(&wire, 1), spread(&wire, 7), spread(&wire, 200)] {
        for step in [1, 3, 100] {
            let mut peek = Peek::new();
            let mut chunks = records.chunks(step).peekable();
            while let Some(chunk) = chunks.next() {
                let got = peek.push(chunk).unwrap();
                assert_eq!(got, chunks.peek().is_none().then(|| named("n1.server.dc2.consul")));
            }
            assert_eq!(peek.into_wire(), records, "bytes go on as they came");
        }
    }
}

#[test]
fn what_follows_the_hello_is_kept() {
    let wire = [hello(Some("a.b")), b"early data".to_vec()].concat();
    let mut peek = Peek::new();
    assert_eq!(peek.push(&wire), Ok(Some(named("a.b"))));
    assert_eq!(peek.wire(), wire);
}

#[test]
fn others_are_told_apart_at_once() {
    for (first, error) in [
        (&b"GET / HTTP/1.1\r\n"[..], HelloError::NotTls),
        (b"\x16\x02", HelloError::NotTls),
        (b"\x80\x2e\x01\x03\x01", HelloError::NotTls),
        (b"\x16\x03\x01\x00\x00", HelloError::Malformed("length of a record")),
        (b"\x16\x03\x01\xff\xff", HelloError::Malformed("length of a record")),
        (b"\x16\x03\x01\x00\x04\x02", HelloError::Malformed("the first message is no client hello")),
        (b"\x16\x03\x01\x00\x04\x01\xff\xff\xff", HelloError::TooLarge),
        (
            b"\x16\x03\x01\x00\x04\x01\x00\x00\x09\x17\x03\x03",
            HelloError::Malformed("a record that is no handshake"),
        ),
        (b"\x16\x03\x01\x00\x04\x01\x00\x00\x00", HelloError::Malformed("fields")),
    ] {
        assert_eq!(read(first), Err(error), "{first:?}");
    }
}

/// A hello with one list of server names.
fn handmade(extension: &[u8]) -> Vec<u8> {
    let len = |n: usize| u16::try_from(n).unwrap().to_be_bytes();
    let ext = [&[0, 0], &len(extension.len())[..], extension].concat();
    let body = [&[3, 3], &[7; 32][..], &[0, 0, 2, 19, 1, 1, 0], &len(ext.len()), &ext].concat();
    let message = [&[1, 0], &len(body.len())[..], &body].concat();
    [&[22, 3, 1], &len(message.len())[..], &message].concat()
}

#[test]
fn bad_names_are_refused() {
    assert_eq!(read(&handmade(b"\x00\x04\x00\x00\x01X")), Ok(Some(named("x"))));
    for bad in [&b"\x00\x03\x00\x00\x00"[..], b"\x00\x04\x00\x00\x01\xff", b"\x00\x04\x00\x00\x01 "] {
        assert_eq!(read(&handmade(bad)), Err(HelloError::Malformed("the server name")), "{bad:?}");
    }
    for bad in [&b"\x00"[..], b"\x00\x09\x00", b"\x00\x04\x00\x00\x01xy"] {
        assert_eq!(read(&handmade(bad)), Err(HelloError::Malformed("fields")), "{bad:?}");
    }
}

#[test]
fn a_hello_without_end_is_refused_at_the_limit() {
    let mut peek = Peek::new();
    let mut endless = vec![22, 3, 1, 0x40, 0, 1, 0, 0x40, 0];
    endless.resize(HELLO_BYTES_MAX - 1, 0);
    assert_eq!(peek.push(&endless), Ok(None));
    assert_eq!(peek.room(), 1);
    assert_eq!(peek.push(&[0]), Err(HelloError::TooLarge));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes);
        let mut prefixed = vec![22, 3, 1, 1, 0, 1, 0, 0, 0xf0];
        prefixed.extend(&bytes);
        let _ = read(&prefixed);
    }

    #[test]
    fn a_damaged_hello_never_panics(at in 0_usize..200, byte in any::<u8>(), cut in 1_usize..50) {
        let mut wire = hello(Some("web.default.dc1.internal.11111111-2222-3333-4444-555555555555.consul"));
        if let Some(b) = wire.get_mut(at) {
            *b = byte;
        }
        let mut peek = Peek::new();
        for chunk in wire.chunks(cut) {
            if peek.push(chunk).is_err() {
                break;
            }
        }
    }
}
