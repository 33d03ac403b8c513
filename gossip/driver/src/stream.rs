//! One message on a stream: sealed records behind their lengths.

use crate::driver::Driver;
use gossip::{StreamBinding, StreamReader};
use runtime::Stream;
use std::io;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Reads one message. Not cancel safe: close the stream when it does not end.
pub(crate) async fn read(
    driver: &Driver,
    stream: &mut dyn Stream,
    bound_to: StreamBinding,
) -> Result<(Vec<u8>, StreamBinding), String> {
    let mut reader = StreamReader::new(bound_to);
    loop {
        let mut header = [0; 4];
        stream.read_exact(&mut header).await.map_err(|e| read_error(&e))?;
        let mut record = vec![0; StreamReader::record_len(header).map_err(|e| e.to_string())?];
        stream.read_exact(&mut record).await.map_err(|e| read_error(&e))?;
        let done = driver
            .with_core(|core, _| core.open_record(&mut reader, header, &record))
            .map_err(|e| e.to_string())?;
        if done {
            let binding = reader.binding();
            return Ok((reader.into_body(), binding));
        }
    }
}

/// Seals and writes one message; answers what the reply must be bound to.
pub(crate) async fn write(
    driver: &Driver,
    stream: &mut dyn Stream,
    body: &[u8],
    bound_to: StreamBinding,
) -> Result<StreamBinding, String> {
    let (bytes, binding) = driver.with_core(|core, _| core.seal_stream(body, bound_to));
    stream.write_all(&bytes).await.map_err(|e| crate::net_error::plain(&e))?;
    stream.flush().await.map_err(|e| crate::net_error::plain(&e))?;
    Ok(binding)
}

fn read_error(e: &io::Error) -> String {
    match e.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
            "remote closed the connection without an answer (another encryption key or datacenter?)"
                .to_owned()
        }
        _ => crate::net_error::plain(e),
    }
}
