use crate::{ArchiveError, Limits, Meta, read, read_meta, tar, write};
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use std::io::Write;

fn archive(state: &[u8]) -> (Meta, Vec<u8>) {
    let meta = Meta::new(7, 3, state.len() as u64, 1_700_000_000_000);
    let bytes = write(Vec::new(), &meta, 1_700_000_000, state).unwrap();
    (meta, bytes)
}

fn back(bytes: &[u8]) -> Result<(Meta, Vec<u8>), ArchiveError> {
    let mut state = Vec::new();
    read(bytes, Limits { state_bytes_max: 1 << 20 }, &mut state).map(|meta| (meta, state))
}

fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::TarWriter::new(GzEncoder::new(Vec::new(), Compression::fast()), 0);
    for (name, bytes) in files {
        tar.file(name, bytes).unwrap();
    }
    tar.finish().unwrap().finish().unwrap()
}

proptest! {
    #[test]
    fn comes_back_as_it_went(state in proptest::collection::vec(any::<u8>(), 0..4000)) {
        let (meta, bytes) = archive(&state);
        prop_assert_eq!(back(&bytes).unwrap(), (meta.clone(), state));
        prop_assert_eq!(read_meta(bytes.as_slice()).unwrap(), meta);
    }

    #[test]
    fn any_cut_is_refused_and_any_flipped_bit_that_matters(cut in 0usize..400, bit in 0u8..8) {
        let state = b"some state that is a little longer than a few bytes";
        let (meta, bytes) = archive(state);
        let at = cut % bytes.len();
        prop_assert!(back(&bytes[..at]).is_err());
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << bit;
        // The gzip header has a time, and blocks end in bits without meaning; nothing that matters may differ.
        if let Ok(same) = back(&flipped) {
            prop_assert_eq!(same, (meta, state.to_vec()), "byte {}", at);
        }
    }

    #[test]
    fn noise_never_panics(noise in proptest::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert!(back(&noise).is_err());
        let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
        gz.write_all(&noise).unwrap();
        prop_assert!(back(&gz.finish().unwrap()).is_err());
    }
}

#[test]
fn each_fault_has_its_words() {
    let (_, whole) = archive(b"state");
    let meta: &[u8] = br#"{"Version":1,"ID":"1-1-1","Index":1,"Term":1,"Size":2}"#;
    let says = |bytes: &[u8]| back(bytes).unwrap_err().to_string();
    assert_eq!(says(b"nope"), "failed to decompress snapshot: gzip: invalid header");
    assert!(says(b"").contains("truncated"), "{}", says(b""));
    assert!(says(&whole[..whole.len() - 4]).contains("truncated"));
    assert_eq!(says(&packed(&[("state.bin", b"xx")])), "the archive has no meta.json");
    assert_eq!(says(&packed(&[("meta.json", meta)])), "the archive has no state.bin");
    assert_eq!(says(&packed(&[("meta.json", meta), ("state.bin", b"xx")])), "the archive has no SHA256SUMS");
    assert_eq!(says(&packed(&[("../x", b"")])), "unexpected file \"../x\" in snapshot");
    assert!(says(&packed(&[("meta.json", meta), ("meta.json", meta)])).contains("meta.json twice"));
    let wrong = b"00  meta.json\n00  state.bin\n";
    let files: [(&str, &[u8]); 3] = [("meta.json", meta), ("state.bin", b"xx"), ("SHA256SUMS", wrong)];
    assert!(says(&packed(&files)).contains("hash check failed for \"meta.json\""));
    let big = vec![0; (1 << 20) + 1];
    assert!(says(&archive(&big).1).contains("state.bin in the archive is too large"));
    let short = write(Vec::new(), &Meta::new(1, 1, 9, 0), 0, b"x".as_slice()).unwrap_err();
    assert_eq!(short.to_string(), "the state has 1 bytes where 9 were announced");
    let long = write(Vec::new(), &Meta::new(1, 1, 1, 0), 0, b"xyz".as_slice()).unwrap_err();
    assert_eq!(long.to_string(), "the state has 3 bytes where 1 were announced");
    let old = br#"{"Version":2}"#;
    assert!(
        read_meta(packed(&[("meta.json", old)]).as_slice()).unwrap_err().to_string().contains("version 2")
    );
}

#[test]
fn a_bomb_is_stopped_at_its_announced_size() {
    // 4 MiB of zeros in a few kilobytes.
    let (_, bytes) = archive(&vec![0; 4 << 20]);
    assert!(bytes.len() < 64 << 10);
    assert!(matches!(back(&bytes), Err(ArchiveError::TooLarge { name: "state.bin", .. })));
}

#[test]
fn sizes_above_eight_gibibytes_are_written_the_gnu_way() {
    let size = (8 << 30) + 5;
    let mut tar = tar::TarWriter::new(Vec::new(), 0);
    tar.begin("big", size).unwrap();
    let out = tar.into_output();
    let mut reader = tar::TarReader::new(out.as_slice());
    assert_eq!(reader.next_file().unwrap().unwrap(), tar::Entry { name: "big".into(), size });
}
