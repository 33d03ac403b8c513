//! Gossip that arrives on the server port because it came through a mesh gateway.

use crate::packets::{self, ARE_YOU_THERE, Frame};
use bytes::{Bytes, BytesMut};
use rpc::TunnelSink;
use runtime::{BoxFuture, Stream};
use std::{future::pending, io, net::SocketAddr, sync::Arc, time::Duration};
use tls::Lane;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::{Mutex, mpsc},
    time::timeout,
};

/// Streams that wait for the pool.
const STREAMS_MAX: usize = 64;
/// Packets that wait for the pool; more are lost, as on a socket.
const PACKETS_MAX: usize = 1024;
/// A connection for packets on which nothing comes for this long is closed. The other side asks more often whether we are there.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);
/// How long an answer may take to leave.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

type Queue<T> = (mpsc::Sender<(T, SocketAddr)>, Mutex<mpsc::Receiver<(T, SocketAddr)>>);

/// Between the server port and the WAN pool.
pub struct Inbound {
    streams: Queue<Box<dyn Stream>>,
    packets: Queue<Bytes>,
}

impl Inbound {
    /// Nothing there yet.
    pub fn new() -> Arc<Self> {
        let queue = |(tx, rx)| (tx, Mutex::new(rx));
        Arc::new(Self {
            streams: queue(mpsc::channel(STREAMS_MAX)),
            packets: {
                let (tx, rx) = mpsc::channel(PACKETS_MAX);
                (tx, Mutex::new(rx))
            },
        })
    }

    /// The next stream. Cancel safe.
    pub(crate) async fn stream(&self) -> (Box<dyn Stream>, SocketAddr) {
        match self.streams.1.lock().await.recv().await {
            Some(next) => next,
            // The sender lives as long as the receiver.
            None => pending().await,
        }
    }

    /// The next packet. Cancel safe.
    pub(crate) async fn packet(&self) -> (Bytes, SocketAddr) {
        match self.packets.1.lock().await.recv().await {
            Some(next) => next,
            None => pending().await,
        }
    }

    async fn take_packets(&self, stream: &mut dyn Stream, from: SocketAddr) -> io::Result<()> {
        let mut buf = BytesMut::with_capacity(4 << 10);
        loop {
            while let Some(frame) = packets::take(&mut buf).map_err(io::Error::other)? {
                match frame {
                    // Full: the packet is lost, as on a socket.
                    Frame::Packet(packet) => drop(self.packets.0.try_send((packet, from))),
                    Frame::AreYouThere => {
                        let answer = async {
                            stream.write_all(&ARE_YOU_THERE).await?;
                            stream.flush().await
                        };
                        timeout(ANSWER_LIMIT, answer).await??;
                    }
                }
            }
            if timeout(SILENCE_LIMIT, stream.read_buf(&mut buf)).await?? == 0 {
                return Ok(());
            }
        }
    }
}

impl TunnelSink for Inbound {
    fn serve(&self, lane: Lane, mut stream: Box<dyn Stream>, from: SocketAddr) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            match lane {
                Lane::Exchange => {
                    if self.streams.0.try_send((stream, from)).is_err() {
                        tracing::debug!(%from, "too many gossip exchanges at a time, refusing one");
                    }
                }
                Lane::Packets => {
                    if let Err(error) = self.take_packets(&mut *stream, from).await {
                        tracing::debug!(%from, %error, "connection with gossip packets ended");
                    }
                }
                // The server port answers these itself.
                Lane::Requests => {}
            }
        })
    }
}
