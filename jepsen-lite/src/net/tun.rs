//! Network cards whose other end is a file of this process.
#![expect(unsafe_code, reason = "one ioctl (TUNSETIFF), argued for below")]

use std::{
    fs::{File, OpenOptions},
    io,
    os::fd::AsRawFd,
};

const DEVICE: &str = "/dev/net/tun";
/// Bytes of `struct ifreq`: a name of 16 and a union of 24.
const REQUEST: usize = 40;

/// Makes a card in the network namespace of this thread. Each read of the file is one packet that leaves through it, each
/// write one that comes in. The card goes when the file is closed.
///
/// # Errors
/// When the kernel has no such cards (`CONFIG_TUN`) or this process may not make one.
pub fn card(name: &str) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).open(DEVICE)?;
    let mut request = [0_u8; REQUEST];
    // The kernel wants a zero behind the name.
    let room = &mut request[..libc::IFNAMSIZ - 1];
    let name = name.as_bytes().get(..name.len().min(room.len())).unwrap_or_default();
    room[..name.len()].copy_from_slice(name);
    let flags = libc::IFF_TUN | libc::IFF_NO_PI;
    request[libc::IFNAMSIZ..libc::IFNAMSIZ + 2].copy_from_slice(&(flags as u16).to_ne_bytes());
    // SAFETY: the descriptor is open for the length of the call; the kernel reads and writes one `struct ifreq`, which fits into
    // the array, and keeps no pointer to it.
    let done = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF as _, request.as_mut_ptr()) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(file) }
}
