//! Many datagrams per system call (`recvmmsg`, `sendmmsg`), which neither tokio nor our socket crates offer.
//!
//! The only module of this crate with `unsafe`. The argument for it: every pointer handed to the kernel is taken from a
//! slice that lives until the call returns, with that slice's own length; the structures are plain data for which all
//! zeroes is a valid value; and the lengths that come back are clamped to the buffers before anything is read.
#![expect(unsafe_code, reason = "recvmmsg, sendmmsg and one setsockopt, argued for above")]

use std::{
    io, mem,
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
};

/// Datagrams per call.
pub(crate) const BATCH: usize = 32;
/// Largest question that is read; longer ones are damaged anyway.
const PACKET_BYTES_MAX: usize = 4096;
/// Room for one packet-info control message; words, for its alignment.
const CONTROL_WORDS: usize = 8;

/// Where a datagram came from, and at which of our addresses it arrived.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    addr: libc::sockaddr_storage,
    addr_len: libc::socklen_t,
    control: [u64; CONTROL_WORDS],
    control_len: usize,
}

impl Peer {
    fn empty() -> Self {
        // SAFETY: sockaddr_storage is plain data, all zeroes is a valid value.
        let addr = unsafe { mem::zeroed() };
        Self { addr, addr_len: 0, control: [0; CONTROL_WORDS], control_len: 0 }
    }

    /// The reply leaves from the address that was asked; the route decides the interface.
    fn clear_interface(&mut self) {
        let header = size_of::<libc::cmsghdr>();
        let family = libc::c_int::from(self.addr.ss_family);
        // `in_pktinfo` begins with the interface index; `in6_pktinfo` has it after the address.
        let at = if family == libc::AF_INET { header } else { header + 16 };
        if self.control_len >= at + 4 && at % 4 == 0 {
            let word = &mut self.control[at / 8];
            let shift = (at % 8) * 8;
            *word &= !(0xffff_ffff_u64 << if cfg!(target_endian = "little") { shift } else { 32 - shift });
        }
    }
}

/// Buffers for one call.
pub(crate) struct Batch {
    packets: Box<[[u8; PACKET_BYTES_MAX]]>,
    lens: [usize; BATCH],
    peers: Box<[Peer]>,
}

impl Batch {
    pub fn new() -> Self {
        Self {
            packets: vec![[0; PACKET_BYTES_MAX]; BATCH].into_boxed_slice(),
            lens: [0; BATCH],
            peers: vec![Peer::empty(); BATCH].into_boxed_slice(),
        }
    }

    pub fn packet(&self, i: usize) -> &[u8] {
        &self.packets[i][..self.lens[i]]
    }

    pub fn peer(&self, i: usize) -> Peer {
        self.peers[i]
    }

    /// Receives what is there, without waiting. Answers the number of datagrams.
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        // SAFETY: iovec and mmsghdr are plain data, all zeroes is a valid value.
        let (mut iovs, mut headers): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) =
            unsafe { (mem::zeroed(), mem::zeroed()) };
        for i in 0..BATCH {
            let peer = &mut self.peers[i];
            iovs[i] =
                libc::iovec { iov_base: self.packets[i].as_mut_ptr().cast(), iov_len: PACKET_BYTES_MAX };
            let header = &mut headers[i].msg_hdr;
            header.msg_iov = &raw mut iovs[i];
            header.msg_iovlen = 1;
            header.msg_name = (&raw mut peer.addr).cast();
            header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_control = peer.control.as_mut_ptr().cast();
            header.msg_controllen = size_of_val(&peer.control) as _;
        }
        // SAFETY: the headers point into `self` and `iovs`, which outlive the call, with their true lengths.
        let n = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        let n = usize::try_from(n).map_err(|_negative| io::Error::last_os_error())?;
        for (i, message) in headers.iter().enumerate().take(n) {
            self.lens[i] = (message.msg_len as usize).min(PACKET_BYTES_MAX);
            let peer = &mut self.peers[i];
            peer.addr_len = message.msg_hdr.msg_namelen.min(size_of::<libc::sockaddr_storage>() as _);
            #[allow(clippy::unnecessary_cast, reason = "the field's type differs between C libraries")]
            let control_len = message.msg_hdr.msg_controllen as usize;
            peer.control_len = control_len.min(size_of_val(&peer.control));
            peer.clear_interface();
        }
        Ok(n)
    }
}

/// Sends as many as the socket takes without waiting, in order. Answers their number; an error means none.
pub(crate) fn send(socket: BorrowedFd<'_>, answers: &[(Peer, &[u8])]) -> io::Result<usize> {
    let n = answers.len().min(BATCH);
    // SAFETY: iovec and mmsghdr are plain data, all zeroes is a valid value.
    let (mut iovs, mut headers): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) =
        unsafe { (mem::zeroed(), mem::zeroed()) };
    for (i, (peer, bytes)) in answers.iter().enumerate().take(n) {
        // The kernel only reads through these pointers.
        iovs[i] = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        let header = &mut headers[i].msg_hdr;
        header.msg_iov = &raw mut iovs[i];
        header.msg_iovlen = 1;
        header.msg_name = (&raw const peer.addr).cast_mut().cast();
        header.msg_namelen = peer.addr_len;
        if peer.control_len > 0 {
            header.msg_control = peer.control.as_ptr().cast_mut().cast();
            header.msg_controllen = peer.control_len as _;
        }
    }
    // SAFETY: the headers point into `answers` and `iovs`, which outlive the call, with their true lengths.
    let sent = unsafe {
        libc::sendmmsg(
            socket.as_raw_fd(),
            headers.as_mut_ptr(),
            n as libc::c_uint,
            (libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) as _,
        )
    };
    usize::try_from(sent).map_err(|_negative| io::Error::last_os_error())
}

/// Asks the kernel to tell at which local address each datagram arrived.
pub(crate) fn want_packet_info(socket: BorrowedFd<'_>, v6: bool) -> io::Result<()> {
    let (level, name) =
        if v6 { (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO) } else { (libc::IPPROTO_IP, libc::IP_PKTINFO) };
    let on: libc::c_int = 1;
    // SAFETY: the option value is an int that lives until the call returns.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
